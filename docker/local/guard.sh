#!/usr/bin/env bash
# Guards throw-away servers: waits until its standard input ends, which it does when whoever started it has ended in
# whatever way (a killed process included), then stops the server and removes its folder.
#
#   guard.sh <postgres|kafka|stack|disk> <dir>  a stack is the `var` of a whole set-up, a disk a file system that was mounted there

# A Ctrl-C on the terminal is meant for the tests; what they started is stopped here, in order.
trap '' INT TERM HUP

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/packages.sh"

cat >/dev/null
case $1 in
postgres) "$here/postgres.sh" stop "$2" immediate ;;
kafka) "$here/kafka.sh" stop "$2" kill ;;
# Lazily: a server on it may be ending still.
disk) as_root umount --lazy "$2" ;;
stack) STACK_VAR=$2 "$here/down.sh" >/dev/null ;;
esac
rm -rf "$2"
