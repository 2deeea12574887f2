#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::runner::circuit::State;

fn queue(most: usize) -> Queue<()> {
    Queue::new(most, true, CircuitSettings::default())
}

fn item(offset: i64, key: &str, lane: Option<(&str, u64)>) -> Item<()> {
    let lane = lane.map(|(name, millis)| Lane { name: name.to_owned(), interval: Duration::from_millis(millis) });
    Item { place: (0, offset), key: key.to_owned(), lane, task: () }
}

fn taken(queue: &mut Queue<()>, now: Instant) -> Vec<i64> {
    std::iter::from_fn(|| queue.take(now).map(|(item, _)| item.place.1)).collect()
}

fn failed() -> Verdict {
    Verdict::Failed { error: "503".to_owned(), not_before: None }
}

fn end(
    queue: &mut Queue<()>,
    key: &str,
    lane: Option<&str>,
    verdict: &Verdict,
    now: Instant,
) -> (bool, Vec<Deferred<()>>) {
    queue.end(key, lane);
    lane.map(|lane| queue.judge(lane, verdict, now)).unwrap_or_default()
}

#[test]
fn one_key_is_worked_on_in_order_and_others_pass_by() {
    let (mut queue, now) = (queue(8), Instant::now());
    for (offset, key) in [(0, "a"), (1, "a"), (2, "b"), (3, "a")] {
        assert!(queue.offer(item(offset, key, None), now).is_none());
    }
    assert_eq!(taken(&mut queue, now), [0, 2]);
    end(&mut queue, "b", None, &Verdict::Worked, now);
    assert!(taken(&mut queue, now).is_empty());
    end(&mut queue, "a", None, &Verdict::Worked, now);
    assert_eq!(taken(&mut queue, now), [1]);
}

#[test]
fn a_key_waits_for_its_first_task_although_the_second_ones_lane_is_free() {
    let (mut queue, now) = (queue(8), Instant::now());
    queue.offer(item(0, "x", Some(("slow.example", 1_000))), now);
    queue.offer(item(1, "a", Some(("slow.example", 1_000))), now);
    queue.offer(item(2, "a", Some(("other.example", 0))), now);
    assert_eq!(taken(&mut queue, now), [0]);
    assert_eq!(queue.wakes(now), Some(now + Duration::from_secs(1)));
    assert_eq!(taken(&mut queue, now + Duration::from_secs(1)), [1]);
}

#[test]
fn a_lane_keeps_its_pace_and_others_do_not_wait_for_it() {
    let (mut queue, start) = (queue(8), Instant::now());
    for offset in 0..3 {
        queue.offer(item(offset, &format!("k{offset}"), Some(("a", 100))), start);
    }
    queue.offer(item(3, "k3", Some(("b", 100))), start);
    assert_eq!(taken(&mut queue, start), [0, 3]);
    assert!(taken(&mut queue, start + Duration::from_millis(99)).is_empty());
    assert_eq!(taken(&mut queue, start + Duration::from_millis(100)), [1]);
}

#[test]
fn a_pace_that_an_agent_learns_of_counts_from_the_start_at_which_it_says_so() {
    let (mut queue, start) = (queue(12), Instant::now());
    for offset in 0..3 {
        queue.offer(item(offset, &format!("k{offset}"), Some(("a", 100))), start);
    }
    assert_eq!(taken(&mut queue, start), [0]);
    let slower = Lane { name: "a".to_owned(), interval: Duration::from_secs(7) };
    let second = start + Duration::from_millis(100);
    assert_eq!(taken(&mut queue, second), [1]);
    queue.pace(&slower, second);
    assert!(taken(&mut queue, second + Duration::from_millis(6_999)).is_empty());
    assert_eq!(taken(&mut queue, second + Duration::from_secs(7)), [2]);
}

#[test]
fn failures_pause_one_lane_put_off_its_work_and_let_the_others_go_on() {
    let (mut queue, mut now) = (queue(8), Instant::now());
    for offset in 0..30 {
        queue.offer(item(offset, &format!("k{offset}"), Some(("down", 0))), now);
    }
    queue.offer(item(99, "other", Some(("up", 0))), now);
    let mut failures = 0;
    let deferred = loop {
        let Some((item, _)) = queue.take(now) else {
            now = queue.wakes(now).unwrap();
            continue;
        };
        if item.key == "other" {
            end(&mut queue, "other", Some("up"), &Verdict::Worked, now);
            continue;
        }
        failures += 1;
        let (_, deferred) = end(&mut queue, &item.key, Some("down"), &failed(), now);
        if !deferred.is_empty() {
            break deferred;
        }
    };
    assert_eq!(failures, 10);
    assert_eq!(deferred.len(), 20);
    assert!(deferred.iter().all(|d| d.reason == Reason::Circuit && d.wait >= Duration::from_secs(30)));
    // One after the other, not all at once when the pause is over.
    assert!(deferred.windows(2).all(|pair| pair[0].wait < pair[1].wait));
    let late = queue.offer(item(40, "late", Some(("down", 0))), now).unwrap();
    assert_eq!(late.reason, Reason::Circuit);
    // After the pause one task probes, and the rest waits for what it finds.
    now += Duration::from_secs(31);
    for offset in 50..53 {
        assert!(queue.offer(item(offset, &format!("k{offset}"), Some(("down", 0))), now).is_none());
    }
    let (probe, changed) = queue.take(now).unwrap();
    assert!(changed && queue.take(now).is_none());
    assert_eq!(queue.circuit("down").unwrap().state(), State::Probing);
    let (changed, deferred) = end(&mut queue, &probe.key, Some("down"), &Verdict::Worked, now);
    assert!(changed && deferred.is_empty());
    assert_eq!(taken(&mut queue, now), [51, 52]);
}

