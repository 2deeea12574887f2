# shellcheck shell=bash
# shellcheck disable=SC2154  # checkout is set by settings.sh, program by stack.sh
# The demonstration: the links of demo/bookmarks.html, imported as a user would, and shown as rows.

demonstrate() {
    if [[ ! -e $program/imported ]]; then
        stage demo-importing
        # What an import that was cut off has brought already is skipped.
        lifestream import "$checkout/demo/bookmarks.html" >"$program/import.log" 2>&1 \
            || die "lifestream import failed:" "$(tail -n 20 "$program/import.log")"
        stage demo-imported
        touch "$program/imported"
    fi
    if ! { wait_until 60 links_arrived_or_ended && links_arrived; }; then
        die "the imported links did not arrive in lifestream.links within a minute; the end of $program/log:" \
            "$(tail -n 20 "$program/log")"
    fi
    show_links
}

# Every link that was ever added has its row.
links_arrived() {
    [[ $(psql_here "$POSTGRES_DATABASE" -Atc "
        SELECT count(*) > 0 AND bool_and(EXISTS (SELECT FROM lifestream.links l WHERE l.subject_id = e.subject_id))
        FROM lifestream.events e WHERE e.event_type = 'link.added'") == t ]]
}

links_arrived_or_ended() { links_arrived || ! daemon_pid "$program" >/dev/null; }

show_links() {
    psql_here "$POSTGRES_DATABASE" --pset=footer=off --pset=null=- -c "
        SELECT left(l.title, 42) AS title, left(l.url, 58) AS url, l.status, l.added_at::date AS added
        FROM lifestream.links l ORDER BY l.added_at DESC LIMIT 8"
    echo "   $(psql_here "$POSTGRES_DATABASE" -Atc 'SELECT count(*) FROM lifestream.links') links are in lifestream.links"
}
