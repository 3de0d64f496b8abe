#!/bin/sh
# Makes a machine out of a debootstrapped system: what is written on it goes with it. Keeps it until
# standard input is closed; then every process on it is killed. In the network namespace to use:
#
#   unshare --mount --pid --fork --kill-child --propagation private sh machine.sh BASE OWN
#
# OWN, empty, gets: root, where the machine's files are.
set -eu
base=$1 own=$2

mount -t tmpfs machine "$own"
mkdir "$own/changes" "$own/work" "$own/root"
mount -t overlay machine -o "lowerdir=$base,upperdir=$own/changes,workdir=$own/work" "$own/root"
mount -t proc proc "$own/root/proc"
mount --rbind /dev "$own/root/dev"
rm -rf "$own/root/etc/asterisk" "$own/root/etc/resolv.conf"
mkdir "$own/root/etc/asterisk"

# Not by exec: as the first process of its namespace, the shell takes leave of daemons that ended.
echo ready
cat
