#!/bin/sh
# Makes a system out of a debootstrapped one and what is laid over it, and runs a command in it, or
# boots it, in the network namespace that this is run in. As root:
#
#   unshare --mount sh boot.sh BASE OVER run COMMAND…
#   unshare --mount --pid --fork --kill-child --uts --ipc --cgroup sh boot.sh BASE OVER boot
#
# BASE stays as it is; OVER keeps all that is written, from one run to the next.
set -eu
base=$1 over=$2 what=$3
shift 3
root=$over/root

mount --make-rprivate /
mkdir -p "$over/upper" "$over/work" "$root"
mount -t overlay overlay "$root" -o "lowerdir=$base,upperdir=$over/upper,workdir=$over/work"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

if [ "$what" = run ]; then
    exec chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
fi
mount -t tmpfs tmpfs "$root/run"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mkdir -p "$root/old"
cd "$root"
pivot_root . old
umount -l /old
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --log-target=journal --show-status=no </dev/null
