//! A TCP relay between a client and a server, whose line can go dead or be cut.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// Relays as long as this process runs.
pub struct Proxy {
    address: SocketAddr,
    lines: Arc<Lines>,
}

#[derive(Default)]
struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What was open before this count is dead for good; what comes later is relayed.
    dead_before: usize,
    dead: Vec<usize>,
    /// Nothing is relayed at all.
    stalled: bool,
    open: Vec<(usize, TcpStream, TcpStream)>,
    count: usize,
}

impl Proxy {
    /// A relay to this port on loopback.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let lines = Arc::new(Lines::default());
        let accepting = Arc::clone(&lines);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                relay(&accepting, client, server);
            }
        });
        Self { address, lines }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The connections of now stay open for ever, and nothing comes through them any more; new ones work.
    pub fn go_dead(&self) {
        let mut state = self.lines.state();
        state.dead_before = state.count;
        drop(state);
        self.lines.changed.notify_all();
    }

    /// The same for one of them, by the order in which they were made.
    pub fn go_dead_alone(&self, line: usize) {
        self.lines.state().dead.push(line);
        self.lines.changed.notify_all();
    }

    /// Nothing comes through until [`Proxy::go_on`]; what was sent meanwhile arrives then.
    pub fn stall(&self) {
        self.lines.state().stalled = true;
    }

    /// Ends [`Proxy::stall`].
    pub fn go_on(&self) {
        self.lines.state().stalled = false;
        self.lines.changed.notify_all();
    }

    /// Ends every connection, the dead ones too.
    pub fn cut(&self) {
        let open = std::mem::take(&mut self.lines.state().open);
        for (_, client, server) in open {
            drop(client.shutdown(Shutdown::Both));
            drop(server.shutdown(Shutdown::Both));
        }
        self.lines.changed.notify_all();
    }

    /// How many connections were ever made through it.
    pub fn connections(&self) -> usize {
        self.lines.state().count
    }
}

impl Lines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    /// Waits while this line is dead or stalled; false once it is cut.
    fn passes(&self, line: usize) -> bool {
        let mut state = self.state();
        while state.open.iter().any(|(number, ..)| *number == line) {
            if line >= state.dead_before && !state.dead.contains(&line) && !state.stalled {
                return true;
            }
            state = self.changed.wait(state).expect("nobody panics with it");
        }
        false
    }
}

fn relay(lines: &Arc<Lines>, client: TcpStream, server: TcpStream) {
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let copies = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
    let (Some((client_in, server_out)), Some((client_out, server_in)), Some((kept_client, kept_server))) =
        (copies(), copies(), copies())
    else {
        return;
    };
    let mut state = lines.state();
    let line = state.count;
    state.count += 1;
    state.open.push((line, kept_client, kept_server));
    drop(state);
    for (from, to) in [(client_in, server_out), (server_in, client_out)] {
        let lines = Arc::clone(lines);
        thread::spawn(move || pump(&lines, line, from, to));
    }
}

fn pump(lines: &Lines, line: usize, mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 64 << 10];
    loop {
        let read = from.read(&mut bytes).unwrap_or(0);
        // The end of one side is told to the other only as far as the line carries it.
        if !lines.passes(line) {
            return;
        }
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
    lines.state().open.retain(|(number, ..)| *number != line);
}
