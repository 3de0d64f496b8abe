#!/bin/sh
# Installs what the .deb has outside /opt, below a directory that becomes /; after environment.sh:
#
#   sh packaging/files.sh debian/geofence
#
set -eu
root=$1
home=$root/opt/geofence
python=$home/bin/python
cron=$home/share/geofence/cron

units=$root/usr/lib/systemd/system
install -d "$units/geofence-.service.d"
install -m 0644 "$cron"/geofence-*.service "$cron"/geofence-*.timer "$units/"
install -m 0644 "$cron"/geofence-.service.d/*.conf "$units/geofence-.service.d/"

# Where systemd runs, its timers do this. Before the first fence there is nothing to keep.
install -d "$root/etc/cron.d"
unless='[ -d /run/systemd/system ] || [ ! -x /usr/bin/geofence ]'
unless="$unless || [ ! -d /var/lib/geofence/generations ]"
sed -e "s#  root  \(.*\)#  root  $unless || { \1; }#" \
    -e 's|^# For hosts without systemd: .*|# For hosts without systemd; does nothing where systemd runs.|' \
    -e '/^# With systemd, enable/d' \
    "$cron/geofence.cron" >"$root/etc/cron.d/geofence"
chmod 0644 "$root/etc/cron.d/geofence"

install -d "$root/etc/geofence/rules.d" "$root/usr/bin"
ln -s /opt/geofence/bin/geofence "$root/usr/bin/geofence"

made=$(mktemp -d)
"$python" -m tools.man "$made/man"
find "$made/man" -name '*.8' -exec gzip -9n {} +
install -d "$root/usr/share"
cp -R "$made/man" "$root/usr/share/man"
"$python" -m tools.completion "$made/completion"
cd "$made/completion"
install -D -m 0644 geofence "$root/usr/share/bash-completion/completions/geofence"
install -D -m 0644 _geofence "$root/usr/share/zsh/vendor-completions/_geofence"
install -D -m 0644 geofence.fish "$root/usr/share/fish/vendor_completions.d/geofence.fish"
cd - >/dev/null
rm -rf "$made"

documents=$root/usr/share/doc/geofence
install -d "$documents"
/build/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
    --output-reproducible --output-format JSON --output-file "$documents/sbom.cdx.json" "$python"
