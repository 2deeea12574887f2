#!/usr/bin/env bash
# make chaos: every row of the fault suite, then all faults at once for CHAOS_MINUTES (30); CHAOS_SEED runs the same again.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/packages.sh"
source "$here/build.sh"

export CHAOS_MINUTES=${CHAOS_MINUTES:-30} CHAOS_SEED=${CHAOS_SEED:-$RANDOM$RANDOM}
for name in CHAOS_MINUTES CHAOS_SEED; do
    [[ ${!name} =~ ^[0-9]+$ ]] || die "$name=${!name}: a whole number"
done
((CHAOS_MINUTES >= 2)) || die "CHAOS_MINUTES=$CHAOS_MINUTES: 2 at least"

step "Debian packages"
install_packages "${PACKAGES[@]}" "${TEST_PACKAGES[@]}"
step_done

export CARGO_TARGET_DIR=$target
export PGRX_PG_CONFIG_PATH=$SYSTEM_PG_CONFIG
cd "$checkout"

step "Building"
# All tests, so that nothing is built with other features than by `make test`.
cargo test --locked --workspace --exclude pg_lifestream --no-run
"$here/test-servers.sh" postgres 15
"$here/test-servers.sh" kafka
"$here/test-servers.sh" pgbouncer
export STACK_READY=1
step_done

tests=(cargo test --locked --workspace --exclude pg_lifestream)
faults=("${tests[@]}" --test faults --)
step "Each fault by itself (CHAOS_SEED=$CHAOS_SEED)"
"${faults[@]}" --show-output
step_done

step "Two thousand links while router and agents are killed (CHAOS_SEED=$CHAOS_SEED)"
"${tests[@]}" --test links_under_kills -- --show-output
step_done

step "All faults at once, $CHAOS_MINUTES minutes (CHAOS_SEED=$CHAOS_SEED)"
"${faults[@]}" --ignored --nocapture chaos::
step_done
