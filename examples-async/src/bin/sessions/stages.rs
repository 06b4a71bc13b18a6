//! The stages of a run, with a quiet point after each, at which the table is compared with the clients.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use examples_async::checks::Checks;
use examples_async::terminal::{conclude, say};
use examples_async::waiting::{finished, until};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::client::Client;
use crate::latency::{self, Latencies};
use crate::options::Options;
use crate::plan::Plan;
use crate::protocol::{Notice, Refusal, Words};
use crate::server::{NODES, Served, Server};
use crate::table::{Frame, User, room_tag, user_tag};

/// A speaker says one thing, then another after a pause of its own choice, up to this long.
const SPREAD: Duration = Duration::from_millis(500);

/// Clients that connect at the same time.
const CONNECTING: usize = 64;

/// Of so many clients one vanishes.
const VANISHING: usize = 10;

const DRAINED: usize = 1;

/// Tasks that look up while others speak.
const LOOKERS: u64 = 2;

/// What the client that does not read has the system keep for it; the system rounds it up.
const SMALL_BUFFER: u32 = 2 * 1024;

/// A client that does not read is expected to be dropped by then.
const PATIENCE: u64 = 100_000;

pub(crate) async fn run(connections: usize, options: &Options) -> Result<ExitCode, String> {
    let (server, acceptors) =
        Server::start().map_err(|error| format!("cannot start the server: {error}"))?;
    let begun = Instant::now();
    let mut chat = Chat {
        server,
        acceptors,
        clients: Vec::with_capacity(connections),
        plan: Arc::new(Plan::first(connections)),
        random: fastrand::Rng::with_seed(options.seed),
        epoch: begun,
        connected: 0,
        deliveries: Latencies::new(),
        lookups: Latencies::new(),
        checks: Checks::default(),
    };
    chat.connect(connections).await?;
    chat.round("all are there").await?;
    chat.change_rooms().await?;
    chat.round("many have changed rooms").await?;
    chat.tell_each_other().await?;
    let vanished = chat.vanish_and_return().await?;
    chat.round("some have come back").await?;
    chat.strangers().await?;
    let unread = chat.slow_consumer().await?;
    let drained = chat.drain().await?;
    if options.corrupt {
        chat.repeat_a_notice()?;
    }
    chat.last_round().await?;
    let served = chat.shut_down().await?;

    let plan = &chat.plan;
    say(format_args!("{:>9} connections to {NODES} nodes, in {} rooms", connections, plan.rooms()));
    say(format_args!("{vanished:>9} vanished and came back, {drained} were sent to another node"));
    say(format_args!(
        "{unread:>9} notices queued for a client that reads none, until it was dropped"
    ));
    say(format_args!("{served:>9} sessions in {:.1?}", begun.elapsed()));
    for (what, times) in [("broadcast delivery", &chat.deliveries), ("lookup", &chat.lookups)] {
        say(format_args!("{:>9} times {what}: {times}", times.count()));
    }
    let delivered = chat.deliveries.count();
    Ok(conclude("sessions", &chat.checks, format_args!("{delivered} broadcasts delivered")))
}

struct Chat {
    server: Arc<Server>,
    acceptors: Vec<JoinHandle<Served>>,
    /// Each at its user's place.
    clients: Vec<Client>,
    plan: Arc<Plan>,
    random: fastrand::Rng,
    epoch: Instant,
    /// Connections made so far.
    connected: u64,
    deliveries: Latencies,
    lookups: Latencies,
    checks: Checks,
}

