# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the scripts that source this one
# Debian's packages: what is missing is installed, what is there is left as it is.

# What the builds and the servers need.
readonly PACKAGES=(
    "postgresql-$POSTGRES_MAJOR" "postgresql-server-dev-$POSTGRES_MAJOR" openjdk-17-jre-headless maven
    libclang-dev gcc g++ make pkg-config libssl-dev zlib1g-dev curl kcat openssl ca-certificates perl
)
# What the tests need beside them: the server of another major version comes as a Python package; scripts are linted; pages are
# looked at in a browser; the libraries are pgbouncer's.
readonly TEST_PACKAGES=(python3 python3-pip unzip shellcheck chromium libc-ares2 libevent-2.1-7)

# Debian's own mark on the line that keeps a new server package from making and starting a cluster.
readonly NO_CLUSTER='create_main_cluster = false # set by pg_lifestream while it installs the server package'
readonly CREATECLUSTER=/etc/postgresql-common/createcluster.conf

# install_packages <package…>
install_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        echo "   all there"
    else
        command -v apt-get >/dev/null || die "these packages are missing, and this is no Debian: ${missing[*]}"
        echo "   missing, installed now (about a minute): ${missing[*]}"
        may_install "${missing[@]}"
        as_root dpkg --configure -a
        as_root apt-get update --quiet=2 || say "   the package lists could not be renewed; trying with those that are there"
        install_missing "${missing[@]}"
    fi
    allow_clusters
    command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
    command -v cargo >/dev/null \
        || die "the Rust toolchain is missing: there is no cargo on the PATH" "Install it from https://rustup.rs, open a new shell and run this again."
}

missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# A plain user needs sudo; asked for a password only where somebody can type one.
may_install() {
    ((EUID == 0)) && return
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [[ -t 0 ]] && sudo -v; }; }; then return; fi
    die "packages are missing, and $(id -un) may not install them. Ask whoever administers this machine to run" \
        "" "    apt-get install --no-install-recommends $*" ""
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

install_missing() {
    if [[ " $* " == *" postgresql-$POSTGRES_MAJOR "* ]]; then
        # Only the common part first, which makes no cluster but brings the file that says whether one is made.
        apt_install postgresql-common
        stage packages-common
        as_root sh -c "grep -qF '$NO_CLUSTER' $CREATECLUSTER 2>/dev/null || echo '$NO_CLUSTER' >>$CREATECLUSTER"
        stage packages-no-cluster
    fi
    apt_install "$@"
}

# The line goes as soon as the packages are there (also when a run before this one was cut off): later packages do as the owner set up.
allow_clusters() {
    if grep -qF "$NO_CLUSTER" "$CREATECLUSTER" 2>/dev/null; then
        as_root sed -i "/set by pg_lifestream/d" "$CREATECLUSTER"
    fi
}

# apt and dpkg say hundreds of lines: shown only when something goes wrong.
apt_install() {
    local log
    log=$(mktemp)
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get install --yes --quiet=2 --no-install-recommends --no-upgrade \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 \
        || die "apt-get could not install $*:" "$(tail -n 30 "$log")"
    rm -f "$log"
}
