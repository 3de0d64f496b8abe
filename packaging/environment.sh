#!/bin/sh
# Makes the virtual environment that the .deb has, below a directory that becomes /:
#
#   sh packaging/environment.sh debian/geofence
#
# The same as './bootstrap install' makes in /opt/geofence, but for pip, which dpkg replaces.
set -eu
root=$1
home=$root/opt/geofence
offline='--disable-pip-version-check --quiet --no-index --find-links /build/wheels'

python3 -m venv --without-pip "$home"
set -- python3 -m pip --python "$home/bin/python" install --no-compile --no-warn-script-location
# shellcheck disable=SC2086 # one word an option
"$@" $offline --require-hashes --only-binary=:all: -r requirements.lock
# shellcheck disable=SC2086 # one word an option
"$@" $offline --no-deps /build/output/geofence-*.whl

# Of the programs, only geofence and Python itself; both by their final places.
find "$home/bin" -type f ! -name geofence -delete
sed -i '1s|^#!.*|#!/opt/geofence/bin/python3|' "$home/bin/geofence"
ln -sfn /usr/bin/python3 "$home/bin/python3"
find "$home/bin" -type l ! -name python3 ! -name python -delete
ln -sfn python3 "$home/bin/python"
cat >"$home/pyvenv.cfg" <<END
home = /usr/bin
include-system-site-packages = false
version = $(python3 -c 'import platform; print(platform.python_version())')
END
# Debian's own libraries, after those that are pinned: python3-kubernetes, which few hosts need.
echo /usr/lib/python3/dist-packages >"$(echo "$home"/lib/python3.*/site-packages)/debian.pth"
rm -rf "$home/include" "$home/.gitignore"

# What ships beside the package names the command by its place in a .deb.
grep -rl /usr/local/bin/geofence "$home/share" | xargs sed -i 's|/usr/local/bin/|/usr/bin/|g'

# A release upgrade brings a newer Python, which looks for libraries under its own version. All that
# 'geofence restore' needs is pure Python: see bootstrap, name_for_later_pythons.
held=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for later in 1 2 3 4 5 6 7 8; do
    ln -sfn "python$held" "$home/lib/python3.$((${held#3.} + later))"
done

# Compiled here, so that nothing is written on the host, where the units could not.
find "$home" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
"$home/bin/python" -m compileall -q -f --invalidation-mode timestamp -s "$root" \
    "$home/lib/python$held"