impl Chat {
    /// Has every client do something, all at the same time, and waits for all of them; what they return is
    /// in no order.
    async fn all<T, F>(
        &mut self,
        what: &str,
        mut act: impl FnMut(Client) -> F,
    ) -> Result<Vec<T>, String>
    where
        F: Future<Output = Result<(Client, T), String>> + Send + 'static,
        T: Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for client in self.clients.drain(..) {
            tasks.spawn(act(client));
        }
        let mut results = Vec::with_capacity(tasks.len());
        while let Some(ended) = finished(what, tasks.join_next()).await? {
            let (client, result) = ended.map_err(broken)??;
            self.clients.push(client);
            results.push(result);
        }
        self.clients.sort_unstable_by_key(|client| client.user);
        Ok(results)
    }

    /// Some clients to each node, each in its room.
    async fn connect(&mut self, connections: usize) -> Result<(), String> {
        let turns = Arc::new(Semaphore::new(CONNECTING));
        let mut tasks = JoinSet::new();
        for user in 0..connections {
            let (server, plan) = (Arc::clone(&self.server), Arc::clone(&self.plan));
            let turns = Arc::clone(&turns);
            tasks.spawn(async move {
                let _turn = turns.acquire().await;
                let client = Client::connect(&server, user % NODES, user).await?;
                let mut client = client.log_in().await?;
                client.join(plan.room_of(user)).await?;
                Ok::<_, String>(client)
            });
        }
        while let Some(ended) = finished("the clients to connect", tasks.join_next()).await? {
            self.clients.push(ended.map_err(broken)??);
            self.connected += 1;
        }
        self.clients.sort_unstable_by_key(|client| client.user);
        self.compare("after all have connected");
        Ok(())
    }

    /// In every room some speak, and all hear them.
    async fn round(&mut self, when: &str) -> Result<(), String> {
        let (plan, epoch) = (Arc::clone(&self.plan), self.epoch);
        let mut random = self.random.fork();
        let heard = self.all("a round of broadcasts", |mut client| {
            let (plan, random) = (Arc::clone(&plan), random.fork());
            async move {
                let heard = client.take_part(&plan, epoch, SPREAD, random).await?;
                Ok((client, heard))
            }
        });
        let heard = heard.await?;
        let before = self.deliveries.count();
        heard.into_iter().flatten().for_each(|time| self.deliveries.record(time));
        let delivered = self.deliveries.count() - before;
        self.checks.same(&format!("deliveries when {when}"), &plan.deliveries(), &delivered);
        self.plan = Arc::new(plan.next());
        self.compare(&format!("after a round when {when}"));
        Ok(())
    }

    async fn change_rooms(&mut self) -> Result<(), String> {
        let before = Arc::clone(&self.plan);
        let plan = Arc::new(before.reshuffled(&mut self.random));
        self.plan = Arc::clone(&plan);
        let moved = self.all("the clients to change rooms", |mut client| {
            let (old, new) = (before.room_of(client.user), plan.room_of(client.user));
            async move {
                if old != new {
                    client.join(new).await?;
                }
                Ok((client, ()))
            }
        });
        moved.await?;
        self.compare("after many have changed rooms");
        Ok(())
    }

    /// Everybody tells somebody else, and is told by a third.
    async fn tell_each_other(&mut self) -> Result<(), String> {
        let (users, epoch) = (self.plan.users(), self.epoch);
        let step = users / 2 + 1;
        let told = self.all("the clients to tell each other", |mut client| async move {
            let (to, by) = ((client.user + step) % users, (client.user + users - step) % users);
            client.tell(to, by, epoch).await?;
            Ok((client, ()))
        });
        told.await.map(drop)
    }

    /// Some clients vanish, and come back at once; what they left behind goes by itself.
    async fn vanish_and_return(&mut self) -> Result<u64, String> {
        let (server, plan) = (Arc::clone(&self.server), Arc::clone(&self.plan));
        let came_back = self.all("the clients that vanish", |client| {
            let (server, room) = (Arc::clone(&server), plan.room_of(client.user));
            async move {
                if client.user % VANISHING != 0 {
                    return Ok((client, 0));
                }
                client.vanish()?;
                Ok((client.reconnect(&server, room).await?, 1))
            }
        });
        let came_back = came_back.await?.into_iter().sum();
        self.connected += came_back;
        // Those who have come back are there already, so this is the number once the others are gone.
        let clients = self.clients.len();
        until("the sessions of the vanished to go", || server.table.sessions.len() == clients)
            .await?;
        self.compare("after some have vanished and come back");
        Ok(came_back)
    }

    /// What is no request, or not in its place, gets an answer, and what is no line at all gets none.
    async fn strangers(&mut self) -> Result<(), String> {
        let user = self.plan.users();
        let mut client = Client::connect(&self.server, 0, user).await?;
        for line in ["HELLO", "", "LOGIN", "SAY 1"] {
            client.is_rebuked(line, Refusal::Unknown).await?;
        }
        for line in ["JOIN 1", "SAY 1 1", "TELL 1 1 1"] {
            client.is_rebuked(line, Refusal::OutOfPlace).await?;
        }
        let mut client = client.log_in().await?;
        client.is_rebuked("LOGIN 1", Refusal::OutOfPlace).await?;
        client.is_rebuked("SAY 1 1", Refusal::NoRoom).await?;
        client.quit().await?;

        let mut client = Client::connect(&self.server, 0, user).await?.log_in().await?;
        client.send(&"x".repeat(10_000)).await?;
        let heard =
            finished("an endless line to be refused", client.read_to_the_end(user, 0)).await??;
        self.checks.same("notices after an endless line", &0, &heard);
        self.connected += 2;
        let sessions = &self.server.table.sessions;
        until("the stranger to go", || sessions.tag_len(&user_tag(user)) == 0).await?;
        self.compare("after strangers");
        Ok(())
    }

    /// One client reads nothing. Another speaks to it until the server has dropped it, and is never held up.
    async fn slow_consumer(&mut self) -> Result<u64, String> {
        let (server, epoch) = (Arc::clone(&self.server), self.epoch);
        let (room, speaker, slow) = (self.plan.rooms(), self.plan.users(), self.plan.users() + 1);
        let small = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
            Ok(socket)
        };
        let failed = |error: std::io::Error| format!("user {slow} cannot connect: {error}");
        let socket = small().map_err(failed)?.connect(server.nodes[0].address).await;
        let mut slow = Client::over(socket.map_err(failed)?, 0, slow)?.log_in().await?;
        slow.join(room).await?;
        let mut speaker = Client::connect(&server, 0, speaker).await?.log_in().await?;
        speaker.join(room).await?;

        let speaking = async {
            for number in 0..PATIENCE {
                match speaker.say(number, epoch).await? {
                    2 => {}
                    1 => return Ok(number),
                    other => return Err(format!("{other} were reached in a room of two")),
                }
            }
            Err(format!("a client was sent {PATIENCE} notices without reading, and not dropped"))
        };
        let sent = finished("a client that does not read to be dropped", speaking).await??;
        self.checks.same("slow consumers dropped", &1, &server.table.slow());
        let tag = user_tag(slow.user);
        self.checks.same("sessions of the slow consumer", &0, &server.table.sessions.tag_len(&tag));
        // It gets what the system had kept for it, without a gap, and then the end.
        let read = finished("its end", slow.read_to_the_end(speaker.user, 0)).await??;
        self.checks.holds(read < sent, || format!("it was dropped and yet read {read} of {sent}"));
        speaker.quit().await?;
        self.connected += 2;
        self.compare("after a slow consumer");
        Ok(sent)
    }

    /// A node goes out of service; its clients connect to others.
    async fn drain(&mut self) -> Result<u64, String> {
        let server = Arc::clone(&self.server);
        let sessions = &server.table.sessions;
        let node = &server.nodes[DRAINED].name;
        let on_node = self.clients.iter().filter(|client| client.node == DRAINED);
        let expected: BTreeSet<u64> = on_node.map(|client| client.session).collect();
        let removed = server.drain(DRAINED).await;
        self.checks.same("drained sessions, each once", &expected.len(), &removed.len());
        self.checks.same("drained sessions", &expected, &removed.into_iter().collect());
        self.checks.same("sessions on the drained node", &0, &sessions.children_on(node).len());
        let rest = self.clients.len() - expected.len();
        self.checks.same("sessions on the other nodes", &rest, &sessions.len());

        Client::connect(&server, DRAINED, self.plan.users()).await?.is_refused().await?;
        let plan = Arc::clone(&self.plan);
        let turns = Arc::new(Semaphore::new(CONNECTING));
        let moved = self.all("the clients of the drained node", |mut client| {
            let (server, room) = (Arc::clone(&server), plan.room_of(client.user));
            let turns = Arc::clone(&turns);
            async move {
                if client.node != DRAINED {
                    return Ok((client, 0));
                }
                client.is_sent_away().await?;
                let _turn = turns.acquire().await;
                Ok((client.reconnect(&server, room).await?, 1))
            }
        });
        let moved = moved.await?.into_iter().sum();
        self.connected += 1 + moved;
        self.checks.same("bindings to the drained node", &0, &sessions.node_len(node));
        self.checks.holds(!sessions.nodes().contains(node), || format!("{node} is still a node"));
        self.compare("after a node was drained");
        Ok(moved)
    }

    /// Queues something for a client that nobody has said.
    fn repeat_a_notice(&self) -> Result<(), String> {
        let session = self.clients[0].session;
        let outbox = self.server.table.sessions.get_pid(&session).ok_or("nobody is there")?;
        let said = Notice::Said { from: 0, words: Words { number: 0, sent: 0 } };
        outbox.queue.try_send(Frame::of(said)).map_err(|error| error.to_string())
    }

    /// A round during which others look sessions up.
    async fn last_round(&mut self) -> Result<(), String> {
        let sessions = self.clients.iter().map(|client| (client.session, User(client.user)));
        let sessions: Arc<[(u64, User)]> = sessions.collect();
        let mut lookers = JoinSet::new();
        for seed in 0..LOOKERS {
            lookers.spawn(latency::look_up(Arc::clone(&self.server), Arc::clone(&sessions), seed));
        }
        self.round("a node is gone").await?;
        while let Some(ended) = finished("the lookups", lookers.join_next()).await? {
            self.lookups.add(&ended.map_err(broken)??);
        }
        Ok(())
    }

    /// All say goodbye, and the server ends. How many sessions it has had.
    async fn shut_down(&mut self) -> Result<u64, String> {
        let gone = self.all("the clients to quit", |mut client| async move {
            client.quit().await?;
            Ok((client, ()))
        });
        gone.await?;
        let sessions = &self.server.table.sessions;
        // Each has heard its farewell, and that comes after the end of its lease.
        self.checks.same("entries at the end", &0, &sessions.len_all());
        self.checks.same("tags at the end", &Vec::new(), &sessions.tags());
        self.checks.same("nodes at the end", &Vec::new(), &sessions.nodes());
        self.server.stop_accepting();
        let mut total = Served::default();
        for acceptor in self.acceptors.drain(..) {
            let served = finished("the acceptors to end", acceptor).await?.map_err(broken)?;
            total.sessions += served.sessions;
            total.panics += served.panics;
        }
        self.checks.same("connections served", &self.connected, &total.sessions);
        self.checks.same("sessions that panicked", &0, &total.panics);
        self.checks.same("slow consumers dropped in all", &1, &self.server.table.slow());
        Ok(total.sessions)
    }

    /// Compares the table with what the clients know of themselves, by id, by tag, and by node.
    fn compare(&mut self, when: &str) {
        let (server, plan, clients) = (&self.server, &self.plan, &self.clients);
        let sessions = &server.table.sessions;
        let pinned = sessions.pin();
        let wrong = clients.iter().find(|client| {
            let tags = [user_tag(client.user), room_tag(plan.room_of(client.user))];
            !pinned.lookup(&client.session).is_some_and(|entry| {
                *entry.spec() == User(client.user)
                    && entry.tags() == tags
                    && entry.metadata().address == client.address
                    && entry.metadata().joined > self.epoch
                    && entry.bindings().len() == 1
                    && entry.pid_on(&server.nodes[client.node].name).is_some()
            })
        });
        let checks = &mut self.checks;
        checks.holds(wrong.is_none(), || {
            let user = wrong.map(|client| client.user);
            format!("the entry of user {user:?} differs {when}")
        });
        checks.same(&format!("sessions {when}"), &clients.len(), &sessions.len());
        let rooms = (0..plan.rooms()).filter(|room| !plan.members(*room).is_empty());
        let tags = clients.len() + rooms.count();
        checks.same(&format!("tags of users and rooms {when}"), &tags, &sessions.tags().len());
        let by = |what: &dyn fmt::Display| format!("sessions by {what} {when}");
        for room in 0..plan.rooms() {
            let tag = room_tag(room);
            let mut members: Vec<usize> =
                pinned.match_tag(&tag).map(|entry| entry.spec().0).collect();
            members.sort_unstable();
            checks.same(&by(&tag), &plan.members(room), &members.as_slice());
        }
        for (at, node) in server.nodes.iter().enumerate() {
            let on_node = clients.iter().filter(|client| client.node == at);
            let expected: BTreeSet<u64> = on_node.map(|client| client.session).collect();
            let found = pinned.children_on(&node.name).map(|entry| *entry.id()).collect();
            checks.same(&by(&node.name), &expected, &found);
        }
    }
}

/// A task of the program itself has panicked.
fn broken(error: tokio::task::JoinError) -> String {
    format!("a task failed: {error}")
}
