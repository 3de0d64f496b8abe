#!/bin/sh
# Runs a command in a copy-on-write root, in a mount namespace of its own:
#
#   unshare --mount --propagation private sh root.sh BASE WORK COMMAND…
#
# BASE stays as it is; WORK/upper keeps all that is written.
set -eu
base=$1 work=$2
shift 2
root=$work/root
mkdir -p "$work/upper" "$work/overlay" "$root"
mount -t overlay overlay "$root" -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/overlay"
mount -t proc proc "$root/proc"
for node in null zero full random urandom; do
    [ -e "$root/dev/$node" ] || : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
exec chroot "$root" "$@"
