#!/usr/bin/env bash
# One private Apache Kafka: its jars from Maven Central, and brokers that run from them on loopback ports of their own.
#
#   kafka.sh jars  <libs>                           fetches the jars, unless they are there
#   kafka.sh start <libs> <dir> [name=value…]       formats the storage if there is none, starts it unless it runs, prints host:port
#                                                   (ports and cluster.id are chosen, unless they are noted in <dir> already)
#   kafka.sh stop  <dir> [term|kill]
#   kafka.sh brokers <dir>
#
# <dir> holds data/, port, server.properties, pid and log. The pairs are properties of the broker; they are kept for later
# starts. `tls=on` is ours: it adds a listener with TLS (port noted in port.tls, its authority's certificate in tls/ca.pem).

source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
source "$here/stage.sh"
source "$here/place.sh"
source "$here/daemon.sh"

jars() {
    local libs=$1
    [[ ! -e $libs ]] || return 0
    mkdir -p "$(dirname "$libs")"
    rm -rf "$libs.new"
    stage kafka-fetching
    mvn --batch-mode --quiet --file "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$libs.new" >"$libs.log" 2>&1 \
        || die "Maven could not fetch Apache Kafka $KAFKA_VERSION; is Maven Central in reach? The end of $libs.log:" "$(tail -n 20 "$libs.log")"
    stage kafka-fetched
    chmod -R a+rX "$libs.new"
    mv "$libs.new" "$libs"
}

# Debian's Java 17 where it is; else whatever `java` is on the PATH.
java_program() {
    local candidate
    for candidate in /usr/lib/jvm/java-17-openjdk-*/bin/java; do
        [[ ! -x $candidate ]] || { echo "$candidate"; return; }
    done
    command -v java || die "no Java found"
}

format_storage() {
    local libs=$1 dir=$2
    [[ ! -e $dir/data ]] || return 0
    rm -rf "$dir/data.new"
    own "$dir/data.new"
    write_properties "$dir" "$dir/data.new" >"$dir/format.properties"
    as_account "$(java_program)" -Xshare:auto -XX:TieredStopAtLevel=1 -cp "$libs/*" kafka.tools.StorageTool format \
        --cluster-id "$(cluster_id "$dir")" --config "$dir/format.properties" >"$dir/format.log" 2>&1 \
        || die "Kafka's storage could not be formatted:" "$(tail -n 20 "$dir/format.log")"
    stage kafka-formatting
    mv "$dir/data.new" "$dir/data"
}

# 16 random octets in URL-safe base64, as Kafka writes them; none may start with a dash. The nodes of one cluster have it noted.
cluster_id() {
    if [[ -s $1/cluster.id ]]; then
        cat "$1/cluster.id"
    else
        head -c 16 /dev/urandom | base64 | tr '+/' 'Ab' | tr -d '='
    fi
}

choose_ports() {
    local dir=$1 name
    for name in port port.controller port.tls; do
        free_port >"$dir/$name.new"
        mv "$dir/$name.new" "$dir/$name"
    done
}

write_properties() {
    local dir=$1 data=$2 listeners
    listeners=PLAINTEXT://127.0.0.1:$(cat "$dir/port")
    [[ ! -d $dir/tls ]] || listeners+=,SSL://127.0.0.1:$(cat "$dir/port.tls")
    sed -e "s|@LISTENERS@|$listeners|g" -e "s|@CONTROLLER_PORT@|$(cat "$dir/port.controller")|g" -e "s|@DATA@|$data|g" "$here/server.properties"
    if [[ -d $dir/tls ]]; then
        printf '%s\n' ssl.keystore.type=PEM "ssl.keystore.location=$dir/tls/keystore.pem" \
            ssl.truststore.type=PEM "ssl.truststore.location=$dir/tls/ca.pem"
    fi
    [[ ! -f $dir/options ]] || cat "$dir/options"
}

# A throw-away authority and a certificate for 127.0.0.1 and localhost.
make_certificates() {
    local tls=$1
    [[ ! -d $tls ]] || return 0
    rm -rf "$tls.new"
    mkdir "$tls.new"
    (
        cd "$tls.new"
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=pg_lifestream test authority" -keyout ca.key -out ca.pem
        openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >server.ext
        openssl x509 -req -days 30 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile server.ext -out server.pem
        cat server.key server.pem ca.pem >keystore.pem
        chmod 644 keystore.pem
    ) >"$tls.log" 2>&1 || die "openssl failed:" "$(tail -n 5 "$tls.log")"
    mv "$tls.new" "$tls"
}

start_broker() {
    local libs=$1 dir=$2 try pair
    shift 2
    mkdir -p "$dir"
    for pair in "$@"; do
        [[ $pair != tls=on ]] || make_certificates "$dir/tls"
    done
    (($# == 0)) || { printf '%s\n' "$@" | grep -v '^tls=on$' >"$dir/options" || true; }
    [[ -s $dir/port && -s $dir/port.controller && -s $dir/port.tls ]] || choose_ports "$dir"
    format_storage "$libs" "$dir"
    stage kafka-formatted
    if daemon_pid "$dir" >/dev/null && wait_until 60 answers_or_ended "$dir" && answers "$dir"; then
        brokers "$dir"
        return
    fi
    rotate "$dir/log"
    for try in 1 2 3 4 5; do
        ((try == 1)) || choose_ports "$dir"
        write_properties "$dir" "$dir/data" >"$dir/server.properties.new"
        mv "$dir/server.properties.new" "$dir/server.properties"
        launch "$libs" "$dir"
        stage kafka-launched
        if wait_until 90 answers_or_ended "$dir" && answers "$dir"; then
            brokers "$dir"
            return
        fi
        # Another program may have taken a port between two starts: then other ports; anything else is an error.
        tail -n 40 "$dir/log" | grep -q 'Address already in use' || break
    done
    die "Kafka did not start; the end of $dir/log:" "$(tail -n 20 "$dir/log")"
}

launch() {
    local libs=$1 dir=$2 command
    command=("$(java_program)" -Xms64m -Xmx512m -Xshare:auto
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"
        -cp "$libs/*" kafka.Kafka "$dir/server.properties")
    if ((EUID == 0)); then
        start_daemon "$dir" "$dir/log" setpriv --reuid=postgres --regid=postgres --init-groups -- "${command[@]}"
    else
        start_daemon "$dir" "$dir/log" "${command[@]}"
    fi
}

answers() {
    daemon_pid "$1" >/dev/null && kcat -b "$(brokers "$1")" -L -m 5 >/dev/null 2>&1
}

answers_or_ended() { answers "$1" || ! daemon_pid "$1" >/dev/null; }

brokers() { echo "127.0.0.1:$(cat "$1/port")"; }

stop_broker() {
    case ${2:-term} in
    term) stop_daemon "$1" TERM 30 ;;
    kill) stop_daemon "$1" KILL 10 ;;
    *) die "stop: term or kill, not $2" ;;
    esac
}

case ${1:-} in
jars) jars "$2" ;;
start) start_broker "${@:2}" ;;
stop) stop_broker "${@:2}" ;;
brokers) brokers "$2" ;;
*) die "usage: kafka.sh jars|start|stop|brokers …" ;;
esac
