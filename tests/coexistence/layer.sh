#!/bin/sh
# Installs Debian packages into a layer of their own over this machine's files, which stay as they
# are, then keeps the mount namespace that holds it until standard input is closed.
#
#   unshare --mount --propagation private sh layer.sh DIRECTORY PACKAGES
#
# DIRECTORY, empty, gets: base, what the packages added; PACKAGES is a directory of .deb files.
set -eu
top=$1 packages=$2

mount -t tmpfs layers "$top"
mkdir "$top/base" "$top/work" "$top/root"
mount -t overlay machine -o "lowerdir=/,upperdir=$top/base,workdir=$top/work" "$top/root"
mount -t tmpfs run "$top/root/run"
mkdir "$top/root/run/packages"
mount --bind "$packages" "$top/root/run/packages"
mount --rbind /dev "$top/root/dev"
mount --rbind /proc "$top/root/proc"

# Nothing is started, whatever a package would like: no systemd is to be found below /run, and
# invoke-rc.d is told no (/usr/share/doc/init-system-helpers/README.policy-rc.d.gz).
printf '#!/bin/sh\nexit 101\n' >"$top/root/usr/sbin/policy-rc.d"
chmod +x "$top/root/usr/sbin/policy-rc.d"
# Where one is installed already, it may have been set up; here it is as Debian ships it.
rm -rf "$top/root/etc/fail2ban" "$top/root/etc/firewalld" "$top/root/etc/ufw" \
    "$top/root/etc/default/ufw" "$top/root/etc/docker"
# First all are unpacked, in whatever order, then configured in that of their dependencies.
chroot "$top/root" env -i DEBIAN_FRONTEND=noninteractive LC_ALL=C UCF_FORCE_CONFFMISS=1 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c 'dpkg --unpack --force-depends --force-confmiss --force-unsafe-io --no-triggers \
        --path-exclude="/usr/share/doc/*" --path-exclude="/usr/share/man/*" /run/packages/*.deb &&
        dpkg --configure --pending --force-confmiss --force-unsafe-io --no-triggers' \
    >"$top/log" 2>&1 || {
    cat "$top/log" >&2
    exit 1
}
umount --recursive "$top/root"

echo ready
exec cat
