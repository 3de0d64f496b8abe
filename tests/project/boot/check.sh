#!/bin/sh
# Run by check.service once the system is up: breaks the fence in each way that a peer's unit does,
# and notes after each what is left of it, one fact a line.
set -u
exec >/exchange/facts 2>/exchange/errors

rules() {
    iptables-save -t mangle 2>/dev/null | grep -c -- '-A GEOFENCE'
}

# Peers' units are ordered before ours; what they pull in may still be at work when they are done.
settled() {
    while [ -n "$(systemctl list-jobs --no-legend geofence-reassert.service)" ]; do sleep 0.1; done
}

fact() {
    settled
    echo "$1=$(rules)"
}

entered() {
    systemctl show -P "$2" "$1"
}

# What the daemon may do, seen while it runs.
daemon() {
    systemctl start geofence-daemon
    sleep 3
    pid=$(systemctl show -P MainPID geofence-daemon)
    echo "$1=$(systemctl is-active geofence-daemon) $(sed -n 's/^CapEff:\s*//p' "/proc/$pid/status")"
    systemctl stop geofence-daemon
}

fact booted
echo "order=$(for unit in geofence-restore netfilter-persistent nftables geofence-reassert; do
    echo "$(entered $unit.service ExecMainStartTimestampMonotonic) $unit"
done | sort -n | cut -d' ' -f2 | tr '\n' ' ')"
echo "network=$([ "$(entered geofence-reassert.service ActiveEnterTimestampMonotonic)" -le \
    "$(entered network-pre.target ActiveEnterTimestampMonotonic)" ] && echo after)"
echo "loaded=$(systemctl is-active netfilter-persistent)"

for deed in 'restart nftables' 'reload nftables' 'restart netfilter-persistent' \
    'stop nftables' 'start nftables'; do
    # shellcheck disable=SC2086 # a verb and a unit
    systemctl $deed
    fact "$deed"
done

for _ in 1 2 3 4 5 6 7 8; do systemctl restart nftables; done
fact 'restart nftables often'

daemon 'two capabilities'
systemctl start geofence-refresh
echo "told=$(cat /var/lib/geofence/told)"

mount --bind /var/lib/geofence /var/lib/geofence
mount -o remount,bind,ro /var/lib/geofence
nft flush ruleset
systemctl restart geofence-reassert
fact read-only
umount /var/lib/geofence

# As an operator does who wants no ipset.
ln -sf /dev/null /etc/systemd/system/geofence-.service.d/ipset.conf
systemctl daemon-reload
geofence restore >/dev/null
fact 'moved by a shell'
echo "moved=$(nft list table inet geofence | grep -c saddr)"
geofence remove >/dev/null
systemctl restart geofence-reassert
fact 'without ipset'
echo "nftables=$(nft list table inet geofence | grep -c saddr)"
daemon 'one capability'

geofence remove >/dev/null
systemctl restart netfilter-persistent
echo "without sets=$(systemctl is-active netfilter-persistent)"

systemctl poweroff --force
