//! Members come and go, 3 ↔ 5, and one is stopped past its session: each event has its effect once.

use std::time::Duration;

use lifestream_tests::load::LoadOptions;
use lifestream_tests::{Postgres, eventually};

use crate::parts::{BRIDGE, MATERIALIZER, Parts};
use crate::stage::{SOON, Stage, kafka};

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_go_and_sleep_apply_each_event_once() {
    let stage = Stage::new("rebalances", Postgres::shared(), kafka());
    let roles = [BRIDGE, MATERIALIZER, MATERIALIZER, MATERIALIZER, MATERIALIZER, MATERIALIZER];
    let parts = Parts::start(&stage, roles.map(|role| (role, Vec::new())));
    let load = stage.load(LoadOptions { writers: 3, pace: Duration::from_millis(5), rare: 0 });
    let applied = || stage.count("public.applied");
    let assigned = |member: usize| {
        parts.hold(member).as_ref().map_or(0, |program| program.log().matches("partitions assigned").count())
    };
    eventually(SOON, "it flows", || applied() > 0);
    for _ in 0..2 {
        for member in [4, 5] {
            parts.remove(member);
        }
        load.more(200).await;
        for member in [4, 5] {
            parts.add(member);
        }
        eventually(SOON, "the new ones are members", || assigned(4) > 0 && assigned(5) > 0);
        load.more(200).await;
    }
    for member in 1..=3 {
        let others: Vec<_> = (1..=5).filter(|other| *other != member).collect();
        let rebalances = || others.iter().map(|other| assigned(*other)).sum::<usize>();
        let (before, slept) = (rebalances(), assigned(member));
        parts.signal(member, "STOP");
        // Past its session: the others have what it had.
        eventually(SOON, "the others have its partitions", || rebalances() >= before + others.len());
        let committed = load.oracle.committed();
        load.more(50).await;
        eventually(SOON, "they go on with all of them", || applied() >= u64::try_from(committed).unwrap());
        parts.signal(member, "CONT");
        eventually(SOON, "it is a member again", || assigned(member) > slept);
    }
    load.more(100).await;
    stage.assert_nothing_wrong(load).await;
    parts.stop();
}

/// Stopped in the middle of a transaction, a member holds what the next one needs.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_stopped_in_a_transaction_holds_up_nobody() {
    let stage = Stage::new("stopped_in_transaction", Postgres::shared(), kafka());
    // A projection that takes its time, so that members are to be met in the middle of it.
    stage.psql(
        "CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
         CREATE TRIGGER slowly BEFORE INSERT ON public.applied FOR EACH ROW EXECUTE FUNCTION public.slowly()",
    );
    let bridge = stage.spawn(&["bridge"], &[]);
    let sleeper = stage.spawn(&["materializer"], &[]);
    let load = stage.load(LoadOptions { writers: 1, pace: Duration::from_millis(60), rare: 0 });
    eventually(SOON, "it flows", || stage.count("public.applied") > 0);
    let is = |state: &str| {
        stage.count(&format!(
            "pg_stat_activity WHERE datname = current_database() AND application_name = 'lifestream materializer' AND state = '{state}'"
        )) > 0
    };
    eventually(SOON, "it is stopped in the middle of a transaction", || {
        eventually(SOON, "it is at work", || is("active"));
        sleeper.sigstop();
        // The statement at hand comes to its end.
        eventually(SOON, "the server waits for it", || !is("active"));
        let met = is("idle in transaction");
        if !met {
            sleeper.sigcont();
        }
        met
    });
    stage.psql("DROP TRIGGER slowly ON public.applied");
    let next = stage.spawn(&["materializer"], &[]);
    let committed = load.oracle.committed();
    load.more(20).await;
    eventually(SOON, "the next one goes on with all partitions", || {
        stage.count("public.applied") >= u64::try_from(committed).unwrap()
    });
    sleeper.sigcont();
    stage.assert_nothing_wrong(load).await;
    for part in [bridge, sleeper, next] {
        assert_eq!(part.terminate().code(), Some(0));
    }
}
