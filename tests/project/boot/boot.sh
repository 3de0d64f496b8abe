#!/bin/sh
# Boots a real systemd as process 1 of its own namespaces, on a copy-on-write view of this system:
# whatever it does is gone with it. As root: unshare --mount boot.sh SCRATCH SECONDS
# SCRATCH/seed is laid over the view; SCRATCH/exchange is /exchange in it. SCRATCH/enabled names the
# units to enable; the Debian packages in the directory SCRATCH/packages, if any, are unpacked first.
set -eu
. "${0%/*}/../../support/system.sh"
scratch=$1
root=$scratch/root

if [ "$2" != inside ]; then
    # A control group of its own, which becomes the root of what systemd sees.
    mount --make-rprivate /
    mkdir "$scratch/groups"
    mount -t cgroup2 cgroup2 "$scratch/groups"
    group=$(mktemp -d "$scratch/groups/geofence-test-XXXXXX")
    # shellcheck disable=SC2016 # the inner shell expands it
    timeout --signal=KILL "$2" sh -c 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"' sh "$group" \
        unshare --mount --pid --fork --kill-child --net --uts --ipc --cgroup sh "$0" "$scratch" inside ||
        true # process 1 of a namespace that powers off ends by a signal
    find "$group" -depth -type d -exec rmdir {} +
    exit
fi

mkdir -p "$scratch/layers" "$root"
mount -t tmpfs tmpfs "$scratch/layers"
mkdir "$scratch/layers/upper" "$scratch/layers/work"
mount -t overlay overlay "$root" \
    -o "lowerdir=/,upperdir=$scratch/layers/upper,workdir=$scratch/layers/work"

# Only what this test puts there is enabled; the machine's own units and state stay out of it.
mount -t tmpfs tmpfs "$root/etc/systemd/system"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/var/log"
for package in "$scratch"/packages/*.deb; do
    # /sbin and its like stay the links that they are.
    [ ! -e "$package" ] ||
        dpkg --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink
done
cp -r "$scratch/seed/." "$root"
mkdir -p "$root/exchange"
mount --bind "$scratch/exchange" "$root/exchange"
# shellcheck disable=SC2046 # one word a unit
systemctl --root="$root" --quiet enable $(cat "$scratch/enabled")
ip link add eth0 type veth peer name wire

fill_system "$root"
boot_system "$root" --unit=check.target --log-target=console
