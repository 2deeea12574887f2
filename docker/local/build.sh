# shellcheck shell=bash
# shellcheck disable=SC2154  # set by settings.sh
# cargo builds the programs and the extension; no cargo-pgrx is needed.

# build_program <release|dev>: the program, and the web site of the demonstration.
build_program() {
    cargo_build "$1" --package lifestream --package lifestream-demo
}

# build_extension <release|dev> <pg_config> [major]: the library is that of the major version built last.
build_extension() {
    local features=()
    [[ ${3:-$POSTGRES_MAJOR} == "$POSTGRES_MAJOR" ]] || features=(--no-default-features --features "pg$3")
    PGRX_PG_CONFIG_PATH=$2 cargo_build "$1" --package pg_lifestream "${features[@]}"
}

cargo_build() {
    local profile=$1
    shift
    (cd "$checkout" && CARGO_TARGET_DIR=$target cargo build --profile "$profile" "$@") >&2 || die "cargo build failed (see above)"
}
