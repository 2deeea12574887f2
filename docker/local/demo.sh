# shellcheck shell=bash
# shellcheck disable=SC2154  # checkout is set by settings.sh, program by stack.sh
# The demonstration: links, imported from a browser's bookmarks and saved in SQL, become entries of a feed.

demonstrate() {
    import_bookmarks
    save_in_sql
    # Whether it is over, the database knows: its links may be gone, with a cluster that was made anew.
    [[ $(unsettled) == 0 ]] || hurry
    start_program
    stage program-started
    echo "   lifestream up runs; its log: $program/log"
    stage demo-waiting
    await_links
    stage demo-settled
    calm_down
    show_links
    show_counts
}

# While its links are on their way, what fails is tried again sooner than anybody's own links should be. However this
# ends, what runs on has the usual settings.
hurry() {
    hurried=yes
    trap calm_down EXIT
}

calm_down() {
    trap - EXIT
    [[ -n ${hurried:-} ]] || return 0
    hurried=
    start_program
}

# What is there already, it skips: the rest of an import that was cut off, or all that another port of the web site makes
# other links of, is saved.
import_bookmarks() {
    with_port "$checkout/demo/bookmarks.html" >"$program/bookmarks.html"
    stage demo-importing
    lifestream import "$program/bookmarks.html" >"$program/import.log" 2>&1 \
        || die "lifestream import failed:" "$(tail -n 20 "$program/import.log")"
    stage demo-imported
    echo "   lifestream import bookmarks.html: $(tail -n 1 "$program/import.log")"
}

save_in_sql() {
    with_port "$checkout/demo/save.sql" >"$program/save.sql"
    sed 's/^/   | /' "$program/save.sql"
    psql_here "$POSTGRES_DATABASE" -f "$program/save.sql" >"$program/save.log"
    stage demo-saving
}

unsettled() { demo_sql "SELECT count(*) FROM demo WHERE NOT settled"; }

# with_port <file>: the file, its links on the port that the web site really has.
with_port() { sed "s/\.demo\.localhost:$SITE_PORT/.demo.localhost:$(site_port)/g" "$1"; }

# Waits until nothing is on its way any more; says every few seconds how far it is.
await_links() {
    local deadline=$((SECONDS + 180)) said=-100 last='' all=0 published=0 unfetchable=0 dead=0 waiting='?'
    until
        IFS='|' read -r all published unfetchable dead waiting < <(demo_sql "
            SELECT count(*), count(*) FILTER (WHERE status = 'published'), count(*) FILTER (WHERE status = 'unfetchable'),
                   count(*) FILTER (WHERE dead), count(*) FILTER (WHERE NOT settled) FROM demo")
        [[ $waiting == 0 ]]
    do
        if [[ $published/$unfetchable/$dead/$waiting != "$last" ]] && ((SECONDS - said >= 2)); then
            echo "   $all links: $published published, $unfetchable unfetchable, $dead dead-lettered, $waiting on their way"
            last=$published/$unfetchable/$dead/$waiting said=$SECONDS
        fi
        daemon_pid "$program" >/dev/null || die "lifestream has ended; the end of $program/log:" "$(tail -n 20 "$program/log")"
        ((SECONDS < deadline)) || die "$waiting links are still on their way after 3 minutes:" \
            "$(demo_sql "SELECT status, url FROM demo WHERE NOT settled LIMIT 10")" \
            "The end of $program/log:" "$(tail -n 20 "$program/log")"
        sleep 0.3
    done
}

# demo_sql <query>: over `demo`, the links of the demonstration: how far each is, and whether that is where it stays.
demo_sql() {
    psql_here "$POSTGRES_DATABASE" -At -c "
        WITH added AS (
            SELECT DISTINCT subject_id FROM lifestream.events
            WHERE event_type = 'link.added' AND payload ->> 'url' LIKE 'http://%.demo.localhost:$(site_port)/%'
        ), demo AS (
            SELECT added.subject_id, l.url, l.title, l.status, d.dead AND l.status NOT IN ('published', 'unfetchable') AS dead,
                   coalesce(d.dead OR l.status IN ('published', 'unfetchable', 'removed'), false) AS settled
            FROM added LEFT JOIN lifestream.links l USING (subject_id)
            CROSS JOIN LATERAL (SELECT EXISTS (
                SELECT FROM lifestream.dead_letters d WHERE d.subject_id = added.subject_id AND d.status <> 'retried') AS dead) d
        ) $1"
}

show_links() {
    psql_here "$POSTGRES_DATABASE" --pset=footer=off --pset=null=- -c "
        SELECT left(l.title, 42) AS title, l.status, left(m.summary, 60) || '…' AS summary
        FROM lifestream.links l JOIN lifestream.link_metadata m USING (subject_id)
        WHERE l.status = 'published' ORDER BY length(m.summary) DESC, l.url LIMIT 5"
    demo_sql "
        SELECT '   unfetchable    ' || left(demo.title, 40) || ': ' || left(c.fetch_error, 140)
        FROM demo JOIN lifestream.link_content c USING (subject_id) WHERE demo.status = 'unfetchable' ORDER BY 1"
    demo_sql "
        SELECT '   dead-lettered  ' || left(demo.title, 40) || ': ' || d.work_type || ', attempt ' || d.attempt || ', ' || left(d.error, 90)
        FROM demo JOIN lifestream.dead_letters d USING (subject_id) WHERE demo.dead AND d.status <> 'retried' ORDER BY 1"
}

show_counts() {
    echo
    demo_sql "
        SELECT format(E'   links %s: fetched %s, enriched %s, published %s, unfetchable %s, retried %s, dead-lettered %s',
            count(*),
            count(*) FILTER (WHERE EXISTS (SELECT FROM lifestream.link_content c WHERE c.subject_id = demo.subject_id AND c.fetched_at IS NOT NULL)),
            count(*) FILTER (WHERE EXISTS (SELECT FROM lifestream.link_metadata m WHERE m.subject_id = demo.subject_id)),
            count(*) FILTER (WHERE status = 'published'), count(*) FILTER (WHERE status = 'unfetchable'),
            (SELECT count(*) FROM lifestream.events e JOIN demo USING (subject_id)
             WHERE e.event_type = 'work.failed' AND NOT EXISTS (
                SELECT FROM lifestream.dead_letters d WHERE d.work_id::text = e.payload #>> '{work_message,id}')),
            count(*) FILTER (WHERE dead))
        FROM demo"
}
