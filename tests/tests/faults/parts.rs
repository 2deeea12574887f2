//! The running parts of a pipeline: killed and started again at once, stopped in their tracks, more or fewer of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use lifestream_tests::{Program, eventually};

use crate::stage::{SOON, Stage};

/// How a part is started.
#[derive(Clone, Copy)]
pub struct Role {
    pub name: &'static str,
    pub arguments: &'static [&'static str],
}

pub const BRIDGE: Role = Role { name: "bridge", arguments: &["bridge"] };
pub const MATERIALIZER: Role = Role { name: "materializer", arguments: &["materializer"] };
pub const ROUTER: Role = Role { name: "router", arguments: &["router"] };
pub const FETCHER: Role = Role { name: "fetcher", arguments: &["agent", "fetcher"] };

type Settings = Vec<(String, String)>;

struct Slot {
    role: Role,
    settings: Settings,
    program: Mutex<Option<Program>>,
}

/// Parts, by number. None of them may ever end by itself.
pub struct Parts<'s> {
    stage: &'s Stage<'s>,
    slots: Vec<Slot>,
    kills: AtomicUsize,
}

impl<'s> Parts<'s> {
    /// Starts these, each with settings of its own beside the pipeline's.
    pub fn start(stage: &'s Stage<'s>, roles: impl IntoIterator<Item = (Role, Settings)>) -> Self {
        let slots =
            roles.into_iter().map(|(role, settings)| Slot { role, settings, program: Mutex::new(None) }).collect();
        let this = Self { stage, slots, kills: AtomicUsize::new(0) };
        (0..this.len()).for_each(|number| this.add(number));
        this
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn kills(&self) -> usize {
        self.kills.load(Ordering::Relaxed)
    }

    /// Those of a role.
    pub fn of(&self, role: Role) -> Vec<usize> {
        (0..self.len()).filter(|number| self.slots[*number].role.name == role.name).collect()
    }

    /// Starts one that does not run.
    pub fn add(&self, number: usize) {
        let slot = &self.slots[number];
        let mut program = slot.program.lock().unwrap();
        if program.is_none() {
            *program = Some(self.spawn(slot));
        }
    }

    /// Has one end in order; it is not started again.
    pub fn remove(&self, number: usize) {
        let program = self.slots[number].program.lock().unwrap().take();
        if let Some(program) = program {
            let log = program.shared_log();
            // A signal before it is all there would end it as it ends any program.
            eventually(SOON, "it has begun", || !log().is_empty());
            let status = program.terminate();
            assert!(status.success(), "{}: {status}\n{}", self.slots[number].role.name, log());
        }
    }

    /// Kills one and starts it again at once; not if it does not run, or somebody holds it.
    pub fn kill9(&self, number: usize) {
        let slot = &self.slots[number];
        let Ok(mut program) = slot.program.try_lock() else { return };
        if let Some(victim) = program.take() {
            Self::assert_runs(slot, victim).kill9();
            self.kills.fetch_add(1, Ordering::Relaxed);
            *program = Some(self.spawn(slot));
        }
    }

    /// Sends one a signal by its name, such as `STOP`.
    pub fn signal(&self, number: usize, name: &str) {
        self.slots[number].program.lock().unwrap().as_ref().expect("it runs").signal(name);
    }

    /// Keeps one from being killed, to be stopped in its tracks meanwhile.
    pub fn hold(&self, number: usize) -> MutexGuard<'_, Option<Program>> {
        self.slots[number].program.lock().unwrap()
    }

    /// The bridge that holds the lease.
    pub fn publishing_bridge(&self) -> Option<usize> {
        let holder = self.stage.psql("SELECT holder FROM lifestream.bridge_progress");
        let pid: u32 = holder.rsplit_once(':')?.1.parse().ok()?;
        self.of(BRIDGE).into_iter().find(|number| {
            self.slots[*number].program.lock().unwrap().as_ref().is_some_and(|program| program.pid() == pid)
        })
    }

    /// Ends all in order.
    pub fn stop(&self) {
        std::thread::scope(|scope| {
            for number in 0..self.len() {
                scope.spawn(move || self.remove(number));
            }
        });
    }

    /// That no part has ended by itself.
    pub fn assert_all_run(&self) {
        for slot in &self.slots {
            let mut program = slot.program.lock().unwrap();
            *program = program.take().map(|program| Self::assert_runs(slot, program));
        }
    }

    fn assert_runs(slot: &Slot, mut program: Program) -> Program {
        let runs = program.is_running();
        assert!(runs, "{} has ended by itself:\n{}", slot.role.name, program.log());
        program
    }

    fn spawn(&self, slot: &Slot) -> Program {
        let settings: Vec<_> = slot.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.stage.spawn(slot.role.arguments, &settings)
    }
}
