//! What is known about every `seq` between the watermark and the high mark, shared by reader, producer and saver.
//!
//! A number is *unsettled* from the moment the reader passes it until it is flipped, parked or given up:
//! a gap, a message in flight, or an acknowledged one whose flag is not saved yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use roaring::RoaringTreemap;
use tokio::sync::Notify;

use crate::error::BridgeError;
use lifestream_envelope::kafka::Stretch;

/// So many gaps between our own records are remembered.
const MOST_GAPS: usize = 16;
/// Send times are kept in steps of this, so that the age of the oldest message costs nothing per message.
const AGE_STEP: Duration = Duration::from_millis(250);

/// Shared by the reader (which sends), librdkafka's delivery thread and the saver.
#[derive(Debug)]
pub struct Tracker {
    state: Mutex<State>,
    /// An acknowledgement or a fault arrived, or the reader settled something: the saver looks.
    pub progressed: Notify,
    /// Bytes were freed, or a fault arrived: the reader looks.
    pub room: Notify,
}

#[derive(Debug)]
struct State {
    /// The saved watermark. What is let go of what was parked below it stands in `lifestream.parked` until it is flagged, and holds
    /// it back no more.
    watermark: i64,
    high: i64,
    last_sent: i64,
    unsettled: RoaringTreemap,
    acknowledged: RoaringTreemap,
    /// For each partition, the offset after the last acknowledged record of ours.
    offsets: Vec<i64>,
    /// Between our own records: somebody else's, or repeats.
    gaps: Vec<Stretch>,
    in_flight: usize,
    bytes_in_flight: usize,
    /// (send time, messages still unacknowledged), oldest first.
    ages: VecDeque<(Instant, usize)>,
    /// How many age steps were dropped from the front of `ages` so far.
    ages_dropped: u32,
    failed: bool,
    fault: Option<BridgeError>,
    /// Sends stop at this time, unless the lease is renewed.
    send_until: Instant,
    /// The message that Kafka refused, where only one was in flight.
    refusal: Option<String>,
}

/// What one save has to write.
#[derive(Debug)]
pub struct Progress {
    /// The rows whose flags are to be flipped.
    pub acknowledged: RoaringTreemap,
    /// Every number up to here is settled once they are.
    pub watermark: i64,
    /// The largest number seen.
    pub high: i64,
    /// For each partition, the offset from which on records may lack their flag.
    pub offsets: Vec<i64>,
    /// Nothing is in flight: nothing of ours lies past the offsets.
    pub at_rest: bool,
}

/// A message's place in the books; comes back with its delivery report.
#[derive(Debug)]
pub struct Sent {
    /// The event's number.
    pub seq: u64,
    bytes: usize,
    age: u32,
}

