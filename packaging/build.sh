#!/bin/sh
# Builds all packages for one release of Debian: a .deb with its SBOM, the wheel and the sdist. Called
# by './bootstrap package', as root:
#
#   sh packaging/build.sh RELEASE OUTPUT
#
# The build happens in a root that debootstrap makes once, in .venv/package/RELEASE. What is pinned is
# downloaded first; the build itself has no network. REVISION=2 makes 0.1.0-2 of 0.1.0-1.
set -eu
release=$1 output=$2
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
roots=$here/.venv/package
base=$roots/$release
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# What a build needs beside debootstrap's minimum.
tools='debhelper lintian man-db python3-pip python3-venv'

make_base() {
    rm -rf "$base.making"
    mkdir -p "$roots"
    debootstrap --variant=minbase --include=ca-certificates ${keyring:+--keyring="$keyring"} \
        "$release" "$base.making" "$mirror"
    cp /etc/resolv.conf "$base.making/etc/resolv.conf"
    # shellcheck disable=SC2086 # one word a package
    chroot "$base.making" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q install --yes --no-install-recommends $tools
    chroot "$base.making" apt-get clean
    mv "$base.making" "$base"
}

copy_sources() {
    mkdir -p "$work/upper/build/geofence"
    # What git knows: the sdist has all of it.
    git -c safe.directory="$here" -C "$here" ls-files -z --cached | (
        cd "$here"
        xargs -0 cp --parents --target-directory="$work/upper/build/geofence"
    )
    chmod -R u=rwX,go=rX "$work/upper/build"
    # Names are resolved and certificates trusted as on this machine.
    mkdir -p "$work/upper/etc"
    cp /etc/resolv.conf "$work/upper/etc/resolv.conf"
    cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$work/upper/build/ca.crt"
}

in_root() {
    unshare --mount --propagation private "$@"
}

[ -f "$keyring" ] || keyring=
[ -d "$base" ] || make_base
mkdir -p "$output"
work=$(mktemp -d "$roots/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
copy_sources
epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}
root=$here/packaging/root.sh
set -- "$base" "$work" env -i "RELEASE=$release" "REVISION=${REVISION:-1}" \
    "SOURCE_DATE_EPOCH=$epoch" ${https_proxy:+"https_proxy=$https_proxy"} \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 PIP_CERT=/build/ca.crt
in_root sh "$root" "$@" sh /build/geofence/packaging/download.sh
in_root unshare --net sh "$root" "$@" sh /build/geofence/packaging/make.sh
cp "$work"/upper/build/output/* "$output/"
