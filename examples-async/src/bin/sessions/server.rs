//! The server: a few nodes, each with an acceptor of its own, and one table of sessions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use process_registry::Node;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::protocol::Notice;
use crate::session::{self, FAREWELL};
use crate::table::{Frame, Table};

pub(crate) const NODES: usize = 4;

/// What the system keeps for a client before the queue of its session begins to fill. Small, because there
/// are thousands.
const SEND_BUFFER: u32 = 16 * 1024;

/// Clients that have connected and not been accepted yet; the system may cut it down.
const BACKLOG: u32 = 4096;

/// After an error of the listener, for instance because there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Server {
    pub(crate) table: Table,
    pub(crate) nodes: Vec<Acceptor>,
    stop: watch::Sender<bool>,
}

/// One of the nodes.
pub(crate) struct Acceptor {
    pub(crate) name: Node,
    pub(crate) address: SocketAddr,
    open: Mutex<bool>,
}

impl Acceptor {
    /// Whether sessions may be registered on this node. None is registered but under this lock, so that none
    /// slips in behind a drain. It is held for a registration, and never across `.await`.
    pub(crate) fn open(&self) -> MutexGuard<'_, bool> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an acceptor leaves behind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Served {
    pub(crate) sessions: u64,
    pub(crate) panics: u64,
}

impl Server {
    /// Starts the acceptors, on ports of the system's choice.
    pub(crate) fn start() -> std::io::Result<(Arc<Self>, Vec<JoinHandle<Served>>)> {
        let (mut nodes, mut listeners) = (Vec::new(), Vec::new());
        for number in 0..NODES {
            let socket = TcpSocket::new_v4()?;
            // Connections inherit it.
            socket.set_send_buffer_size(SEND_BUFFER)?;
            socket.bind(([127, 0, 0, 1], 0).into())?;
            let listener = socket.listen(BACKLOG)?;
            nodes.push(Acceptor {
                name: Node::from(format!("node-{number}")),
                address: listener.local_addr()?,
                open: Mutex::new(true),
            });
            listeners.push(listener);
        }
        let table = Table::new(&nodes[0].name);
        let server = Arc::new(Self { table, nodes, stop: watch::Sender::new(false) });
        let accept = |(node, listener)| tokio::spawn(accept(Arc::clone(&server), node, listener));
        let acceptors = listeners.into_iter().enumerate().map(accept).collect();
        Ok((server, acceptors))
    }

    /// The first node from this one on that takes sessions.
    pub(crate) fn open_node(&self, from: usize) -> Option<usize> {
        (0..NODES).map(|step| (from + step) % NODES).find(|node| *self.nodes[*node].open())
    }

    /// Takes a node out of service: its sessions go out of the table, and their clients are told to go
    /// elsewhere. The sessions that went.
    pub(crate) async fn drain(&self, node: usize) -> Vec<u64> {
        let node = &self.nodes[node];
        // From here on nothing is registered on it, so one call removes all there is.
        *node.open() = false;
        let entries = self.table.sessions.children_on(&node.name);
        let removed = self.table.sessions.remove_node(&node.name);
        // The entries are kept, whatever has become of them in the table, and that across `.await`: here,
        // unlike in a broadcast, there is some time to wait for a queue.
        for entry in entries {
            let outbox = entry.pid().expect("what is on a node is bound");
            let told = timeout(FAREWELL, async {
                // An error means that the session has ended meanwhile.
                let _ = outbox.queue.send(Frame::of(Notice::Move)).await;
                let _ = outbox.queue.send(Frame::End).await;
            });
            if told.await.is_err() {
                outbox.end.notify_one();
            }
        }
        removed
    }

    /// Has the acceptors accept nothing more, and end with their last session.
    pub(crate) fn stop_accepting(&self) {
        self.stop.send_replace(true);
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which also is an end.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(server: Arc<Server>, node: usize, listener: TcpListener) -> Served {
    let mut stop = server.stop.subscribe();
    let mut sessions = JoinSet::new();
    let mut served = Served::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => {
                    served.sessions += 1;
                    sessions.spawn(session::serve(Arc::clone(&server), node, socket, address));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(ended) = sessions.join_next() => served.panics += u64::from(ended.is_err()),
            () = stopped(&mut stop) => break,
        }
    }
    drop(listener);
    while let Some(ended) = sessions.join_next().await {
        served.panics += u64::from(ended.is_err());
    }
    served
}
