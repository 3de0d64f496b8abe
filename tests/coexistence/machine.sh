#!/bin/sh
# Makes a machine out of a layer of packages and this machine's files: what is written on it goes
# with it. Keeps it until standard input is closed; then every process on it is killed.
#
#   unshare --mount --pid --fork --kill-child --propagation private sh machine.sh TOP NAME
#
# To be run in the mount namespace of layer.sh; TOP is its directory.
set -eu
top=$1 own=$1/$2

mkdir "$own" "$own/changes" "$own/work" "$own/root"
mount -t overlay machine \
    -o "lowerdir=$top/base:/,upperdir=$own/changes,workdir=$own/work" "$own/root"
mount -t tmpfs run "$own/root/run"
mount -t tmpfs tmp "$own/root/tmp"
mount -t proc proc "$own/root/proc"
mount -t sysfs sys "$own/root/sys"
mount --rbind /dev "$own/root/dev"
[ ! -d /sys/fs/cgroup ] || mount --rbind /sys/fs/cgroup "$own/root/sys/fs/cgroup"
# Nobody answers a question for a name there, and programs would wait for that.
sed -i 's/^hosts:.*/hosts: files/' "$own/root/etc/nsswitch.conf"

# Not by exec: as the first process of its namespace, the shell takes leave of daemons that ended.
echo ready
cat
