#!/usr/bin/env bash
# One private PostgreSQL: a copy of the server's trees, and clusters that run from it on a loopback port of their own.
#
#   postgres.sh copy  <pg_config> <server>           copies the server that pg_config belongs to (its bin is <server>/bin)
#   postgres.sh start <server> <dir> [name=value…]   makes the cluster if there is none, starts it unless it runs, prints its URL
#   postgres.sh replica <server> <dir> <primary>     makes the cluster as a streaming replica of the one in <primary> (which runs), and starts it
#   postgres.sh stop  <dir> [fast|immediate]
#   postgres.sh url   <dir> [database]
#
# <dir> holds data/, port, password (0600), pid and log. Options are settings of the server; they are kept for later starts.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"

# Debian's server finds its library and share trees relative to its own place: kept in the same relation, they can lie anywhere.
copy_server() {
    local pg_config=$1 server=$2 bin lib share prefix source
    bin=$("$pg_config" --bindir)
    # The system's packages may have been upgraded since.
    if cmp --silent "$bin/postgres" "$server/bin/postgres"; then return; fi
    lib=$("$pg_config" --pkglibdir)
    share=$("$pg_config" --sharedir)
    prefix=$(common_prefix "$bin" "$lib" "$share")
    rm -rf "$server.new"
    for source in "$bin" "$lib" "$share"; do
        mkdir -p "$server.new${source#"$prefix"}"
        cp -a "$source/." "$server.new${source#"$prefix"}/"
        stage postgres-copying
    done
    [[ -e $server.new/bin ]] || ln -s "${bin#"$prefix/"}" "$server.new/bin"
    rm -rf "$server"
    mv "$server.new" "$server"
}

# common_prefix <path…>: the longest folder that holds all of them.
common_prefix() {
    local prefix=$1 path
    for path in "$@"; do
        while [[ $path/ != "$prefix"/* ]]; do prefix=${prefix%/*}; done
    done
    echo "$prefix"
}

make_cluster() {
    local server=$1 dir=$2
    [[ ! -e $dir/data ]] || return 0
    rm -rf "$dir/data.new"
    if [[ ! -s $dir/password ]]; then
        (umask 077 && od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$dir/password.new")
        mv "$dir/password.new" "$dir/password"
    fi
    own "$dir/data.new"
    if ((EUID == 0)); then chown postgres: "$dir/password"; fi
    as_account "$server/bin/initdb" --pgdata="$dir/data.new" --username="$POSTGRES_USER" --auth=scram-sha-256 \
        --pwfile="$dir/password" --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 \
        || die "initdb failed:" "$(tail -n 20 "$dir/initdb.log")"
    stage postgres-initialising
    as_account "$server/bin/initdb" --pgdata="$dir/data.new" --sync-only >>"$dir/initdb.log" 2>&1
    mv "$dir/data.new" "$dir/data"
}

# A copy with the primary's password and options that follows it; from `start` on it is a cluster like any other.
make_replica() {
    local server=$1 dir=$2 primary=$3
    mkdir -p "$dir"
    cp -p "$primary/password" "$primary/options" "$dir/"
    own "$dir/data.new"
    # The password goes into the connection that the replica keeps to the primary.
    PGPASSWORD=$(cat "$primary/password") as_account "$server/bin/pg_basebackup" --pgdata="$dir/data.new" --write-recovery-conf \
        --checkpoint=fast --no-sync --host=127.0.0.1 --port="$(cat "$primary/port")" --username="$POSTGRES_USER" >"$dir/basebackup.log" 2>&1 \
        || die "pg_basebackup failed:" "$(tail -n 20 "$dir/basebackup.log")"
    chmod 0700 "$dir/data.new"
    mv "$dir/data.new" "$dir/data"
}

start_cluster() {
    local server=$1 dir=$2 try
    shift 2
    mkdir -p "$dir"
    make_cluster "$server" "$dir"
    stage postgres-initialised
    (($# == 0)) || printf '%s\n' "$@" >"$dir/options"
    # A server that is still on its way up (or down) counts as running: wait for it before judging.
    if daemon_pid "$dir" >/dev/null && wait_until 60 answers_or_ended "$server" "$dir" && answers "$server" "$dir"; then
        url "$dir"
        return
    fi
    rotate "$dir/log"
    for try in 1 2 3 4 5; do
        [[ -s $dir/port && $try -eq 1 ]] || { free_port >"$dir/port.new" && mv "$dir/port.new" "$dir/port"; }
        launch "$server" "$dir"
        stage postgres-launched
        if wait_until 120 answers_or_ended "$server" "$dir" && answers "$server" "$dir"; then
            url "$dir"
            return
        fi
        # Another program may have taken the port between two starts: then another port; anything else is an error.
        tail -n 20 "$dir/log" | grep -q 'could not bind\|Address already in use' || break
    done
    die "PostgreSQL did not start; the end of $dir/log:" "$(tail -n 20 "$dir/log")"
}

launch() {
    local server=$1 dir=$2 option
    local options=(-D "$dir/data" -p "$(cat "$dir/port")" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c logging_collector=off)
    if [[ -f $dir/options ]]; then
        while IFS= read -r option; do options+=(-c "$option"); done <"$dir/options"
    fi
    if ((EUID == 0)); then
        start_daemon "$dir" "$dir/log" setpriv --reuid=postgres --regid=postgres --init-groups -- "$server/bin/postgres" "${options[@]}"
    else
        start_daemon "$dir" "$dir/log" "$server/bin/postgres" "${options[@]}"
    fi
}

answers() {
    "$1/bin/pg_isready" --quiet --host=127.0.0.1 --port="$(cat "$2/port")" && daemon_pid "$2" >/dev/null
}

answers_or_ended() { answers "$1" "$2" || ! daemon_pid "$2" >/dev/null; }

url() {
    local dir=$1 database=${2:-postgres}
    echo "postgresql://$POSTGRES_USER:$(cat "$dir/password")@127.0.0.1:$(cat "$dir/port")/$database"
}

stop_cluster() {
    local dir=$1 mode=${2:-fast}
    case $mode in
    fast) stop_daemon "$dir" INT 60 ;;
    immediate) stop_daemon "$dir" QUIT 30 ;;
    *) die "stop: fast or immediate, not $mode" ;;
    esac
}

case ${1:-} in
copy) copy_server "$2" "$3" ;;
start) start_cluster "${@:2}" ;;
replica)
    make_replica "$2" "$3" "$4"
    start_cluster "$2" "$3"
    ;;
stop) stop_cluster "${@:2}" ;;
url) url "${@:2}" ;;
*) die "usage: postgres.sh copy|start|replica|stop|url …" ;;
esac
