# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the scripts that source this one
# What every script here starts from: strict mode, where this clone stands, the versions, a clean environment.

set -euo pipefail
umask 022

# A caller's own servers are never looked at: neither by us nor by anything we start.
for name in DATABASE_URL DATABASE_URL_FILE CLASSPATH "${!PG@}" "${!KAFKA_@}" "${!LIFESTREAM_@}"; do
    unset "$name"
done

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
here=$checkout/docker/local

# Debian 12's server; the extension is built for it.
readonly POSTGRES_MAJOR=15
readonly SYSTEM_PG_CONFIG=/usr/lib/postgresql/$POSTGRES_MAJOR/bin/pg_config
readonly KAFKA_VERSION=4.1.1
# Where the demonstration's links point to; another port is taken where this one is in use.
readonly SITE_PORT=8808
# Superuser of the private cluster (named unlike the schema, which "$user" would put first), and the database in it.
readonly POSTGRES_USER=postgres
readonly POSTGRES_DATABASE=lifestream

export LC_ALL=C.UTF-8

target=${CARGO_TARGET_DIR:-$checkout/target}
[[ $target == /* ]] || target=$checkout/$target

say() { printf '%s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '%s\n' "$@" >&2
    exit 1
}

# librdkafka's own build takes no blanks in its path, and Kafka's and make's files take none of the others.
if [[ $checkout$target == *[[:space:]\'\"\$\\\;\&\#,*?\|\<\>]* ]]; then
    die "the path of this clone has a character that the builds in it cannot take: $checkout" \
        "Move it to a path without blanks, quotes and the like, and run this again."
fi
