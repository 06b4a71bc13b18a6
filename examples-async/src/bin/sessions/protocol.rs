//! What clients and server say to each other: a line for each message, words and numbers.

use std::fmt;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Login {
        user: usize,
    },
    /// Enters a room, and leaves the one it was in.
    Join {
        room: usize,
    },
    /// To all in the room, the speaker included.
    Say(Words),
    /// To a user, in whatever room.
    Tell {
        user: usize,
        words: Words,
    },
    Quit,
}

/// What the server tells a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Logged in; the number of the session.
    Welcome {
        session: u64,
    },
    Joined {
        room: usize,
    },
    Said {
        from: usize,
        words: Words,
    },
    Told {
        from: usize,
        words: Words,
    },
    /// The answer to `Say` and `Tell`: how many sessions these words were queued for.
    Sent {
        number: u64,
        reached: usize,
    },
    /// This node is drained: the session is over, and another node will take the client.
    Move,
    Bye,
    Error(Refusal),
}

/// In the place of a text: a number to know it by, and when it was sent, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) number: u64,
    pub(crate) sent: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not a request.
    Unknown,
    /// One for those who are not logged in, or for those who are.
    OutOfPlace,
    /// To speak, one has to be in a room.
    NoRoom,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login { user } => write!(f, "LOGIN {user}"),
            Self::Join { room } => write!(f, "JOIN {room}"),
            Self::Say(words) => write!(f, "SAY {words}"),
            Self::Tell { user, words } => write!(f, "TELL {user} {words}"),
            Self::Quit => f.write_str("QUIT"),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Welcome { session } => write!(f, "WELCOME {session}"),
            Self::Joined { room } => write!(f, "JOINED {room}"),
            Self::Said { from, words } => write!(f, "SAID {from} {words}"),
            Self::Told { from, words } => write!(f, "TOLD {from} {words}"),
            Self::Sent { number, reached } => write!(f, "SENT {number} {reached}"),
            Self::Move => f.write_str("MOVE"),
            Self::Bye => f.write_str("BYE"),
            Self::Error(Refusal::Unknown) => f.write_str("ERROR unknown"),
            Self::Error(Refusal::OutOfPlace) => f.write_str("ERROR out-of-place"),
            Self::Error(Refusal::NoRoom) => f.write_str("ERROR no-room"),
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.sent)
    }
}

impl Request {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = Parts(line.split(' '));
        let request = match parts.0.next()? {
            "LOGIN" => Self::Login { user: parts.number()? },
            "JOIN" => Self::Join { room: parts.number()? },
            "SAY" => Self::Say(parts.words()?),
            "TELL" => Self::Tell { user: parts.number()?, words: parts.words()? },
            "QUIT" => Self::Quit,
            _ => return None,
        };
        parts.at_end().then_some(request)
    }
}

impl Notice {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut parts = Parts(line.split(' '));
        let notice = match parts.0.next()? {
            "WELCOME" => Self::Welcome { session: parts.number()? },
            "JOINED" => Self::Joined { room: parts.number()? },
            "SAID" => Self::Said { from: parts.number()?, words: parts.words()? },
            "TOLD" => Self::Told { from: parts.number()?, words: parts.words()? },
            "SENT" => Self::Sent { number: parts.number()?, reached: parts.number()? },
            "MOVE" => Self::Move,
            "BYE" => Self::Bye,
            "ERROR" => Self::Error(match parts.0.next()? {
                "unknown" => Refusal::Unknown,
                "out-of-place" => Refusal::OutOfPlace,
                "no-room" => Refusal::NoRoom,
                _ => return None,
            }),
            _ => return None,
        };
        parts.at_end().then_some(notice)
    }
}

/// The words of a line that are still to be read.
struct Parts<'a>(std::str::Split<'a, char>);

impl Parts<'_> {
    fn number<N: std::str::FromStr>(&mut self) -> Option<N> {
        self.0.next()?.parse().ok()
    }

    fn words(&mut self) -> Option<Words> {
        Some(Words { number: self.number()?, sent: self.number()? })
    }

    fn at_end(mut self) -> bool {
        self.0.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words = Words { number: 7, sent: u64::MAX };

    #[test]
    fn what_is_written_is_read() {
        let requests = [
            Request::Login { user: 1 },
            Request::Join { room: 0 },
            Request::Say(WORDS),
            Request::Tell { user: 3, words: WORDS },
            Request::Quit,
        ];
        for request in requests {
            assert_eq!(Request::parse(&request.to_string()), Some(request));
        }
        let notices = [
            Notice::Welcome { session: 9 },
            Notice::Joined { room: 2 },
            Notice::Said { from: 4, words: WORDS },
            Notice::Told { from: 5, words: WORDS },
            Notice::Sent { number: 6, reached: 50 },
            Notice::Move,
            Notice::Bye,
            Notice::Error(Refusal::Unknown),
            Notice::Error(Refusal::OutOfPlace),
            Notice::Error(Refusal::NoRoom),
        ];
        for notice in notices {
            assert_eq!(Notice::parse(&notice.to_string()), Some(notice));
        }
    }

    #[test]
    fn nothing_else_is_a_request() {
        for line in
            ["", "QUIT ", "QUIT 1", "LOGIN", "LOGIN x", "LOGIN -1", "SAY 1", "JOIN 1 2", "quit"]
        {
            assert_eq!(Request::parse(line), None, "{line:?}");
        }
    }
}
