#!/bin/busybox sh
# The first process of the emulated machine: finds its disk, puts memory over it, moves there.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done </modules/order

$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 disk /below
$b mount -t tmpfs -o size=3g tmpfs /memory
$b mkdir /memory/upper /memory/work
$b mount -t overlay -o lowerdir=/below,upperdir=/memory/upper,workdir=/memory/work overlay /root
$b mkdir /root/exchange
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 exchange /root/exchange
$b cp /guest.sh /root/exchange
for place in dev proc sys; do $b mount --move "/$place" "/root/$place"; done
exec $b switch_root /root /bin/sh /exchange/guest.sh
