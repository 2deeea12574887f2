#!/usr/bin/env bash
# make down: stops what `make up` started; the data stays.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"
source "$here/stack.sh"
source "$here/program.sh"

[[ -d $var ]] || { echo "nothing runs here"; exit 0; }
enter_stack
known_stack || { echo "nothing runs here"; exit 0; }
stop_program
"$here/kafka.sh" stop "$kafka" term
"$here/postgres.sh" stop "$postgres" fast
echo "lifestream, Kafka and PostgreSQL are stopped; their data stays in $state"
