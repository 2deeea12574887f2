#!/usr/bin/env bash
# make down: stops what `make up` started; the data stays.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"
source "$here/stack.sh"
source "$here/program.sh"
source "$here/site.sh"

[[ -d $var ]] || { echo "nothing runs here"; exit 0; }
enter_stack
known_stack || { echo "nothing runs here"; exit 0; }
stop_program
stop_site
"$here/kafka.sh" stop "$kafka" term
"$here/postgres.sh" stop "$postgres" fast
echo "lifestream, the demonstration's web site, Kafka and PostgreSQL are stopped; their data stays in $state"
