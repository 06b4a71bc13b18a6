//! A session: the task of a connection, and the lease of its child.
//!
//! The lease lives in the task, across every `.await` of it. Whichever way the task ends, by a client's
//! farewell, by a connection that breaks, by a panic, the child goes with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use process_registry::{Child, NoChild};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::lines::Lines;
use crate::protocol::{Notice, Refusal, Request, Words};
use crate::server::Server;
use crate::table::{Frame, Lease, Outbox, Peer, QUEUE, User, room_tag, user_tag};

/// How long a client may take to read its last notices.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

pub(crate) async fn serve(
    server: Arc<Server>,
    node: usize,
    socket: TcpStream,
    address: SocketAddr,
) {
    // A failure costs latency, no more.
    let _ = socket.set_nodelay(true);
    let (input, output) = socket.into_split();
    let (queue, frames) = mpsc::channel(QUEUE);
    let mut writer = tokio::spawn(write(output, frames));
    let outbox = Outbox { queue, end: Arc::new(Notify::new()) };
    let end = Arc::clone(&outbox.end);
    let mut session = Session { server, node, address, outbox, place: None };
    let mut lines = Lines::new(input);
    let ended = loop {
        let line = tokio::select! {
            line = lines.next() => line,
            () = end.notified() => break Ended::Broken,
            // It has written the last of the queue, as after a drain, or the connection is broken.
            _ = &mut writer => return,
        };
        // A line that is none, and a socket that fails, end the session as the end of the input does.
        let Ok(Some(line)) = line else { break Ended::Broken };
        if let Err(ended) = session.handle(Request::parse(line)) {
            break ended;
        }
    };
    // The child goes before the connection does.
    drop(session);
    // What is queued is still written, up to the `End`, if the client reads it.
    let written = match ended {
        Ended::InOrder => timeout(FAREWELL, &mut writer).await.is_ok(),
        Ended::Broken => false,
    };
    if !written {
        writer.abort();
    }
}

/// Why a session is over.
enum Ended {
    InOrder,
    Broken,
}

impl From<NoChild> for Ended {
    /// Somebody has taken the child out of the table: a drain, which queues the last notice and the `End`;
    /// or a sender that found the queue full, after which there is not much hope.
    fn from(_: NoChild) -> Self {
        Self::InOrder
    }
}

struct Session {
    server: Arc<Server>,
    node: usize,
    address: SocketAddr,
    outbox: Outbox,
    /// Once logged in.
    place: Option<Place>,
}

struct Place {
    lease: Lease,
    user: usize,
    room: Option<usize>,
}

impl Session {
    fn handle(&mut self, request: Option<Request>) -> Result<(), Ended> {
        match (request, &mut self.place) {
            (None, _) => self.reply(Notice::Error(Refusal::Unknown)),
            (Some(Request::Login { user }), None) => self.log_in(user),
            (Some(Request::Quit), _) => {
                // First the child, then the farewell: whoever has heard it is not in the table any more.
                self.place = None;
                self.reply(Notice::Bye)?;
                self.queue(Frame::End)?;
                Err(Ended::InOrder)
            }
            (Some(Request::Join { room }), Some(place)) => {
                place.join(room)?;
                self.reply(Notice::Joined { room })
            }
            (Some(Request::Say(words)), Some(Place { user, room: Some(room), .. })) => {
                let notice = Notice::Said { from: *user, words };
                let reached = self.server.table.send(&room_tag(*room), notice);
                self.confirm(words, reached)
            }
            (Some(Request::Say(_)), Some(_)) => self.reply(Notice::Error(Refusal::NoRoom)),
            (Some(Request::Tell { user: to, words }), Some(Place { user, .. })) => {
                let notice = Notice::Told { from: *user, words };
                let reached = self.server.table.send(&user_tag(to), notice);
                self.confirm(words, reached)
            }
            (Some(_), _) => self.reply(Notice::Error(Refusal::OutOfPlace)),
        }
    }

    fn log_in(&mut self, user: usize) -> Result<(), Ended> {
        let table = &self.server.table;
        let node = &self.server.nodes[self.node];
        let id = table.new_session();
        let child = Child::new(User(user))
            .on(&node.name, self.outbox.clone())
            .tag(user_tag(user))
            .metadata(Peer { address: self.address, joined: Instant::now() });
        let lease = {
            let open = node.open();
            // An id that was never used before cannot be taken.
            if *open { table.sessions.register(id, child).ok() } else { None }
        };
        match lease {
            Some(lease) => {
                self.place = Some(Place { lease, user, room: None });
                self.reply(Notice::Welcome { session: id })
            }
            None => {
                self.reply(Notice::Move)?;
                self.queue(Frame::End)?;
                Err(Ended::InOrder)
            }
        }
    }

    fn confirm(&self, words: Words, reached: usize) -> Result<(), Ended> {
        self.reply(Notice::Sent { number: words.number, reached })
    }

    fn reply(&self, notice: Notice) -> Result<(), Ended> {
        self.queue(Frame::of(notice))
    }

    /// A client that asks without reading the answers is dropped like one that does not read what others
    /// say.
    fn queue(&self, frame: Frame) -> Result<(), Ended> {
        self.outbox.queue.try_send(frame).map_err(|_| Ended::Broken)
    }
}

impl Place {
    /// Changes rooms, in one step: no broadcast finds the session in both rooms, or in none.
    fn join(&mut self, room: usize) -> Result<(), NoChild> {
        let left = self.room.map(room_tag);
        self.lease.update(|child| {
            if let Some(left) = &left {
                child.remove_tag(left);
            }
            child.add_tag(room_tag(room));
        })?;
        self.room = Some(room);
        Ok(())
    }
}

/// Writes what is queued, as much as there is at a time, until the end of the queue or of the connection.
async fn write(mut output: OwnedWriteHalf, mut frames: mpsc::Receiver<Frame>) {
    let (mut batch, mut bytes) = (Vec::with_capacity(QUEUE), Vec::new());
    while frames.recv_many(&mut batch, QUEUE).await > 0 {
        bytes.clear();
        let mut last = false;
        for frame in batch.drain(..) {
            match frame {
                Frame::Line(line) => bytes.extend_from_slice(line.as_bytes()),
                Frame::End => last = true,
            }
        }
        if output.write_all(&bytes).await.is_err() || last {
            return;
        }
    }
}
