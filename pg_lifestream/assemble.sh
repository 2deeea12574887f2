#!/bin/sh
# Writes the extension's control file and install script: assemble.sh <folder>
set -eu
[ $# -eq 1 ] || { echo "usage: $0 <folder>" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
sql=$here/../sql
out=$1

# The one place that holds the version is [workspace.package] of the root Cargo.toml.
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version *= *"\([^"]*\)".*/\1/p' "$here/../Cargo.toml")
[ -n "$version" ] || { echo "$0: no version in Cargo.toml" >&2; exit 1; }

mkdir -p "$out"
# Written beside and moved, so that a server never reads half a file.
{
    printf '%s\n' '\echo Use "CREATE EXTENSION pg_lifestream" to load this file. \quit'
    while IFS= read -r path; do
        case $path in '' | '#'*) continue ;; esac
        printf '\n-- sql/%s\n' "$path"
        cat "$sql/$path"
    done < "$sql/install.order"
} > "$out/.pg_lifestream.sql.$$"
# CREATE EXTENSION reads it in the database's encoding, whichever that is.
if LC_ALL=C grep -n '[^ -~]' "$out/.pg_lifestream.sql.$$" >&2; then
    rm "$out/.pg_lifestream.sql.$$"
    echo "$0: sql/ must be ASCII" >&2
    exit 1
fi
mv "$out/.pg_lifestream.sql.$$" "$out/pg_lifestream--$version.sql"
sed "s/@VERSION@/$version/" "$here/pg_lifestream.control.in" > "$out/.pg_lifestream.control.$$"
mv "$out/.pg_lifestream.control.$$" "$out/pg_lifestream.control"
