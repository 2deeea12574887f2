#!/usr/bin/env bash
# make test: every check and test, on throw-away servers that are gone afterwards.

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/packages.sh"
source "$here/build.sh"

step "Debian packages"
install_packages "${PACKAGES[@]}" "${TEST_PACKAGES[@]}"
for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component" \
        || die "cargo's $component is missing: rustup component add $component"
done
step_done

export CARGO_TARGET_DIR=$target
export PGRX_PG_CONFIG_PATH=$SYSTEM_PG_CONFIG
cd "$checkout"

step "Formatting and lints"
shellcheck docker/local/*.sh docker/initdb/*.sh .ci/run
cargo fmt --all --check
cargo clippy --locked --workspace --all-targets -- -D warnings
step_done

step "Building the program, and the extension for PostgreSQL 15 and 16"
# The program comes along, built once with the same features as its tests.
cargo test --locked --workspace --exclude pg_lifestream --no-run
for major in 15 16; do "$here/test-servers.sh" postgres "$major"; done
"$here/test-servers.sh" kafka
"$here/test-servers.sh" pgbouncer
"$here/test-servers.sh" python
step_done

step "Tests"
# What has just been built need not be built again by each test program.
STACK_READY=1 cargo test --locked --workspace --exclude pg_lifestream
step_done
