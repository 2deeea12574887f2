//! Publishes what the reader finds, parks what Kafka refuses, and lets go what somebody decided about.

use std::sync::Arc;

use lifestream_envelope::event::EventRow;
use lifestream_envelope::failpoint;
use roaring::RoaringTreemap;
use tokio::sync::mpsc;
use tokio_postgres::Client;

use crate::epoch::{Carry, Ended};
use crate::error::BridgeError;
use crate::parking::Parking;
use crate::reader::Look;
use crate::row;
use crate::sender::Sender;
use crate::tracker::Tracker;

/// What an epoch publishes with.
pub struct Publisher {
    /// For statements beside reading; its session holds the lease.
    pub keeper: Arc<Client>,
    /// Publishes.
    pub sender: Sender,
    /// What sender, reader and saver share.
    pub tracker: Arc<Tracker>,
    /// Subjects that are held back.
    pub parking: Parking,
    /// The topic's name, with its prefix.
    pub topic: String,
}

impl Publisher {
    /// Publishes what is looked up until the reader ends or the epoch fails; the fault itself is in the tracker.
    ///
    /// What was decided about parked events is carried out some at a time, between two looks: a long queue holds up nobody.
    pub async fn run(&mut self, mut incoming: mpsc::Receiver<Look>, carry: &mut Carry) -> Result<Ended, BridgeError> {
        let mut deciding = false;
        loop {
            let look = if deciding { next_now(&mut incoming) } else { self.next(&mut incoming).await };
            let (look, ended) = match look {
                Next::Look(look) => (look, false),
                Next::Nothing => (Look { rows: Vec::new(), more: true, decided: false }, false),
                Next::End => (Look { rows: Vec::new(), more: false, decided: false }, true),
            };
            if self.tracker.has_failed() || (ended && !deciding) {
                return Ok(Ended::Done);
            }
            if deciding || look.decided {
                match self.carry_out(carry.suspect_until.is_some()).await {
                    Ok(more) => deciding = more,
                    Err(fault) => self.tracker.fail(fault),
                }
            }
            // What was suspected was one of those that were let go, and nothing else waits.
            if look.decided
                && !deciding
                && look.rows.is_empty()
                && !look.more
                && carry.suspect_until.is_some()
                && !self.tracker.has_failed()
            {
                carry.suspect_until = None;
                return Ok(Ended::Again);
            }
            for row in &look.rows {
                if self.tracker.has_failed() {
                    return Ok(Ended::Done);
                }
                let event = row::event(row)?;
                if let Err(fault) = self.publish(&event, carry.suspect_until.is_some()).await {
                    self.tracker.fail(fault);
                    return Ok(Ended::Done);
                }
                if carry.suspect_until.is_some_and(|seq| seq <= event.seq) && !self.tracker.has_failed() {
                    carry.suspect_until = None;
                    return Ok(Ended::Again);
                }
            }
        }
    }

    async fn next(&self, incoming: &mut mpsc::Receiver<Look>) -> Next {
        tokio::select! {
            look = incoming.recv() => look.map_or(Next::End, Next::Look),
            () = self.failure() => Next::End,
        }
    }

    async fn failure(&self) {
        while !self.tracker.has_failed() {
            self.tracker.room.notified().await;
        }
    }

    async fn publish(&mut self, event: &EventRow<'_>, one_by_one: bool) -> Result<(), BridgeError> {
        if self.parking.holds_back(event.subject_id).is_some() {
            return self.park(event, "an earlier event of this subject is parked").await;
        }
        match self.send(event, one_by_one).await? {
            Some(refusal) => self.park(event, &refusal).await,
            None => Ok(()),
        }
    }

    /// Sends an event, unless the epoch is over; gives the reason if Kafka refuses it.
    async fn send(&mut self, event: &EventRow<'_>, one_by_one: bool) -> Result<Option<String>, BridgeError> {
        self.sender.room().await;
        if self.tracker.has_failed() {
            return Ok(None);
        }
        match self.sender.send(event) {
            Err(BridgeError::Refused { reason, .. }) => return Ok(Some(reason)),
            sent => sent?,
        }
        if one_by_one {
            self.sender.emptied().await;
            return Ok(self.tracker.take_refusal());
        }
        Ok(None)
    }

    async fn park(&mut self, event: &EventRow<'_>, error: &str) -> Result<(), BridgeError> {
        failpoint!("bridge.parking");
        self.parking.park(&self.keeper, &self.topic, event, error).await?;
        failpoint!("bridge.parked");
        self.tracker.settle(&std::iter::once(event.seq.cast_unsigned()).collect());
        Ok(())
    }

    /// Carries out some of what was decided about parked events, and says whether there may be more. Each stands in
    /// `lifestream.parked` until it has its flag: after a crash the start procedure finds in the topic which of them went out, and
    /// the rest is sent.
    async fn carry_out(&mut self, one_by_one: bool) -> Result<bool, BridgeError> {
        let Some((first, discard)) = self.parking.decided(&self.keeper).await? else { return Ok(false) };
        self.let_go(first, discard, one_by_one).await?;
        Ok(!self.tracker.has_failed())
    }

    /// Sends some of what was parked under `first`, in order; settles it if that was the last of it.
    async fn let_go(&mut self, first: i64, discard: bool, one_by_one: bool) -> Result<(), BridgeError> {
        let waiting = self.parking.waiting(&self.keeper, first, discard).await?;
        let (mut sent, mut refused) = (RoaringTreemap::new(), None);
        for row in &waiting {
            let event = row::event(row)?;
            if let Some(reason) = self.send(&event, one_by_one).await? {
                self.tracker.settle(&std::iter::once(event.seq.cast_unsigned()).collect());
                tracing::error!(seq = event.seq, event_id = %event.id, subject_id = event.subject_id, error = reason, "event parked: Kafka does not take it");
                refused = Some((row.try_get("parked_id")?, reason));
                break;
            }
            sent.insert(event.seq.cast_unsigned());
        }
        failpoint!("bridge.letting_go");
        self.sender.settled(&sent).await;
        if self.tracker.has_failed() {
            return Ok(());
        }
        if refused.is_some() || waiting.is_empty() {
            let refused = refused.as_ref().map(|(id, reason): &(i64, String)| (*id, reason.as_str()));
            self.parking.settle(&self.keeper, first, refused).await?;
            failpoint!("bridge.let_go");
        }
        Ok(())
    }
}

/// What comes next.
enum Next {
    Look(Look),
    Nothing,
    /// The reader has ended, or the epoch.
    End,
}

fn next_now(incoming: &mut mpsc::Receiver<Look>) -> Next {
    match incoming.try_recv() {
        Ok(look) => Next::Look(look),
        Err(mpsc::error::TryRecvError::Empty) => Next::Nothing,
        Err(mpsc::error::TryRecvError::Disconnected) => Next::End,
    }
}
