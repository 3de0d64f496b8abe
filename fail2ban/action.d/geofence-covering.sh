# Exit code 0 if an exception or a local network covers an address: fail2ban's ignorecommand.
#
#   sh geofence-covering.sh JAIL ADDRESS
#
# Asks the process that the action geofence.py keeps; where there is none, a process of its own.
place=/run/fail2ban/geofence-$1
if [ -p "$place.ask" ] && printf '%s\n' "$2" >"$place.ask"; then
    while read -r address said; do
        [ "$address" != "$2" ] || break # else the answer to one that gave up
    done <"$place.answer"
    case $said in
    yes) exit 0 ;;
    no) exit 1 ;;
    esac
fi
exec /usr/local/bin/geofence exceptions --covering "$2"
