#!/bin/sh
# Run by check.service once the system is up: 'geofence setup' on a host that has had no fence, one
# fact a line; what it left is put into /exchange/left for another boot.
set -u
exec >/exchange/facts 2>/exchange/errors

cd /srv/lists
/usr/bin/python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do
    ! /usr/bin/python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8000))' || break
    sleep 1
done

echo "before=$(systemctl is-enabled geofence-restore.service 2>/dev/null)"
geofence --backend nftables setup --yes --country JP >/exchange/said 2>&1
echo "setup=$?"
for unit in geofence-restore.service geofence-refresh.timer geofence-repair.timer; do
    echo "$unit=$(systemctl is-enabled "$unit") $(systemctl is-active "$unit")"
done
geofence status >/dev/null 2>&1
echo "status=$?"
geofence --backend nftables setup --yes 2>&1 | grep -c 'Nothing to change' | sed 's/^/again=/'

mkdir -p /exchange/left/etc/systemd /exchange/left/var/lib
cp -a /etc/geofence /exchange/left/etc/
cp -a /etc/systemd/system /exchange/left/etc/systemd/
cp -a /var/lib/geofence /exchange/left/var/lib/
systemctl poweroff --force
