//! Starts child processes from a thread that lives as long as this process.
//!
//! The kernel sends a child its parent-death signal when the *thread* that started it ends, and tests come and go in threads
//! of their own. Children that are started here die with the test program, and with nothing less.

use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts a command; the kernel kills it when this process ends, in whatever way.
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn spawn(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::Builder::new()
            .name("spawner".into())
            .spawn(move || {
                for (command, reply) in inbox {
                    // Whoever ordered waits for the reply; if he is gone, the child is dropped and dies with us.
                    drop(reply.send(mortal(command).spawn()));
                }
            })
            .expect("a thread starts");
        orders
    });
    let (reply, answer) = channel();
    spawner.send((command, reply)).expect("the spawner runs as long as the process");
    answer.recv().expect("the spawner answers each order")
}

/// The same command behind `setpriv`, which asks the kernel for the signal and then becomes the command: the pid stays.
fn mortal(command: Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    wrapped
}
