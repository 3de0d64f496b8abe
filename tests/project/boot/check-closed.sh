#!/bin/sh
# Run by check.service once the system is up: what there is instead of a fence that cannot be
# restored, and what becomes of it, one fact a line.
set -u
exec >/exchange/facts 2>/exchange/errors

drops() {
    nft list table inet geofence 2>/dev/null | grep -c ' drop'
}

until_active() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(systemctl is-active "$1")" != active ] || break
        sleep 1
    done
    systemctl is-active "$1"
}

echo "restore=$(systemctl is-active geofence-restore)"
echo "said=$(journalctl -q -o cat -u geofence-restore | grep -c 'The fence is closed')"
echo "drops=$(drops)"
echo "asterisk=$(systemctl is-active asterisk)"
echo "at_start=$(cat /exchange/asterisk 2>/dev/null || echo never)"

# As if nothing had ever been applied: neither fence nor file.
systemctl stop asterisk
nft delete table inet geofence
mv /var/lib/geofence/closed /var/lib/geofence/gone
rm -f /exchange/asterisk
systemctl start asterisk
echo "open=$(systemctl is-active asterisk) $(cat /exchange/asterisk 2>/dev/null || echo never)"

# The cause is found and mended.
mv /var/lib/geofence/gone /var/lib/geofence/closed
nft -f /var/lib/geofence/closed/nft
mv /usr/local/bin/geofence.whole /usr/local/bin/geofence
systemctl reset-failed
systemctl start geofence-restore
echo "mended=$(systemctl is-active geofence-restore)"
echo "chains=$(nft list table inet geofence | grep -c 'chain closed')"
geofence status >/dev/null
echo "status=$?"
echo "then=$(until_active asterisk)"

# A fence that stands is not closed because restore fails.
mv /usr/local/bin/geofence /usr/local/bin/geofence.whole
printf '#!/bin/sh\nexit 1\n' >/usr/local/bin/geofence
chmod +x /usr/local/bin/geofence
before=$(nft -s list table inet geofence | cksum)
systemctl restart geofence-restore
sleep 1
echo "asterisk_later=$(systemctl is-active asterisk)"
echo "kept=$([ "$before" = "$(nft -s list table inet geofence | cksum)" ] && echo whole)"
systemctl poweroff --force
