//! A place in the events where a rebuild waits, and nobody else.

use lifestream_tests::{Program, eventually};

use crate::house::{House, SOON};

/// At events of this type a rebuild waits while somebody holds the lock. Its projection writes to `notes`, so that it is rebuilt with them.
const GATE: &str = "\
CREATE FUNCTION gate(e lifestream.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
  IF current_setting('application_name') = 'lifestream rebuild' THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF; END $$; \
SELECT lifestream.add_projection('test.gate', 'gate', '{notes}')";

/// A gate that is shut until it is dropped.
pub struct Gate {
    key: tokio_postgres::Client,
}

impl Gate {
    /// Registers its projection (after that of `notes`), emits its event, and shuts it.
    pub async fn shut(house: &House) -> Self {
        house.psql(GATE);
        house.emit("test.gate", "gate", "{}");
        let key = house.pipeline.database.connect().await;
        key.execute("SELECT pg_advisory_lock(4711)", &[]).await.unwrap();
        Self { key }
    }

    /// Starts a rebuild, and waits until it stands before the gate.
    pub fn reached(&self, house: &House, what: &str) -> Program {
        let rebuild = house.start(what);
        eventually(SOON, "the rebuild stands before the gate", || {
            house.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted")
                == "1"
        });
        rebuild
    }

    /// Lets go who waits.
    pub async fn open(self) {
        self.key.execute("SELECT pg_advisory_unlock(4711)", &[]).await.unwrap();
    }
}
