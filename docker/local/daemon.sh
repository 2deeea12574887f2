# shellcheck shell=bash
# Background processes: started in a session of their own, found again by a pid that is checked against what runs there.

# start_daemon <folder> <log> <command…>: the pid is noted in <folder>/pid before the command begins.
# The command's arguments must name the folder: that is how a pid is known to be ours.
start_daemon() {
    local dir=$1 log=$2
    shift 2
    (
        cd "$dir" || exit
        echo "$BASHPID" >"$dir/pid.new"
        mv "$dir/pid.new" "$dir/pid"
        exec setsid -- "$@"
    ) </dev/null >>"$log" 2>&1 9>&- &
    # Not before it has become the command (or has failed to) can its pid be judged.
    wait_until 20 begun "$dir" $! || die "$dir: the process did not begin; see $log"
}

begun() { daemon_pid "$1" >/dev/null || ! kill -0 "$2" 2>/dev/null; }

# daemon_pid <folder>: prints the pid if the process noted there runs and is ours; else 1.
daemon_pid() {
    local dir=$1 pid line try
    pid=$(cat "$dir/pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] || return 1
    # A process that is just becoming another program has no command line for a moment; one that has ended (Z) has none for good.
    for try in {1..40}; do
        line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
        [[ -z $line && $(cat "/proc/$pid/stat" 2>/dev/null) == *") "[!ZX]* ]] || break
        ((try == 40)) || sleep 0.05
    done
    [[ $line == *"$dir/"* ]] || return 1
    echo "$pid"
}

# stop_daemon <folder> <signal> <seconds>: the signal, and KILL if it has not ended in time.
stop_daemon() {
    local dir=$1 signal=$2 seconds=$3 pid
    if pid=$(daemon_pid "$dir"); then
        kill "-$signal" "$pid" 2>/dev/null || true
        # A stopped process (SIGSTOP) takes its signal only once it goes on.
        kill -CONT "$pid" 2>/dev/null || true
        if ! wait_until "$seconds" not_running "$dir"; then
            say "$dir: pid $pid did not end in $seconds s; killed"
            kill -KILL "$pid" 2>/dev/null || true
            wait_until 10 not_running "$dir" || die "pid $pid of $dir cannot be ended"
        fi
    fi
    rm -f "$dir/pid"
}

not_running() { ! daemon_pid "$1" >/dev/null; }

# free_port: a TCP port on 127.0.0.1 that nobody uses, below the range from which the kernel hands out ports itself.
free_port() {
    perl -MIO::Socket::INET -e '
        for (1 .. 500) {
            my $port = 20000 + int(rand(12000));
            my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Proto => "tcp", Listen => 1) or next;
            print "$port\n";
            exit 0;
        }
        die "no free port between 20000 and 32000\n"'
}

# rotate <log>: a log over 64 MB is put aside, one old one kept.
rotate() {
    local size
    size=$(stat -c %s "$1" 2>/dev/null || echo 0)
    ((size < 64 * 1024 * 1024)) || mv -f "$1" "$1.1"
}
