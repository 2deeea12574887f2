#!/bin/sh
# Installs the built extension into a PostgreSQL:
#   install.sh <libpg_lifestream.so> <pg_config>
#   install.sh <libpg_lifestream.so> <sharedir> <pkglibdir>
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case $# in
    2) share=$("$2" --sharedir) lib=$("$2" --pkglibdir) ;;
    3) share=$2 lib=$3 ;;
    *) sed -n '2,4s/^# *//p' "$0" >&2; exit 2 ;;
esac
[ -f "$1" ] || { echo "$0: $1 is missing: build it first (cargo build --release -p pg_lifestream)" >&2; exit 1; }
mkdir -p "$lib" "$share/extension"
# A new file moved into place: a server that runs keeps the library it has mapped.
cp "$1" "$lib/.pg_lifestream.so.$$"
chmod 755 "$lib/.pg_lifestream.so.$$"
mv "$lib/.pg_lifestream.so.$$" "$lib/pg_lifestream.so"
"$here/assemble.sh" "$share/extension"
