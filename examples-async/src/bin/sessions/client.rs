//! A client: says what it is told to say, and checks everything that it hears.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep_until;

use crate::lines::Lines;
use crate::plan::Plan;
use crate::protocol::{Notice, Refusal, Request, Words};
use crate::server::Server;

pub(crate) struct Client {
    pub(crate) user: usize,
    /// The node it is connected to, and the number of its session there.
    pub(crate) node: usize,
    pub(crate) session: u64,
    pub(crate) address: SocketAddr,
    lines: Lines<OwnedReadHalf>,
    output: OwnedWriteHalf,
}

impl Client {
    /// Connects to a node.
    pub(crate) async fn connect(server: &Server, node: usize, user: usize) -> Result<Self, String> {
        let socket = TcpStream::connect(server.nodes[node].address).await;
        Self::over(
            socket.map_err(|error| format!("user {user} cannot connect: {error}"))?,
            node,
            user,
        )
    }

    /// A client that is not logged in.
    pub(crate) fn over(socket: TcpStream, node: usize, user: usize) -> Result<Self, String> {
        let failed = |error| format!("user {user} cannot set up a connection: {error}");
        socket.set_nodelay(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let (input, output) = socket.into_split();
        Ok(Self { user, node, session: 0, address, lines: Lines::new(input), output })
    }

    pub(crate) async fn log_in(mut self) -> Result<Self, String> {
        self.ask(Request::Login { user: self.user }).await?;
        match self.hear().await? {
            Notice::Welcome { session } => self.session = session,
            other => return Err(self.unexpected("a welcome", other)),
        }
        Ok(self)
    }

    /// Closes the connection, and opens one to the next open node, and into this room.
    pub(crate) async fn reconnect(self, server: &Server, room: usize) -> Result<Self, String> {
        let (user, node) = (self.user, self.node);
        drop(self);
        let node = server.open_node(node + 1).ok_or("no node is open")?;
        let mut client = Self::connect(server, node, user).await?.log_in().await?;
        client.join(room).await?;
        Ok(client)
    }

    pub(crate) async fn join(&mut self, room: usize) -> Result<(), String> {
        self.ask(Request::Join { room }).await?;
        self.expect(Notice::Joined { room }).await
    }

    /// Says what is its to say in a round, at times of its own choice, and hears what everybody says in its
    /// room. Returns when all of it has been heard, with the time that each notice took.
    pub(crate) async fn take_part(
        &mut self,
        plan: &Plan,
        epoch: Instant,
        spread: Duration,
        mut random: fastrand::Rng,
    ) -> Result<Vec<Duration>, String> {
        let room = plan.room_of(self.user);
        let mut hearing = plan.hearing(room);
        let mut to_say = 0..0;
        if plan.speakers(room).contains(&self.user) {
            to_say = plan.numbers();
        }
        let (mut to_confirm, mut latencies) = (to_say.clone(), Vec::new());
        let mut pause = || tokio::time::Instant::now() + spread.mul_f64(random.f64());
        let mut next = pause();
        while !(hearing.is_complete() && to_say.is_empty() && to_confirm.is_empty()) {
            tokio::select! {
                () = sleep_until(next), if !to_say.is_empty() => {
                    let number = to_say.start;
                    to_say.start += 1;
                    self.ask(Request::Say(words(number, epoch))).await?;
                    next = pause();
                }
                heard = self.hear() => match heard? {
                    Notice::Said { from, words } => {
                        hearing.hear(from, words).map_err(|error| self.fault(error))?;
                        latencies.push(age(words, epoch));
                    }
                    // To all members, this one included.
                    Notice::Sent { number, reached }
                        if to_confirm.next() == Some(number)
                            && reached == plan.members(room).len() => {}
                    other => return Err(self.unexpected("what is said in its room", other)),
                },
            }
        }
        Ok(latencies)
    }

    /// Tells another user, and is told by a third.
    pub(crate) async fn tell(
        &mut self,
        to: usize,
        told_by: usize,
        epoch: Instant,
    ) -> Result<(), String> {
        let number = self.user as u64;
        self.ask(Request::Tell { user: to, words: words(number, epoch) }).await?;
        let (mut sent, mut told) = (false, false);
        while !(sent && told) {
            match self.hear().await? {
                Notice::Sent { number: of, reached: 1 } if of == number && !sent => sent = true,
                Notice::Told { from, words }
                    if from == told_by && words.number == from as u64 && !told =>
                {
                    told = true;
                }
                other => return Err(self.unexpected("what it is told", other)),
            }
        }
        Ok(())
    }

    /// Speaks, and waits until everybody is served: how many that were.
    pub(crate) async fn say(&mut self, number: u64, epoch: Instant) -> Result<usize, String> {
        let words = words(number, epoch);
        self.ask(Request::Say(words)).await?;
        self.expect(Notice::Said { from: self.user, words }).await?;
        match self.hear().await? {
            Notice::Sent { number: of, reached } if of == number => Ok(reached),
            other => Err(self.unexpected("a confirmation", other)),
        }
    }

    /// Goes without a word; the server sees the connection reset.
    pub(crate) fn vanish(&self) -> Result<(), String> {
        let stream: &TcpStream = self.output.as_ref();
        stream.set_zero_linger().map_err(|error| self.fault(error))
    }

    /// Asks to be let in by a node that takes nobody.
    pub(crate) async fn is_refused(&mut self) -> Result<(), String> {
        self.ask(Request::Login { user: self.user }).await?;
        self.is_sent_away().await
    }

    /// Hears that its node is drained, and nothing else.
    pub(crate) async fn is_sent_away(&mut self) -> Result<(), String> {
        self.expect(Notice::Move).await?;
        self.is_cut_off().await
    }

    pub(crate) async fn quit(&mut self) -> Result<(), String> {
        self.ask(Request::Quit).await?;
        self.expect(Notice::Bye).await?;
        self.is_cut_off().await
    }

    /// Hears nothing more.
    pub(crate) async fn is_cut_off(&mut self) -> Result<(), String> {
        match self.lines.next().await {
            Ok(None) => Ok(()),
            Ok(Some(line)) => {
                let line = line.to_owned();
                Err(self.fault(format_args!("after the last notice there came `{line}`")))
            }
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Reads what has been said by a user until the server has closed the connection: how many notices
    /// there were, one after the other from this number on.
    pub(crate) async fn read_to_the_end(&mut self, from: usize, first: u64) -> Result<u64, String> {
        let mut next = first;
        // A connection that is reset, in the midst of a line or not, has ended as well.
        while let Ok(Some(line)) = self.lines.next().await {
            match Notice::parse(line) {
                Some(Notice::Said { from: speaker, words })
                    if speaker == from && words.number == next =>
                {
                    next += 1;
                }
                _ => {
                    let line = line.to_owned();
                    return Err(
                        self.fault(format_args!("number {next} is missing before `{line}`"))
                    );
                }
            }
        }
        Ok(next - first)
    }

    /// Sends what is no request, or one that is out of place, and is told so.
    pub(crate) async fn is_rebuked(&mut self, line: &str, why: Refusal) -> Result<(), String> {
        self.send(line).await?;
        self.expect(Notice::Error(why)).await
    }

    async fn ask(&mut self, request: Request) -> Result<(), String> {
        self.send(&request.to_string()).await
    }

    pub(crate) async fn send(&mut self, line: &str) -> Result<(), String> {
        let sent = self.output.write_all(format!("{line}\n").as_bytes()).await;
        sent.map_err(|error| self.fault(error))
    }

    /// The next notice. May be dropped at its `.await`, as the lines it is read from.
    async fn hear(&mut self) -> Result<Notice, String> {
        let user = self.user;
        let fault = |error: &dyn fmt::Display| format!("user {user}: {error}");
        let line = self.lines.next().await.map_err(|error| fault(&error))?;
        let line = line.ok_or_else(|| fault(&"the server has closed the connection"))?;
        Notice::parse(line).ok_or_else(|| fault(&format_args!("`{line}` is no notice")))
    }

    async fn expect(&mut self, expected: Notice) -> Result<(), String> {
        let heard = self.hear().await?;
        if heard == expected { Ok(()) } else { Err(self.unexpected(expected, heard)) }
    }

    fn unexpected(&self, expected: impl fmt::Display, heard: Notice) -> String {
        self.fault(format_args!("heard `{heard}`, not {expected}"))
    }

    fn fault(&self, fault: impl fmt::Display) -> String {
        format!("user {}: {fault}", self.user)
    }
}

/// Words that are said now.
fn words(number: u64, epoch: Instant) -> Words {
    Words { number, sent: u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX) }
}

/// How long ago they were said.
fn age(words: Words, epoch: Instant) -> Duration {
    epoch.elapsed().saturating_sub(Duration::from_nanos(words.sent))
}
