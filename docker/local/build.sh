# shellcheck shell=bash
# shellcheck disable=SC2154  # set by settings.sh
# cargo builds the program and the extension; no cargo-pgrx is needed.

# build_program <release|dev>
build_program() {
    cargo_build "$1" "$target" --package lifestream
}

# build_extension <release|dev> <pg_config> <target folder> [major]: the library lies in <target folder>/<release|debug>/.
build_extension() {
    local features=()
    [[ ${4:-$POSTGRES_MAJOR} == "$POSTGRES_MAJOR" ]] || features=(--no-default-features --features "pg$4")
    PGRX_PG_CONFIG_PATH=$2 cargo_build "$1" "$3" --package pg_lifestream "${features[@]}"
}

cargo_build() {
    local profile=$1 dir=$2
    shift 2
    (cd "$checkout" && CARGO_TARGET_DIR=$dir cargo build --locked --profile "$profile" "$@") >&2 || die "cargo build failed (see above)"
}

# profile_folder <release|dev>: cargo's name of the folder for a profile.
profile_folder() {
    if [[ $1 == dev ]]; then echo debug; else echo "$1"; fi
}
