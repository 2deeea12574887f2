# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # checkout is set by settings.sh; the folders are read by the scripts that source this one
# Where the personal set-up keeps its things, and the lock that lets one script at a time work on it.

# The folder of this clone: the lock, and a note of where the rest lies. A test puts it elsewhere.
var=${STACK_VAR:-$checkout/var}

# enter_stack: waits for its turn. The servers that are started do not inherit the lock.
enter_stack() {
    if ! { mkdir -p "$var" && : >>"$var/lock"; } 2>/dev/null; then
        die "cannot write in $var; does this clone belong to somebody else?"
    fi
    exec 9>"$var/lock"
    if ! flock --nonblock 9; then
        say "another make is at work in this clone; waiting for it"
        flock 9
    fi
}

# find_stack: the folders. Needs the servers' account, so only after the packages are there.
find_stack() {
    state=$(place "$var")
    printf '%s\n' "$state" >"$var/place.new"
    mv "$var/place.new" "$var/place"
    name_folders
}

# known_stack: the folders of a set-up that was begun before; else 1.
known_stack() {
    state=$(cat "$var/place" 2>/dev/null) && [[ -d $state ]] || return 1
    name_folders
}

name_folders() {
    server=$state/postgres/server
    postgres=$state/postgres
    kafka=$state/kafka
    libs=$state/kafka-$KAFKA_VERSION
    program=$state/lifestream
    site=$state/site
}
