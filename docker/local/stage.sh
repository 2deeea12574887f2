# shellcheck shell=bash
# Steps that a person reads, with their times; and stages, the points at which the tests kill the set-up.

step_started=0

# step <text>: says what comes now.
step() {
    step_started=$(now_ms)
    printf '\n== %s\n' "$*"
}

# step_done: says how long the step took.
step_done() {
    local took=$(($(now_ms) - step_started))
    printf '   done in %d.%d s\n' $((took / 1000)) $((took % 1000 / 100))
}

now_ms() { date +%s%3N; }

# stage <name>: a point between two effects. STACK_STAGES names a file that collects the names;
# STACK_KILL_AT names the stage at which this whole process group dies as if the machine had been cut off.
stage() {
    [[ -z ${STACK_STAGES:-} ]] || printf '%s\n' "$1" >>"$STACK_STAGES"
    [[ ${STACK_KILL_AT:-} != "$1" ]] || kill -KILL 0
}

# wait_until <seconds> <command…>: runs the command every 50 ms until it succeeds; 1 if it never did.
wait_until() {
    local deadline=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        (($(now_ms) < deadline)) || return 1
        sleep 0.05
    done
}
