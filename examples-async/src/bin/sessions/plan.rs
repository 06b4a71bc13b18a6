//! Who is in which room during a round, and who speaks: what everybody has to hear follows from it.

use crate::protocol::Words;

/// Members of each room who speak.
pub(crate) const SPEAKERS: usize = 2;

/// Broadcasts of each of them in a round.
pub(crate) const BROADCASTS: u64 = 5;

/// Clients of an average room.
const ROOM_SIZE: usize = 40;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Of each user.
    rooms: Vec<usize>,
    /// Of each room, the users in ascending order.
    members: Vec<Vec<usize>>,
    round: u64,
}

impl Plan {
    /// The first round; all rooms are of about one size.
    pub(crate) fn first(users: usize) -> Self {
        let rooms = users.div_ceil(ROOM_SIZE);
        Self::of((0..users).map(|user| user % rooms).collect(), rooms, 0)
    }

    fn of(rooms: Vec<usize>, count: usize, round: u64) -> Self {
        let mut members = vec![Vec::new(); count];
        for (user, room) in rooms.iter().enumerate() {
            members[*room].push(user);
        }
        Self { rooms, members, round }
    }

    /// The next round, with everybody in the same room as before.
    pub(crate) fn next(&self) -> Self {
        Self { round: self.round + 1, ..self.clone() }
    }

    /// The next round; about half of the users go to a room of their choice.
    pub(crate) fn reshuffled(&self, random: &mut fastrand::Rng) -> Self {
        let count = self.members.len();
        let next = |room: &usize| if random.bool() { random.usize(..count) } else { *room };
        Self::of(self.rooms.iter().map(next).collect(), count, self.round + 1)
    }

    pub(crate) fn users(&self) -> usize {
        self.rooms.len()
    }

    pub(crate) fn rooms(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn room_of(&self, user: usize) -> usize {
        self.rooms[user]
    }

    pub(crate) fn members(&self, room: usize) -> &[usize] {
        &self.members[room]
    }

    pub(crate) fn speakers(&self, room: usize) -> &[usize] {
        let members = &self.members[room];
        &members[..members.len().min(SPEAKERS)]
    }

    /// The numbers of the broadcasts of each speaker in this round. No round has those of another.
    pub(crate) fn numbers(&self) -> std::ops::Range<u64> {
        self.round * BROADCASTS..(self.round + 1) * BROADCASTS
    }

    /// How many notices the broadcasts of this round have to become.
    pub(crate) fn deliveries(&self) -> u64 {
        let of_room = |room| self.members(room).len() * self.speakers(room).len();
        (0..self.rooms()).map(of_room).sum::<usize>() as u64 * BROADCASTS
    }

    /// What a member of the room has heard so far, to be compared with what there is to hear.
    pub(crate) fn hearing(&self, room: usize) -> Hearing<'_> {
        let speakers = self.speakers(room);
        Hearing {
            speakers,
            next: vec![self.numbers().start; speakers.len()],
            end: self.numbers().end,
        }
    }
}

/// The broadcasts of a round as one client hears them: of each speaker all, once, in their order.
pub(crate) struct Hearing<'a> {
    speakers: &'a [usize],
    /// The number that each of the speakers has to be heard with next.
    next: Vec<u64>,
    end: u64,
}

impl Hearing<'_> {
    pub(crate) fn hear(&mut self, from: usize, words: Words) -> Result<(), String> {
        let Some(at) = self.speakers.iter().position(|speaker| *speaker == from) else {
            return Err(format!("user {from}, who does not speak in this room, was heard"));
        };
        let (expected, number) = (self.next[at], words.number);
        if number != expected || number >= self.end {
            return Err(format!("from user {from}: number {number}, where {expected} comes next"));
        }
        self.next[at] += 1;
        Ok(())
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.next.iter().all(|next| *next == self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(number: u64) -> Words {
        Words { number, sent: 0 }
    }

    #[test]
    fn nothing_is_heard_twice_or_out_of_turn_or_from_elsewhere() {
        let plan = Plan::first(80).next();
        let room = plan.room_of(5);
        let speaker = plan.speakers(room)[0];
        let first = plan.numbers().start;
        let mut hearing = plan.hearing(room);
        assert!(hearing.hear(speaker, words(first + 1)).is_err());
        assert!(hearing.hear(speaker, words(first - 1)).is_err());
        assert_eq!(hearing.hear(speaker, words(first)), Ok(()));
        assert!(hearing.hear(speaker, words(first)).is_err());
        assert!(hearing.hear(plan.members(room)[SPEAKERS], words(first)).is_err());
    }

    #[test]
    fn a_round_is_complete_when_all_is_heard_and_then_nothing_more() {
        let plan = Plan::first(80);
        let room = plan.room_of(0);
        let mut hearing = plan.hearing(room);
        for number in plan.numbers() {
            for speaker in plan.speakers(room) {
                assert!(!hearing.is_complete());
                assert_eq!(hearing.hear(*speaker, words(number)), Ok(()));
            }
        }
        assert!(hearing.is_complete());
        assert!(hearing.hear(plan.speakers(room)[0], words(plan.numbers().end)).is_err());
    }

    #[test]
    fn everybody_is_in_one_room() {
        let plan = Plan::first(1_000).reshuffled(&mut fastrand::Rng::with_seed(3));
        let mut users: Vec<usize> =
            (0..plan.rooms()).flat_map(|room| plan.members(room).to_vec()).collect();
        users.sort_unstable();
        assert!(users.into_iter().eq(0..1_000));
        let moved =
            (0..1_000).filter(|user| plan.room_of(*user) != Plan::first(1_000).room_of(*user));
        assert!((300..700).contains(&moved.count()));
    }
}
