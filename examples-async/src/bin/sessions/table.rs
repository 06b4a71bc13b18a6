//! The table of connections: a registry with a child for each session.
//!
//! | of a child | here |
//! |---|---|
//! | id | the number of the session, never used twice |
//! | specification | the user |
//! | pid | the way to the session: the queue of its connection |
//! | node | which of the acceptors took the connection |
//! | tags | `user:N` and, in a room, `room:N` |
//! | metadata | the address of the client, and when it came |

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use process_registry::{Entry, Pinned, Registration, Registry};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::protocol::Notice;

pub(crate) type Sessions = Registry<User, Outbox, Peer, u64>;
pub(crate) type Lease = Registration<User, Outbox, Peer, u64>;

/// Notices that wait for a connection. Many more than a client that reads is ever behind, and few enough
/// that one that does not read costs little until it is dropped.
pub(crate) const QUEUE: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) joined: Instant,
}

/// The way to a connection.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    pub(crate) queue: mpsc::Sender<Frame>,
    /// Tells the session to end at once, where its queue is of no use.
    pub(crate) end: Arc<Notify>,
}

/// What is queued for a connection.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// A line; all the connections that it goes to share it.
    Line(Arc<str>),
    /// The last of a queue. It has to be said: that a queue is closed would be seen only when the last
    /// sender has been dropped, and one is in an entry that the registry frees some time after its removal.
    End,
}

impl Frame {
    pub(crate) fn of(notice: Notice) -> Self {
        Self::Line(format!("{notice}\n").into())
    }
}

pub(crate) fn user_tag(user: usize) -> String {
    format!("user:{user}")
}

pub(crate) fn room_tag(room: usize) -> String {
    format!("room:{room}")
}

pub(crate) struct Table {
    /// In an `Arc` because leases are taken from one.
    pub(crate) sessions: Arc<Sessions>,
    next_session: AtomicU64,
    slow: AtomicU64,
}

impl Table {
    pub(crate) fn new(local_node: &str) -> Self {
        Self {
            sessions: Arc::new(Sessions::new(local_node)),
            next_session: AtomicU64::new(1),
            slow: AtomicU64::new(0),
        }
    }

    pub(crate) fn new_session(&self) -> u64 {
        // Relaxed, as below: it has to be unique, no more.
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// How many sessions were dropped because their queue was full.
    pub(crate) fn slow(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    /// Queues a notice for every session that carries the tag; how many those were.
    ///
    /// It never waits: a client that does not read fills its own queue and nothing else. When that is full,
    /// the session is dropped, for to wait for it would hold up everybody else in the room, and to leave a
    /// notice out would be a lie to the client, which could not know.
    ///
    /// All of it is done under one pin, by borrowed entries. Nothing is copied but the notice's `Arc`. A
    /// session that changes rooms while this goes on gets the notice or does not; one that goes and comes
    /// back meanwhile might get it twice.
    pub(crate) fn send(&self, tag: &str, notice: Notice) -> usize {
        let frame = Frame::of(notice);
        let pinned = self.sessions.pin();
        let mut reached = 0;
        for entry in pinned.match_tag(tag) {
            let outbox = entry.pid().expect("what a tag finds is bound");
            match outbox.queue.try_send(frame.clone()) {
                Ok(()) => reached += 1,
                Err(TrySendError::Full(_)) => self.drop_slow(&pinned, entry),
                // Its session is ending, and takes the entry with it.
                Err(TrySendError::Closed(_)) => {}
            }
        }
        reached
    }

    /// Removes a session whose queue is full, so that nothing more is sent to it, and has it end. Its lease
    /// is lost; when the session drops it, nothing is left to be removed.
    fn drop_slow(
        &self,
        pinned: &Pinned<'_, User, Outbox, Peer, u64>,
        entry: &Entry<User, Outbox, Peer, u64>,
    ) {
        // One of several senders that find the queue full removes it.
        if pinned.delete(entry.id()).is_some() {
            self.slow.fetch_add(1, Ordering::Relaxed);
            entry.pid().expect("what a tag finds is bound").end.notify_one();
        }
    }
}