#[test]
fn a_lane_takes_a_quarter_of_the_slots_however_slow_it_is() {
    let (mut queue, now) = (queue(8), Instant::now());
    for offset in 0..20 {
        queue.offer(item(offset, &format!("k{offset}"), Some(("slow", 0))), now);
    }
    assert_eq!(taken(&mut queue, now), [0, 1]);
    queue.offer(item(20, "other", Some(("quick", 0))), now);
    assert_eq!(taken(&mut queue, now), [20]);
    end(&mut queue, "k0", Some("slow"), &Verdict::Worked, now);
    assert_eq!(taken(&mut queue, now), [2]);

    let mut single = Queue::new(8, false, CircuitSettings::default());
    for offset in 0..20 {
        single.offer(item(offset, &format!("k{offset}"), Some(("api", 0))), now);
    }
    assert_eq!(taken(&mut single, now).len(), 8);
}

#[test]
fn a_slot_goes_to_the_lane_that_has_the_fewest() {
    let (mut queue, now) = (queue(4), Instant::now());
    let lanes = ["a", "b", "c", "d"];
    for (offset, lane) in (0..8).zip(lanes.into_iter().cycle()) {
        queue.offer(item(offset, &format!("k{offset}"), Some((lane, 0))), now);
    }
    queue.offer(item(8, "k8", Some(("e", 0))), now);
    assert_eq!(taken(&mut queue, now), [0, 1, 2, 3]);
    // The second one of `a` came earlier.
    end(&mut queue, "k1", Some("b"), &Verdict::Worked, now);
    assert_eq!(taken(&mut queue, now), [5]);
    end(&mut queue, "k5", Some("b"), &Verdict::Worked, now);
    assert_eq!(taken(&mut queue, now), [8]);
}

#[test]
fn large_lanes_leave_room_for_others_and_the_rest_is_put_off_at_their_pace() {
    let (mut queue, now) = (queue(8), Instant::now());
    for lane in ["big", "large"] {
        let mut deferred = Vec::new();
        // Also what waits behind its key, and could not start now, takes up room.
        for offset in 0..700 {
            deferred.extend(queue.offer(item(offset, &format!("{lane}{}", offset % 3), Some((lane, 1_000))), now));
        }
        assert_eq!(deferred.len(), 668);
        assert!(deferred.iter().all(|d| d.reason == Reason::Lane));
        assert_eq!((deferred[0].wait, deferred[667].wait), (Duration::from_secs(32), Duration::from_secs(699)));
    }
    assert_eq!(queue.waiting(), 64);
    assert!(queue.offer(item(700, "other", Some(("small", 1_000))), now).is_none());
    assert!(taken(&mut queue, now).contains(&700));
}

#[test]
fn with_one_lane_only_nothing_is_put_off() {
    let (mut queue, mut now) = (Queue::new(8, false, CircuitSettings::default()), Instant::now());
    for offset in 0..700 {
        assert!(queue.offer(item(offset, &format!("k{offset}"), Some(("api", 0))), now).is_none());
    }
    for _ in 0..10 {
        now = queue.wakes(now).unwrap_or(now);
        let (item, _) = queue.take(now).unwrap();
        assert!(end(&mut queue, &item.key, Some("api"), &failed(), now).1.is_empty());
    }
    assert!(matches!(queue.circuit("api").unwrap().state(), State::Paused { .. }));
    assert!(queue.offer(item(700, "late", Some(("api", 0))), now).is_none());
    assert_eq!((queue.waiting(), queue.take(now).is_none()), (691, true));
    assert_eq!(queue.wakes(now), Some(now + Duration::from_secs(30)));
}