impl Tracker {
    /// Starts from saved progress: all up to `watermark` is settled.
    pub fn new(watermark: i64, offsets: Vec<i64>) -> Self {
        Self {
            state: Mutex::new(State {
                watermark,
                high: watermark,
                last_sent: watermark,
                unsettled: RoaringTreemap::new(),
                acknowledged: RoaringTreemap::new(),
                offsets,
                gaps: Vec::new(),
                in_flight: 0,
                bytes_in_flight: 0,
                ages: VecDeque::new(),
                ages_dropped: 0,
                failed: false,
                fault: None,
                send_until: Instant::now(),
                refusal: None,
            }),
            progressed: Notify::new(),
            room: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if one did, the numbers would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing of ours lies at or past these offsets.
    pub fn start_offsets(&self, offsets: &[i64]) {
        self.state().offsets = offsets.to_vec();
    }

    /// For each partition, the offset after the last acknowledged record of ours.
    pub fn offsets(&self) -> Vec<i64> {
        self.state().offsets.clone()
    }

    /// Stretches between records of ours; told once.
    pub fn take_gaps(&self) -> Vec<Stretch> {
        std::mem::take(&mut self.state().gaps)
    }

    /// Moves a partition past records that are not ours. False where it has moved by itself, or may at any moment.
    pub fn step_over(&self, partition: i32, from: i64, to: i64) -> bool {
        let mut state = self.state();
        if state.failed || state.in_flight > 0 {
            return false;
        }
        match usize::try_from(partition).ok().and_then(|p| state.offsets.get_mut(p)) {
            Some(next) if *next == from => {
                *next = to;
                true
            }
            _ => false,
        }
    }

    /// The reader passed these numbers without finding rows.
    pub fn passed_over(&self, gaps: &RoaringTreemap) {
        self.state().unsettled |= gaps;
    }

    /// Everything up to `seq` has been accounted for.
    pub fn reached(&self, seq: i64) {
        let mut state = self.state();
        state.high = state.high.max(seq);
    }

    /// The reader is about to send this event; to be undone by [`Tracker::unsent`] if the producer refuses it.
    pub fn sending(&self, seq: u64, bytes: usize) -> Sent {
        let mut state = self.state();
        state.unsettled.insert(seq);
        state.high = state.high.max(seq.cast_signed());
        state.last_sent = state.last_sent.max(seq.cast_signed());
        state.in_flight += 1;
        state.bytes_in_flight += bytes;
        let now = Instant::now();
        match state.ages.back_mut() {
            Some((since, count)) if now.duration_since(*since) < AGE_STEP => *count += 1,
            _ => state.ages.push_back((now, 1)),
        }
        let age = state.ages_dropped.wrapping_add(u32::try_from(state.ages.len() - 1).unwrap_or(u32::MAX));
        Sent { seq, bytes, age }
    }

    /// The producer did not take it.
    pub fn unsent(&self, sent: &Sent) {
        Self::landed(&mut self.state(), sent);
    }

    /// Kafka acknowledged it. `offset` is negative where the broker only knows that it has it.
    pub fn acknowledged(&self, sent: &Sent, partition: i32, offset: i64) {
        let mut state = self.state();
        if state.failed {
            // An earlier message may have been persisted without our knowing: an offset past it would hide it
            // from the next epoch.
            return Self::landed(&mut state, sent);
        }
        state.acknowledged.insert(sent.seq);
        if let Some(next) = usize::try_from(partition).ok().and_then(|p| state.offsets.get_mut(p)) {
            let gap = Stretch { partition, from: *next, to: offset };
            *next = (*next).max(offset + 1);
            if gap.from < gap.to && state.gaps.len() < MOST_GAPS {
                state.gaps.push(gap);
            }
        }
        Self::landed(&mut state, sent);
        drop(state);
        self.progressed.notify_one();
        self.room.notify_one();
    }

    /// Kafka will never take it, and nothing else was in flight: the epoch goes on.
    pub fn refused(&self, sent: &Sent, reason: String) {
        let mut state = self.state();
        state.refusal = Some(reason);
        Self::landed(&mut state, sent);
        drop(state);
        self.room.notify_one();
    }

    /// Why the one message that was in flight did not arrive, if so.
    pub fn take_refusal(&self) -> Option<String> {
        self.state().refusal.take()
    }

    /// The lease was renewed: what is sent before this time cannot be under way any more when the lease ends.
    pub fn send_until(&self, deadline: Instant) {
        self.state().send_until = deadline;
        self.room.notify_one();
    }

    /// Whether the lease allows to send.
    pub fn may_send(&self) -> bool {
        Instant::now() < self.state().send_until
    }

    fn landed(state: &mut State, sent: &Sent) {
        state.in_flight -= 1;
        state.bytes_in_flight -= sent.bytes;
        let at = sent.age.wrapping_sub(state.ages_dropped) as usize;
        if let Some((_, count)) = state.ages.get_mut(at) {
            *count -= 1;
        }
        while state.ages.front().is_some_and(|(_, count)| *count == 0) {
            state.ages.pop_front();
            state.ages_dropped = state.ages_dropped.wrapping_add(1);
        }
    }

    /// These numbers need no more attention: given up as rolled back, or parked.
    pub fn settle(&self, seqs: &RoaringTreemap) {
        self.state().unsettled -= seqs;
        self.progressed.notify_one();
    }

    /// Ends the epoch: whoever waits is woken and finds the fault. The first one counts.
    pub fn fail(&self, fault: BridgeError) {
        let mut state = self.state();
        if !state.failed {
            state.failed = true;
            state.fault = Some(fault);
        }
        drop(state);
        self.progressed.notify_one();
        self.room.notify_one();
    }

    /// The fault that ended the epoch; taken once.
    pub fn take_fault(&self) -> Option<BridgeError> {
        self.state().fault.take()
    }

    /// The largest number that was sent in this epoch.
    pub fn last_sent(&self) -> i64 {
        self.state().last_sent
    }

    /// Whether the epoch is over.
    pub fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// Bytes handed to the producer and not acknowledged.
    pub fn bytes_in_flight(&self) -> usize {
        self.state().bytes_in_flight
    }

    /// Messages handed to the producer and not acknowledged.
    pub fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// How many acknowledged events wait for their flag.
    pub fn unsaved(&self) -> u64 {
        self.state().acknowledged.len()
    }

    /// How long the oldest unacknowledged message has been waiting, to [`AGE_STEP`].
    pub fn oldest_in_flight(&self) -> Option<Duration> {
        self.state().ages.front().map(|(since, _)| since.elapsed())
    }

    /// Takes what there is to save; to be followed by [`Tracker::saved`] once it is written.
    pub fn take(&self) -> Progress {
        let mut state = self.state();
        let acknowledged = std::mem::take(&mut state.acknowledged);
        let lowest = state.unsettled.iter().find(|seq| !acknowledged.contains(*seq));
        Progress {
            watermark: lowest.map_or(state.high, |seq| seq.cast_signed() - 1).max(state.watermark),
            high: state.high,
            offsets: state.offsets.clone(),
            at_rest: state.in_flight == 0,
            acknowledged,
        }
    }

    /// The flags are flipped.
    pub fn saved(&self, progress: &Progress) {
        let mut state = self.state();
        state.unsettled -= &progress.acknowledged;
        state.watermark = progress.watermark;
        drop(state);
        self.room.notify_one();
    }

    /// Whether none of these is under way, or waits for its flag.
    pub fn is_settled(&self, seqs: &RoaringTreemap) -> bool {
        self.state().unsettled.is_disjoint(seqs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(seqs: &[u64]) -> RoaringTreemap {
        seqs.iter().copied().collect()
    }

    #[test]
    fn the_watermark_stops_below_gaps_and_messages_in_flight() {
        let tracker = Tracker::new(0, vec![0]);
        tracker.passed_over(&set(&[2]));
        let (one, three, four) = (tracker.sending(1, 10), tracker.sending(3, 10), tracker.sending(4, 10));
        assert_eq!(tracker.take().watermark, 0);
        tracker.acknowledged(&one, 0, 7);
        tracker.acknowledged(&four, 0, 9);
        let progress = tracker.take();
        assert_eq!((progress.watermark, progress.high, progress.at_rest), (1, 4, false));
        assert_eq!(progress.acknowledged, set(&[1, 4]));
        assert_eq!(progress.offsets, vec![10]);
        tracker.saved(&progress);
        tracker.acknowledged(&three, 0, 11);
        tracker.settle(&set(&[2]));
        let progress = tracker.take();
        assert_eq!((progress.watermark, progress.at_rest), (4, true));
    }

    #[test]
    fn what_is_acknowledged_but_not_saved_holds_the_watermark_when_the_save_fails() {
        let tracker = Tracker::new(0, vec![0]);
        let one = tracker.sending(1, 10);
        tracker.acknowledged(&one, 0, 0);
        let lost = tracker.take();
        assert_eq!(lost.watermark, 1);
        // Never saved: the number is unsettled still.
        assert_eq!(tracker.take().watermark, 0);
    }

    #[test]
    fn bytes_and_ages_follow_the_messages() {
        let tracker = Tracker::new(0, vec![0]);
        assert_eq!(tracker.oldest_in_flight(), None);
        let (one, two) = (tracker.sending(1, 10), tracker.sending(2, 30));
        assert_eq!((tracker.in_flight(), tracker.bytes_in_flight()), (2, 40));
        tracker.acknowledged(&two, 0, 1);
        assert!(tracker.oldest_in_flight().is_some());
        tracker.unsent(&one);
        assert_eq!((tracker.in_flight(), tracker.bytes_in_flight()), (0, 0));
        assert_eq!(tracker.oldest_in_flight(), None);
    }

    #[test]
    fn records_between_ours_and_behind_them_are_noticed() {
        let tracker = Tracker::new(0, vec![5]);
        let (one, two) = (tracker.sending(1, 10), tracker.sending(2, 10));
        tracker.acknowledged(&one, 0, 5);
        assert!(!tracker.step_over(0, 6, 9), "one of ours is under way");
        tracker.acknowledged(&two, 0, 9);
        assert_eq!(tracker.take_gaps(), [Stretch { partition: 0, from: 6, to: 9 }]);
        assert!(tracker.take_gaps().is_empty());
        assert!(!tracker.step_over(0, 6, 12) && tracker.step_over(0, 10, 12));
        assert_eq!(tracker.offsets(), [12]);
    }

    #[test]
    fn a_broker_that_does_not_tell_the_offset_moves_none() {
        let tracker = Tracker::new(0, vec![5]);
        let one = tracker.sending(1, 10);
        tracker.acknowledged(&one, 0, -1);
        assert_eq!(tracker.take().offsets, vec![5]);
    }
}
