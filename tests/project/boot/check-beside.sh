#!/bin/sh
# Run by check.service once the system is up, beside a firewall whose unit is $1: starts, reloads and
# stops it, and notes after each what is left of the fence, one fact a line.
set -u
exec >/exchange/facts 2>/exchange/errors
peer=$1
# Whatever goes wrong: the one who waits outside waits for this.
trap 'systemctl poweroff --force' EXIT

# Rules of the fence by family, and what status makes of it.
fence() {
    four=$(iptables-save -t mangle 2>/dev/null | grep -c -- '-A GEOFENCE')
    six=$(ip6tables-save -t mangle 2>/dev/null | grep -c -- '-A GEOFENCE')
    table=$(nft list table inet geofence 2>/dev/null | grep -c ' drop')
    geofence status >/dev/null 2>&1
    echo "$four $six $table $?"
}

settled() {
    while [ -n "$(systemctl list-jobs --no-legend 'geofence-*')" ]; do sleep 0.1; done
}

fact() {
    settled
    echo "$1=$(fence)"
}

entered() {
    systemctl show -P ActiveEnterTimestampMonotonic "$1"
}

# How often the units given said that there was no fence, once the journal has all they said.
said() {
    journalctl --sync
    for unit; do set -- "$@" -u "$unit"; shift; done
    journalctl -q -o cat "$@" | grep -c 'The fence was down'
}

fact booted
echo "peer=$(systemctl is-active "$peer")"
echo "order=$([ "$(entered "$peer")" -le "$(entered geofence-reassert-late)" ] && echo after)"
# Where the boot takes long, the timer may come first.
echo "said=$(said geofence-reassert-late geofence-repair)"
echo "asterisk=$(cat /exchange/asterisk)"
echo "timer=$(systemctl is-active geofence-repair.timer)"

for deed in restart reload; do
    systemctl "$deed" "$peer"
    fact "$deed"
done

# Nobody follows a firewall that is stopped but the timer.
systemctl stop geofence-repair.timer
settled # a check that the timer has started may still be running
before=$(said geofence-repair)
systemctl stop "$peer"
echo "stop=$(fence)"
started=$(date +%s%N)
systemctl start geofence-repair
echo "took=$((($(date +%s%N) - started) / 1000000))"
fact repair
systemctl start geofence-repair
echo "repaired=$(($(said geofence-repair) - before))"
systemctl start "$peer"
fact start

# What a refresh does as soon as the rules leave the choice to geofence.
rm /etc/geofence/rules.d/60-backend.toml
geofence apply >/exchange/applied 2>&1
echo "auto=$(geofence history --json | python3 -c 'import json, sys
print(json.load(sys.stdin)[0]["backend"])')"
echo "failed=$(systemctl list-units --failed --plain --no-legend | cut -d" " -f1 | tr "\n" " ")"
journalctl -q -o short-monotonic >/exchange/journal
cp -a /var/lib/geofence /exchange/state