#[test]
fn a_host_behind_redirects_is_paused_for_its_own_work_and_known_from_its_first_failure_on() {
    let (mut queue, now) = (queue(8), Instant::now());
    queue.offer(item(0, "short", Some(("short", 0))), now);
    queue.offer(item(1, "direct", Some(("dead", 0))), now);
    let until = now + Duration::from_secs(90);
    let busy = Verdict::Failed { error: "429".to_owned(), not_before: Some(until) };
    assert_eq!(taken(&mut queue, now), [0, 1]);
    queue.offer(item(2, "waits", Some(("dead", 0))), now);
    end(&mut queue, "short", Some("short"), &Verdict::Worked, now);
    let (changed, deferred) = queue.judge("dead", &busy, now);
    assert_eq!((changed, deferred.len()), (true, 1));
    assert_eq!(queue.circuit("dead").unwrap().opens(), Some(until));
    assert!(!queue.judge("never.asked", &Verdict::Worked, now).0);
    assert!(queue.circuit("never.asked").is_none());
    assert!(queue.judge("never.asked", &busy, now).0);
    assert_eq!(queue.circuit("never.asked").unwrap().opens(), Some(until));
    // Whoever was on its way there ends like any other.
    end(&mut queue, "direct", Some("dead"), &Verdict::Neutral, now);
    assert!(queue.offer(item(3, "short", Some(("short", 0))), now).is_none());
    assert_eq!(taken(&mut queue, now), [3]);
}

#[test]
fn partitions_that_went_away_take_their_work_with_them() {
    let (mut queue, now) = (queue(1), Instant::now());
    for partition in 0..3 {
        let lane = Some(Lane { name: "a".to_owned(), interval: Duration::ZERO });
        queue.offer(Item { place: (partition, 7), key: partition.to_string(), lane, task: () }, now);
    }
    queue.retain(&[1]);
    assert_eq!((queue.waiting(), queue.lanes.waiting("a")), (1, 1));
    assert_eq!(queue.take(now).unwrap().0.place.0, 1);
}

proptest! {
    /// Any work in any lanes that end in any way at any time: what is not put off runs exactly once, never two of a key
    /// at a time, each key in its order, never more at a time than allowed, and no lane faster than its pace.
    #[test]
    fn order_bound_and_pace_always_hold(
        work in prop::collection::vec((0_u8..6, prop::option::of(0_u8..3)), 1..80),
        ends in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..6, 0_u64..400), 400),
        most in 1_usize..9,
    ) {
        let mut now = Instant::now();
        let mut queue: Queue<()> = Queue::new(most, true, CircuitSettings::default());
        let (mut running, mut ran, mut put_off): (Vec<Item<()>>, Vec<i64>, Vec<i64>) = Default::default();
        let mut last: BTreeMap<String, i64> = BTreeMap::new();
        let mut started: BTreeMap<String, Instant> = BTreeMap::new();
        let total = work.len();
        let mut work = work.into_iter().zip(0_i64..);
        let mut ends = ends.into_iter().cycle();
        while ran.len() + put_off.len() < total {
            if let Some(((key, lane), offset)) = work.next() {
                let lane = lane.map(|lane| (format!("lane{lane}"), 50));
                let lane = lane.as_ref().map(|(name, interval)| (name.as_str(), *interval));
                put_off.extend(queue.offer(item(offset, &format!("k{key}"), lane), now).map(|d| d.item.place.1));
            }
            while let Some((item, _)) = queue.take(now) {
                prop_assert!(running.iter().all(|other| other.key != item.key), "two of one key");
                prop_assert!(last.get(&item.key).is_none_or(|last| *last < item.place.1), "out of order");
                last.insert(item.key.clone(), item.place.1);
                if let Some(lane) = &item.lane {
                    let before = started.insert(lane.name.clone(), now);
                    prop_assert!(before.is_none_or(|before| now >= before + lane.interval), "too fast");
                }
                let lane = item.lane.clone();
                running.push(item);
                prop_assert!(running.len() <= most);
                let beside = running.iter().filter(|other| lane.is_some() && other.lane == lane).count();
                prop_assert!(beside <= (most / 4).max(1), "too many of one lane");
            }
            let (which, how, millis) = ends.next().unwrap();
            now += Duration::from_millis(millis);
            if running.is_empty() {
                now = queue.wakes(now).unwrap_or(now);
                continue;
            }
            let item = running.swap_remove(which.index(running.len()));
            let verdict = match how {
                0 => Verdict::Worked,
                1 => Verdict::Neutral,
                2 => Verdict::Failed { error: "429".to_owned(), not_before: Some(now + Duration::from_secs(3)) },
                _ => failed(),
            };
            let lane = item.lane.as_ref().map(|lane| lane.name.as_str());
            let (_, deferred) = end(&mut queue, &item.key, lane, &verdict, now);
            put_off.extend(deferred.iter().map(|d| d.item.place.1));
            ran.push(item.place.1);
        }
        let mut all: Vec<i64> = ran.into_iter().chain(put_off).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..i64::try_from(total).unwrap()).collect::<Vec<_>>());
    }
}
