# shellcheck shell=bash
# Who runs the servers, and where their files lie.
# initdb refuses root, so root lends the servers to Debian's account `postgres`; anybody else runs them as himself.

account() {
    if ((EUID == 0)); then echo postgres; else id -un; fi
}

# as_account <command…>: runs it as the servers' account, from / (the caller's folder may be closed to it).
as_account() {
    if ((EUID == 0)); then
        (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
    else
        (cd / && exec "$@")
    fi
}

# place <folder>: prints the folder, made, if the servers' account can reach it; else one below /var/tmp, named for it.
# No folder of the user's is ever opened wider for this.
place() {
    local wanted=$1 other
    mkdir -p "$wanted" || die "cannot make $wanted; does this clone belong to somebody else?"
    if as_account test -x "$wanted" 2>/dev/null; then
        echo "$wanted"
        return
    fi
    other=$(other_place "$wanted")
    mkdir -p "$other"
    [[ -O $other && ! -L $other ]] || die "$other belongs to somebody else; remove it and run this again"
    echo "$other"
}

# other_place <folder>: where `place` turns to.
other_place() {
    local hash
    hash=$(printf '%s' "$1" | sha256sum)
    echo "/var/tmp/pg_lifestream-${hash:0:12}"
}

# own <folder>: makes it, for the servers' account alone to write.
own() {
    mkdir -p "$1"
    if ((EUID == 0)); then chown postgres:postgres "$1"; fi
}
