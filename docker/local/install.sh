#!/usr/bin/env bash
# make install: the extension into the PostgreSQL of this system (the one whose pg_config PG_CONFIG names), the program into PREFIX/bin.

# PG_CONFIG is a setting of this script, and the only one of its name that is looked at.
pg_config=${PG_CONFIG:-}
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/packages.sh"
source "$here/build.sh"

pg_config=${pg_config:-$(command -v pg_config)} || die "there is no pg_config on the PATH" "Install postgresql-server-dev-$POSTGRES_MAJOR, or say PG_CONFIG=/path/to/pg_config."
# The server's own, not Debian's wrapper around it: the same path as for the other builds, so that nothing is compiled twice.
pg_config=$("$pg_config" --bindir)/pg_config
version=$("$pg_config" --version)
[[ $version =~ ([0-9]+) ]] && major=${BASH_REMATCH[1]}
build_program release
build_extension release "$pg_config" "$major"

# Root's rights only for the copying, and only where they are needed.
run=()
if ! [[ -w $("$pg_config" --pkglibdir) && -w $("$pg_config" --sharedir)/extension && -w ${PREFIX:-/usr/local} ]]; then
    run=(as_root)
fi
"${run[@]}" "$checkout/pg_lifestream/install.sh" "$target/release/libpg_lifestream.so" "$pg_config"
"${run[@]}" install -D -m 755 "$target/release/lifestream" "${PREFIX:-/usr/local}/bin/lifestream"
cat <<TEXT
Installed for $version, and ${PREFIX:-/usr/local}/bin/lifestream. In each database that shall have it: CREATE EXTENSION pg_lifestream;
For the fast wake-up add it to shared_preload_libraries in postgresql.conf and restart the server.
TEXT
