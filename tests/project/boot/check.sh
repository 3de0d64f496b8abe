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

systemctl start geofence-daemon
sleep 3
pid=$(systemctl show -P MainPID geofence-daemon)
echo "capabilities=$(sed -n 's/^CapEff:\s*//p' "/proc/$pid/status")"
echo "daemon=$(systemctl is-active geofence-daemon)"
systemctl stop geofence-daemon

mount --bind /var/lib/geofence /var/lib/geofence
mount -o remount,bind,ro /var/lib/geofence
nft flush ruleset
systemctl restart geofence-reassert
fact read-only
umount /var/lib/geofence

geofence remove >/dev/null
systemctl restart netfilter-persistent
echo "without sets=$(systemctl is-active netfilter-persistent)"

systemctl poweroff --force
