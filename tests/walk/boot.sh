#!/bin/sh
# Makes a system out of a debootstrapped one and what is laid over it, and runs a command in it, or
# boots it, in the network namespace that this is run in. As root:
#
#   unshare --mount sh boot.sh BASE OVER run COMMAND…
#   unshare --mount --pid --fork --kill-child --uts --ipc --cgroup sh boot.sh BASE OVER boot
#
# BASE stays as it is; OVER keeps all that is written, from one run to the next.
set -eu
. "${0%/*}/../support/system.sh"
base=$1 over=$2 what=$3
shift 3
root=$over/root

mount --make-rprivate /
mkdir -p "$over/upper" "$over/work" "$root"
mount -t overlay overlay "$root" -o "lowerdir=$base,upperdir=$over/upper,workdir=$over/work"
fill_system "$root"

if [ "$what" = run ]; then
    exec chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
fi
mount -t tmpfs tmpfs "$root/run"
boot_system "$root" --log-target=journal
