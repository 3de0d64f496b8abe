#!/bin/sh
# Builds, in the build root and without a network: wheel and sdist, the .deb, its SBOM. Each is checked.
set -eu
: "${RELEASE:?}" "${REVISION:?}" "${SOURCE_DATE_EPOCH:?}"
top=/build/geofence
output=/build/output
tools=/build/tools
cd $top
mkdir -p $output

offline='--disable-pip-version-check --quiet --no-index --find-links /build/wheels'

python3 -m venv $tools
# shellcheck disable=SC2086 # one word an option
$tools/bin/python -m pip install $offline -r requirements-build.lock -r requirements-release.lock

$tools/bin/python -m build --no-isolation --outdir $output . >/build/build.log 2>&1 || {
    cat /build/build.log >&2
    exit 1
}
$tools/bin/twine check --strict $output/*
cp $output/geofence-*.whl /build/wheels/

. /etc/os-release
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
full=$version-$REVISION+deb$VERSION_ID
cp -R packaging/debian debian
cat >debian/changelog <<END
geofence ($full) $RELEASE; urgency=medium

  * Built from the source of geofence $version. Its changes are in changelog.gz.

 -- geofence contributors <geofence@localhost>  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END
debconf-updatepo --podir=debian/po
# Build tools that are not Debian's come from /build/wheels; build-essential is not needed.
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps

deb=$(echo /build/geofence_*.deb)
lintian --allow-root --fail-on error,warning --info --tag-display-limit 0 "$deb"
cp "$deb" $output/
name=$(basename "$deb" .deb)
zcat debian/geofence/usr/share/doc/geofence/sbom.cdx.json.gz >"$output/$name.cdx.json"
# The wheel's own: what pip would install with it.
$tools/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application \
    --output-reproducible --output-format JSON \
    --output-file "$output/geofence-$version.cdx.json" requirements.lock
