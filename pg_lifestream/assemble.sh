#!/bin/sh
# Writes the extension's control file, its install script and the scripts that update older versions: assemble.sh <folder>
set -eu
[ $# -eq 1 ] || { echo "usage: $0 <folder>" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
sql=$here/../sql
out=$1

# The one place that holds the version is [workspace.package] of the root Cargo.toml.
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version *= *"\([^"]*\)".*/\1/p' "$here/../Cargo.toml")
[ -n "$version" ] || { echo "$0: no version in Cargo.toml" >&2; exit 1; }

# write <command> <order> <script>: the files that an order lists, in its order. A line `replace <path>` stands for an
# object that the version before has in another form, `comments <path>` for one of which only the words differ.
write() {
    command=$1
    order=$2
    script=$3
    # Written beside and moved, so that a server never reads half a file.
    new=$out/.$script.$$
    {
        printf '%s\n' "\\echo Use \"$command\" to load this file. \\quit"
        while read -r path replaced; do
            case $path in
            '' | '#'*) ;;
            comments)
                printf '\n-- sql/%s\n' "$replaced"
                grep '^COMMENT ON ' "$sql/$replaced"
                ;;
            replace)
                printf '\n-- sql/%s\n' "$replaced"
                sed -E 's/^CREATE (FUNCTION|PROCEDURE|VIEW|TRIGGER) /CREATE OR REPLACE \1 /' "$sql/$replaced"
                ;;
            *)
                printf '\n-- sql/%s\n' "$path"
                cat "$sql/$path"
                ;;
            esac
        done < "$sql/$order"
    } > "$new"
    # CREATE EXTENSION reads it in the database's encoding, whichever that is.
    if LC_ALL=C grep -n '[^ -~]' "$new" >&2; then
        rm "$new"
        echo "$0: sql/ must be ASCII" >&2
        exit 1
    fi
    mv "$new" "$out/$script"
}

mkdir -p "$out"
write "CREATE EXTENSION pg_lifestream" install.order "pg_lifestream--$version.sql"
for order in "$sql"/updates/*.order; do
    step=$(basename "$order" .order)
    write "ALTER EXTENSION pg_lifestream UPDATE TO '${step##*--}'" "updates/$step.order" "pg_lifestream--$step.sql"
done
sed "s/@VERSION@/$version/" "$here/pg_lifestream.control.in" > "$out/.pg_lifestream.control.$$"
mv "$out/.pg_lifestream.control.$$" "$out/pg_lifestream.control"
