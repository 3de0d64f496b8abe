#!/bin/sh
# Run by check.service once the system is up: how the shield's unit gets on, one fact a line.
set -u
exec >/exchange/facts 2>/exchange/errors
# Whatever goes wrong: the one who waits outside waits for this.
trap 'systemctl poweroff --force' EXIT

# Its state, and how it is on which interfaces.
shield() {
    geofence status --json | python3 -c 'import json, sys
said = json.load(sys.stdin)["shield"]
print(said["state"], *(each["how"] for each in said.get("interfaces", [])))'
}

until_it_is() {
    for _ in $(seq 40); do
        [ "$(shield | cut -d" " -f1)" != "$1" ] || break
        sleep 0.5
    done
    shield
}

# What of it is in the kernel: names, its table, filters.
left() {
    find /sys/fs/bpf/geofence -type f | wc -l
    nft list tables | grep -c geofence-shield
    tc filter show dev eth0 ingress | grep -c geofence
}

entered() {
    systemctl show -P ActiveEnterTimestampMonotonic "$1"
}

echo "order=$([ "$(entered geofence-restore)" -le "$(entered geofence-shield)" ] && echo after)"
echo "before=$(until_it_is off)" # there is no route yet
ip link set wire up
ip link set eth0 up
ip address add 198.51.100.10/24 dev eth0
ip route add default via 198.51.100.1
echo "routed=$(until_it_is auditing)"
# Kills its process, and waits until systemd knows.
kill_it() {
    systemctl kill --signal=KILL geofence-shield
    for _ in $(seq 100); do
        [ "$(systemctl show --value --property=SubState geofence-shield)" = running ] || break
        sleep 0.02
    done
}

kill_it
echo "killed=$(find /sys/fs/bpf/geofence -name 'tcx-*' -o -name 'clsact-*' | wc -l)"
for _ in $(seq 40); do
    [ "$(systemctl is-active geofence-shield)" != active ] || break
    sleep 0.5
done
echo "again=$(systemctl is-active geofence-shield) $(until_it_is auditing)"
kill_it
sleep 0.5
systemctl stop geofence-shield # before the next process
echo "waiting=$(shield) $(left | tr '\n' ' ')"
systemctl start geofence-shield
until_it_is auditing >&2
kill_it
until [ "$(systemctl is-active geofence-shield)" = active ]; do sleep 0.02; done
systemctl stop geofence-shield # before that listens to signals
echo "starting=$(shield) $(left | tr '\n' ' ')"
systemctl start geofence-shield
echo "between=$(until_it_is auditing)"
systemctl stop geofence-shield
echo "stopped=$(shield) $(left | tr '\n' ' ')"
systemctl start geofence-shield
echo "started=$(until_it_is auditing)"
geofence remove >/exchange/removed 2>&1
echo "removed=$(until_it_is off) $(left | tr '\n' ' ')"
echo "active=$(systemctl is-active geofence-shield)"
journalctl -q -o short-monotonic -u geofence-shield >/exchange/journal
