#!/usr/bin/env bash
# make up: from a fresh clone to events that flow. Each step does only what is missing, so that a run that was cut off,
# at whatever point, is continued by the next one.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"
source "$here/packages.sh"
source "$here/build.sh"
source "$here/server.sh"
source "$here/stack.sh"
source "$here/program.sh"
source "$here/site.sh"
source "$here/demo.sh"

main() {
    local began
    began=$(now_ms)
    enter_stack

    step "1/7 Debian packages: server, Java, compilers"
    stage packages
    [[ -n ${STACK_LIBRARY:-} ]] || install_packages "${PACKAGES[@]}"
    find_stack
    step_done

    step "2/7 Building the programs and the extension (the first time 5 to 15 minutes: 400 crates and librdkafka, optimised)"
    stage building
    build_all
    step_done

    step "3/7 Apache Kafka $KAFKA_VERSION from Maven Central (54 MB, once)"
    "$here/kafka.sh" jars "$libs"
    step_done

    step "4/7 PostgreSQL $POSTGRES_MAJOR, a private cluster with the extension preloaded"
    start_postgres
    step_done

    step "5/7 Kafka, one broker in KRaft mode"
    mkdir -p "$kafka"
    echo "   listens on $("$here/kafka.sh" start "$libs" "$kafka")"
    stage kafka-started
    step_done

    step "6/7 Database, topics, and a web site to read from"
    make_database
    install_program "$binary"
    install_site "$site_binary"
    start_site
    stage site-started
    echo "   the web site: http://demo.localhost:$(site_port)/"
    lifestream init >"$program/init.log" 2>&1 || die "lifestream init failed:" "$(tail -n 20 "$program/init.log")"
    stage topics-made
    step_done

    step "7/7 Demonstration: lifestream, in the background, makes a feed of links from a browser's bookmarks and from SQL"
    demonstrate
    step_done

    next_steps $((($(now_ms) - began) / 1000))
}

# The tests bring built files, so that they need not build for each of their kills.
build_all() {
    library=${STACK_LIBRARY:-$target/release/libpg_lifestream.so}
    binary=${STACK_PROGRAM:-$target/release/lifestream}
    site_binary=${STACK_SITE:-$target/release/lifestream-demo}
    if [[ -z ${STACK_LIBRARY:-} ]]; then
        build_program release
        stage building-extension
        build_extension release "$SYSTEM_PG_CONFIG"
    fi
    stage built
}

start_postgres() {
    mkdir -p "$postgres"
    # What is upgraded below it must not run meanwhile, and gets the extension anew.
    if [[ -e $server ]] && ! cmp --silent "$server/bin/postgres" "$("$SYSTEM_PG_CONFIG" --bindir)/postgres"; then
        "$here/postgres.sh" stop "$postgres" fast
        rm -f "$postgres/library"
    fi
    "$here/postgres.sh" copy "$SYSTEM_PG_CONFIG" "$server"
    stage postgres-copied
    # A running server keeps the old library in memory: it is started anew with the new one.
    if ! cmp --silent "$library" "$postgres/library"; then
        "$here/postgres.sh" stop "$postgres" fast
        install_extension "$server" "$library" >"$postgres/install.log"
        stage extension-installing
        cp "$library" "$postgres/library.new"
        mv "$postgres/library.new" "$postgres/library"
    fi
    "$here/postgres.sh" start "$server" "$postgres" shared_preload_libraries=pg_lifestream >/dev/null
    stage postgres-started
    echo "   listens on 127.0.0.1:$(cat "$postgres/port")"
}

make_database() {
    if [[ -z $(psql_here postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$POSTGRES_DATABASE'") ]]; then
        psql_here postgres -c "CREATE DATABASE $POSTGRES_DATABASE"
    fi
    stage database-made
    psql_here "$POSTGRES_DATABASE" -c "SET client_min_messages = warning" \
        -c "CREATE EXTENSION IF NOT EXISTS pg_lifestream" -c "ALTER EXTENSION pg_lifestream UPDATE"
    stage extension-made
}

next_steps() {
    cat <<TEXT

Up after $1 s. PostgreSQL and Kafka run on ports of their own; \`make down\` stops them, \`make clean\` removes everything.

    $(site_url)   what was published; its feeds are $(site_url)feed.atom and feed.json,
                               the files lie in $program/feed
    http://demo.localhost:$(site_port)/   the sites that it was read from

Next, in this folder:

    eval "\$(make -s env)"       # DATABASE_URL, KAFKA_BROKERS, GATEWAY_URL, SITE_URL, …; lifestream and psql on the PATH
    psql "\$DATABASE_URL" -c "SELECT title, url, status FROM lifestream.links ORDER BY added_at DESC LIMIT 5"
    psql "\$DATABASE_URL" -c "SELECT title, fetch_error FROM lifestream.link_content JOIN lifestream.links USING (subject_id) WHERE status = 'unfetchable'"
    psql "\$DATABASE_URL" -c "SELECT work_type, attempt, error, attempts FROM lifestream.dead_letters"
    lifestream dlq list           # then: lifestream dlq retry <id>
    curl "\$GATEWAY_URL/links" -H "Authorization: Bearer \$GATEWAY_TOKEN" -H 'Content-Type: application/json' \\
         -d '{"url": "http://wiki.demo.localhost:$(site_port)/Rainwater_harvesting", "note": "for the shed"}'
    kcat -b "\$KAFKA_BROKERS" -C -t events.raw -o -1 -e -f '%k %h\n%s\n'
TEXT
}

main
