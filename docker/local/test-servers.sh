#!/usr/bin/env bash
# Makes ready what the tests start servers from, and prints where it is. Quick when nothing has changed.
#
#   test-servers.sh postgres 15|16   the server's copy, with the extension as it is built now
#   test-servers.sh kafka            the folder of Kafka's jars
#   test-servers.sh python           the folder of the Python packages that the example agent needs
#   test-servers.sh pgbouncer        the program pgbouncer
#   test-servers.sh place            the folder that throw-away servers keep their files in

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/place.sh"
source "$here/packages.sh"
source "$here/build.sh"
source "$here/server.sh"

base=$(place "$target/test-servers")
# Several test programs may ask at once.
exec 9>"$base/lock"
flock 9

case ${1:-} in
postgres)
    server=$base/postgres-$2
    if [[ ! -e $server || -z ${STACK_READY:-} ]]; then
        case $2 in
        15)
            "$here/postgres.sh" copy "$SYSTEM_PG_CONFIG" "$server"
            pg_config=$SYSTEM_PG_CONFIG
            ;;
        16)
            unpack_server_16 "$server"
            pg_config=$server/bin/pg_config
            ;;
        *) die "no PostgreSQL $2 for the tests: 15 or 16" ;;
        esac
        build_extension dev "$pg_config" "$2"
        install_extension "$server" "$target/debug/libpg_lifestream.so"
        # What CREATE EXTENSION made in earlier versions, to be updated from.
        cp "$checkout"/pg_lifestream/versions/*.sql "$("$server/bin/pg_config" --sharedir)/extension/"
    fi
    echo "$server"
    ;;
kafka)
    libs=$base/kafka-$KAFKA_VERSION
    "$here/kafka.sh" jars "$libs"
    echo "$libs"
    ;;
python)
    packages=$base/python
    if ! cmp --silent "$checkout/docs/examples/requirements.txt" "$packages/requirements.txt"; then
        rm -rf "$packages"
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary=:all: \
            --target "$packages" --requirement "$checkout/docs/examples/requirements.txt" >&2 || die "the Python packages could not be fetched (see above)"
        cp "$checkout/docs/examples/requirements.txt" "$packages/"
    fi
    echo "$packages"
    ;;
pgbouncer)
    folder=$base/pgbouncer
    if [[ ! -e $folder ]]; then
        rm -rf "$folder.new"
        mkdir "$folder.new"
        # Unpacked, not installed: the package would start a service of this system's.
        (cd "$folder.new" && { apt-get download --quiet=2 pgbouncer || { as_root apt-get update --quiet=2 && apt-get download --quiet=2 pgbouncer; }; } >&2) \
            || die "Debian's package pgbouncer could not be fetched (see above)"
        dpkg-deb --extract "$folder.new"/pgbouncer_*.deb "$folder.new"
        mv "$folder.new" "$folder"
    fi
    echo "$folder/usr/sbin/pgbouncer"
    ;;
place) echo "$base" ;;
*) die "usage: test-servers.sh postgres 15|16, or kafka, or python, or pgbouncer, or place" ;;
esac
