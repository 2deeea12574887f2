# shellcheck shell=bash
# shellcheck disable=SC2154  # the folders are set by stack.sh
# The program `lifestream`: its installed copy, its settings, and `lifestream up` in the background.

# lifestream <arguments…>: runs it with the settings of this set-up, in a folder where no settings file of anybody's lies.
lifestream() {
    (cd "$program" && DATABASE_URL=$(database_url) KAFKA_BROKERS=$("$here/kafka.sh" brokers "$kafka") exec "$program/bin/lifestream" "$@")
}

database_url() { "$here/postgres.sh" url "$postgres" "$POSTGRES_DATABASE"; }

# psql_here <database> <arguments…>
psql_here() {
    local database=$1
    shift
    # The password goes by the environment: anybody may read a command line.
    PGPASSWORD=$(cat "$postgres/password") PGAPPNAME="make" "$server/bin/psql" --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
        --host=127.0.0.1 --port="$(cat "$postgres/port")" --username="$POSTGRES_USER" --dbname="$database" "$@"
}

# install_program <binary>: the copy that runs; a build in the meantime leaves it alone.
install_program() {
    mkdir -p "$program/bin"
    if ! cmp --silent "$1" "$program/bin/lifestream"; then
        stop_program
        cp "$1" "$program/bin/lifestream.new"
        stage program-copying
        mv "$program/bin/lifestream.new" "$program/bin/lifestream"
    fi
}

start_program() {
    if daemon_pid "$program" >/dev/null; then return; fi
    rotate "$program/log"
    (
        DATABASE_URL=$(database_url)
        KAFKA_BROKERS=$("$here/kafka.sh" brokers "$kafka")
        export DATABASE_URL KAFKA_BROKERS
        start_daemon "$program" "$program/log" "$program/bin/lifestream" up
    )
}

# stop_program: it drains on SIGTERM.
stop_program() { stop_daemon "$program" TERM 30; }
