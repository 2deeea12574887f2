# shellcheck shell=bash
# shellcheck disable=SC2154  # the folders are set by stack.sh
# The web site of the demonstration: its installed copy, its port, and the server in the background. It serves the pages that
# the fetcher reads on *.demo.localhost, and what the publisher writes on 127.0.0.1.

site_port() { cat "$site/port"; }

# Where the published site is shown.
site_url() { echo "http://127.0.0.1:$(site_port)/"; }

# install_site <binary>: the copy that runs; a build in the meantime leaves it alone.
install_site() {
    mkdir -p "$site/bin"
    if ! cmp --silent "$1" "$site/bin/lifestream-demo"; then
        stop_site
        cp "$1" "$site/bin/lifestream-demo.new"
        stage site-copying
        mv "$site/bin/lifestream-demo.new" "$site/bin/lifestream-demo"
    fi
}

start_site() {
    local try
    if daemon_pid "$site" >/dev/null && wait_until 20 site_answers_or_ended && site_answers; then return; fi
    rotate "$site/log"
    for try in 1 2 3 4 5; do
        [[ -s $site/port && $try -eq 1 ]] || note_site_port "$try"
        start_daemon "$site" "$site/log" "$site/bin/lifestream-demo" --listen "127.0.0.1:$(site_port)" --published "$program/feed"
        stage site-launched
        if wait_until 20 site_answers_or_ended && site_answers; then return; fi
        # Another program may have taken the port: then another port; anything else is an error.
        tail -n 5 "$site/log" | grep -q 'Address already in use' || break
    done
    die "the demonstration's web site did not start; the end of $site/log:" "$(tail -n 20 "$site/log")"
}

# note_site_port <try>: the port that the bookmarks name, if it can be had.
note_site_port() {
    if (($1 == 1)); then echo "$SITE_PORT"; else free_port; fi >"$site/port.new"
    mv "$site/port.new" "$site/port"
}

site_answers() {
    daemon_pid "$site" >/dev/null \
        && curl --silent --fail --output /dev/null --noproxy '*' --max-time 5 --header 'Host: demo.localhost' "http://127.0.0.1:$(site_port)/"
}

site_answers_or_ended() { site_answers || ! daemon_pid "$site" >/dev/null; }

stop_site() { stop_daemon "$site" TERM 10; }
