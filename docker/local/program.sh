# shellcheck shell=bash
# shellcheck disable=SC2154  # the folders are set by stack.sh
# The program `lifestream`: its installed copy, its settings, and `lifestream up` in the background.

# lifestream <arguments…>: runs it with the settings of this set-up, in its folder, where the settings file is ours.
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

# configure_program: the settings of `lifestream up` beside its servers, in the file that it reads from its folder. One that
# runs with others is stopped.
configure_program() {
    if [[ ! -s $program/tokens ]]; then
        (umask 077 && printf 'me:%s\n' "$(od -An -tx1 -N16 /dev/urandom | tr -d ' \n')" >"$program/tokens.new")
        mv "$program/tokens.new" "$program/tokens"
    fi
    [[ -s $program/gateway.port ]] || choose_gateway_port
    settings_file >"$program/lifestream.toml.new"
    if ! cmp --silent "$program/lifestream.toml.new" "$program/lifestream.toml"; then
        stop_program
        stage program-configuring
    fi
    mv "$program/lifestream.toml.new" "$program/lifestream.toml"
}

settings_file() {
    cat <<TOML
# Written by \`make up\`, each time. For settings of your own run \`lifestream\` yourself.
lifestream_feed_dir = '$program/feed'
lifestream_feed_url = '$(site_url)'
lifestream_gateway_listen = '127.0.0.1:$(cat "$program/gateway.port")'
lifestream_gateway_tokens_file = '$program/tokens'
# The demonstration's own web site, on this machine: without this line no private address is ever fetched.
lifestream_fetch_allow = '*.demo.localhost:$(site_port)'
TOML
    [[ -n ${hurried:-} ]] || return 0
    cat <<'TOML'
# As long as the demonstration runs, so that it takes seconds where it should take minutes: what fails is tried again after
# 2 s and 4 s, not after 10 s and 60 s.
lifestream_retry_base = '2s'
lifestream_retry_factor = 2
TOML
}

choose_gateway_port() {
    free_port >"$program/gateway.port.new"
    mv "$program/gateway.port.new" "$program/gateway.port"
}

gateway_url() { echo "http://127.0.0.1:$(cat "$program/gateway.port")"; }

gateway_token() { cut -d : -f 2 "$program/tokens"; }

start_program() {
    local try
    for try in 1 2 3 4 5; do
        ((try == 1)) || choose_gateway_port
        configure_program
        launch_program
        stage program-launched
        # It takes links over HTTP only when it has its servers.
        if wait_until 60 program_answers_or_ended && program_answers; then return; fi
        # Another program may have taken the gateway's port: then another port; anything else is an error.
        tail -n 20 "$program/log" | grep -q 'Address already in use' || break
    done
    die "lifestream did not start; the end of $program/log:" "$(tail -n 20 "$program/log")"
}

launch_program() {
    if daemon_pid "$program" >/dev/null; then return; fi
    rotate "$program/log"
    (
        DATABASE_URL=$(database_url)
        KAFKA_BROKERS=$("$here/kafka.sh" brokers "$kafka")
        export DATABASE_URL KAFKA_BROKERS
        start_daemon "$program" "$program/log" "$program/bin/lifestream" up
    )
}

program_answers() {
    daemon_pid "$program" >/dev/null \
        && curl --silent --fail --output /dev/null --noproxy '*' --max-time 5 "$(gateway_url)/livez"
}

program_answers_or_ended() { program_answers || ! daemon_pid "$program" >/dev/null; }

# stop_program: it drains on SIGTERM.
stop_program() { stop_daemon "$program" TERM 30; }
