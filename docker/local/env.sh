#!/usr/bin/env bash
# make env: the settings of what runs, as a shell reads them. Nothing else goes to stdout.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"
source "$here/stack.sh"
source "$here/program.sh"
source "$here/site.sh"

if ! known_stack || ! daemon_pid "$postgres" >/dev/null || ! daemon_pid "$kafka" >/dev/null; then
    die "nothing runs here yet: \`make up\` starts it"
fi
printf 'export DATABASE_URL=%q\n' "$("$here/postgres.sh" url "$postgres" "$POSTGRES_DATABASE")"
printf 'export KAFKA_BROKERS=%q\n' "$("$here/kafka.sh" brokers "$kafka")"
printf 'export GATEWAY_URL=%q\n' "$(gateway_url)"
printf 'export GATEWAY_TOKEN=%q\n' "$(gateway_token)"
printf 'export SITE_URL=%q\n' "$(site_url)"
# shellcheck disable=SC2016  # the caller's shell expands its own PATH
printf 'export PATH=%q:%q:$PATH\n' "$program/bin" "$server/bin"
