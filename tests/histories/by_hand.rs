//! Histories written by hand: what is wrong must be rejected, and what differs from it by a little and
//! is right must not be.

use crate::check::{check, explains, project};
use crate::model::{Edit, GRACE, Kind, OneId, Query, Told};
use crate::perform::Call;
use crate::value::{Bindings, Life, NEVER, Seen, Tags, Wish, data, pid};

const RED: Tags = Tags(1);
const GREEN: Tags = Tags(2);

/// Number `serial`, on the first node, red.
fn wish(serial: u32) -> Wish {
    let bindings = [(0, pid(serial, 0))].into_iter().collect();
    Wish { serial, bindings, tags: RED, life: Life::Unsaid }
}

fn leased(serial: u32, ttl: u64) -> Wish {
    Wish { life: Life::For(ttl), ..wish(serial) }
}

/// What [`wish`] looks like, of incarnation `serial`.
fn seen(serial: u32, version: u64) -> Seen {
    Seen {
        spec: Some(serial),
        data: Some(data(serial)),
        bindings: Some(wish(serial).bindings),
        pid_on: None,
        tags: Some(RED),
        due: Some(NEVER),
        stamp: Some((u64::from(serial), version)),
    }
}

fn due(seen: Seen, due: u64) -> Seen {
    Seen { due: Some(due), ..seen }
}

fn insert(serial: u32, before: Option<Seen>) -> Kind {
    Kind::Replace { before, wish: wish(serial), after: Seen::default() }
}

fn lease(serial: u32, ttl: u64) -> Kind {
    Kind::Replace { before: None, wish: leased(serial, ttl), after: Seen::default() }
}

fn claim(serial: u32) -> Kind {
    Kind::Claim { wish: wish(serial), after: seen(serial, 1) }
}

fn update(seen: Seen, edit: Edit) -> Kind {
    Kind::Change { seen, edits: [edit].into_iter().collect(), after: Seen::default() }
}

fn saw(seen: Seen) -> Kind {
    Kind::See(Query::Live, seen)
}

/// A history of one id; the time is kept by its [`advance`](Self::advance).
#[derive(Default)]
struct Tale {
    calls: Vec<Call>,
    now: u64,
}

impl Tale {
    /// Thread, beginning and end, and what happened.
    fn call(self, thread: usize, span: (u64, u64), steps: &[Kind]) -> Self {
        let clock = (self.now, self.now);
        self.timed(thread, span, clock, steps)
    }

    /// The same while the time goes on.
    fn timed(mut self, thread: usize, span: (u64, u64), clock: (u64, u64), steps: &[Kind]) -> Self {
        let steps = steps.iter().map(|kind| (0, kind.clone())).collect();
        self.calls.push(Call { thread, span, clock, name: "call", steps });
        self
    }

    fn advance(mut self, span: (u64, u64), by: u64) -> Self {
        let from = self.now;
        self.now += by;
        let clock = (from, self.now);
        self.timed(9, span, clock, &[Kind::Advance(by)])
    }

    fn verdict(mut self) -> Result<(), String> {
        self.calls.sort_by_key(|call| call.span);
        check(&self.calls, 1).map(|_| ())
    }

    #[track_caller]
    fn right(self) {
        if let Err(wrong) = self.verdict() {
            panic!("{wrong}");
        }
    }

    #[track_caller]
    fn wrong(self) {
        assert!(self.verdict().is_err(), "explained");
    }
}

#[test]
fn a_lost_update() {
    let first = Seen { stamp: None, due: None, ..seen(1, 1) };
    let two = || {
        Tale::default().call(0, (0, 1), &[insert(1, None)]).call(
            0,
            (2, 6),
            &[update(first, Edit::Bind(1, 41))],
        )
    };
    let second = |seen| [update(seen, Edit::Bind(2, 42))];
    two().call(1, (3, 5), &second(first)).wrong();
    let both = [(0, pid(1, 0)), (1, 41)].into_iter().collect();
    two().call(1, (3, 5), &second(Seen { bindings: Some(both), ..first })).right();
    // Nor may one be left out of what is seen later.
    two().call(1, (7, 8), &[saw(first)]).wrong();
    two().call(1, (7, 8), &[saw(Seen::bindings(both))]).right();
}

#[test]
fn a_stale_read() {
    let two = || {
        let first = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        first.call(0, (2, 5), &[insert(2, Some(seen(1, 1)))])
    };
    two().call(1, (6, 7), &[saw(seen(1, 1))]).wrong();
    two().call(1, (3, 4), &[saw(seen(1, 1))]).right();
    // What one has seen nobody may miss afterwards.
    two().call(1, (3, 4), &[saw(seen(2, 1))]).right();
    let seen_first = two().call(1, (3, 4), &[saw(seen(2, 1))]);
    seen_first.call(2, (5, 6), &[saw(seen(1, 1))]).wrong();
}

#[test]
fn two_that_win_one_id() {
    let two = || Tale::default().call(0, (0, 3), &[claim(1)]).call(1, (1, 2), &[claim(2)]);
    two().wrong();
    two().call(2, (0, 3), &[Kind::Take(seen(1, 1))]).right();
    Tale::default().call(0, (0, 3), &[claim(1)]).call(1, (1, 2), &[saw(seen(1, 1))]).right();
    Tale::default().call(0, (0, 3), &[claim(1)]).call(1, (4, 5), &[claim(2)]).wrong();
}

#[test]
fn what_is_cleared_is_gone_or_came_too_late() {
    let cleared = || {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        tale.call(0, (4, 5), &[Kind::Clear])
    };
    cleared().call(1, (6, 7), &[Kind::Miss(Query::Any)]).right();
    cleared().call(1, (6, 7), &[saw(seen(1, 1))]).right();
    cleared().call(1, (2, 3), &[Kind::Miss(Query::Any)]).wrong();
    let gone = || cleared().call(1, (6, 7), &[Kind::Miss(Query::Any)]);
    gone().call(1, (8, 9), &[saw(seen(1, 1))]).wrong();
    cleared().call(1, (6, 7), &[saw(seen(1, 2))]).wrong();
}

#[test]
fn a_value_read_after_its_delete() {
    let gone = || {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        tale.call(0, (2, 5), &[Kind::Take(seen(1, 1))])
    };
    gone().call(1, (6, 7), &[saw(seen(1, 1))]).wrong();
    gone().call(1, (3, 4), &[saw(seen(1, 1))]).right();
    gone().call(1, (6, 7), &[Kind::Miss(Query::Any)]).right();
    gone().call(1, (3, 4), &[Kind::Take(seen(1, 1))]).wrong();
    gone().call(1, (3, 4), &[Kind::Void]).right();
}

#[test]
fn what_never_carried_the_tag() {
    let tagged = |query, seen| Kind::See(Query::Tagged(query), seen);
    let tale = || {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        tale.call(0, (2, 3), &[update(Seen::default(), Edit::AddTag(1))])
    };
    tale().call(1, (4, 5), &[tagged(GREEN, Seen::bindings(wish(1).bindings))]).right();
    tale().call(1, (4, 5), &[tagged(GREEN, seen(1, 1))]).wrong();
    tale().call(1, (4, 5), &[tagged(Tags(4), Seen::default())]).wrong();
    tale().call(1, (4, 5), &[tagged(RED, Seen::bindings(wish(2).bindings))]).wrong();
}

#[test]
fn what_carried_the_tag_all_the_time_and_was_missed() {
    let missed = |query| [Kind::Miss(query)];
    let tale = |edit| {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        let tale = tale.call(0, (3, 4), &[update(Seen::default(), edit)]);
        tale.call(0, (5, 6), &[insert(2, Some(Seen::default()))])
    };
    let changed = Edit::Bind(0, 77);
    tale(changed).call(1, (2, 7), &missed(Query::Tagged(RED))).wrong();
    tale(changed).call(1, (2, 7), &missed(Query::On(0))).wrong();
    tale(changed).call(1, (2, 7), &missed(Query::On(1))).right();
    tale(Edit::RemoveTag(0)).call(1, (2, 7), &missed(Query::Tagged(RED))).right();
    tale(Edit::UnbindAll).call(1, (2, 7), &missed(Query::Tagged(RED))).right();
    tale(Edit::UnbindAll).call(1, (2, 7), &missed(Query::Any)).wrong();
}

#[test]
fn listed_twice_without_an_absence() {
    let twice = [saw(seen(1, 1)), Kind::Miss(Query::Live), saw(seen(2, 1))];
    let tale = || Tale::default().call(0, (0, 1), &[insert(1, None)]);
    tale().call(0, (3, 4), &[insert(2, Some(seen(1, 1)))]).call(1, (2, 7), &twice).wrong();
    let gone = || tale().call(0, (3, 4), &[Kind::Take(seen(1, 1))]);
    gone().call(0, (5, 6), &[insert(2, None)]).call(1, (2, 7), &twice).right();
    // The later one does not come first.
    let turned = [saw(seen(2, 1)), Kind::Miss(Query::Live), saw(seen(1, 1))];
    gone().call(0, (5, 6), &[insert(2, None)]).call(1, (2, 7), &turned).wrong();
}

#[test]
fn seen_after_the_deadline() {
    let tale = || Tale::default().call(0, (0, 1), &[lease(1, 2)]).advance((2, 3), 2);
    tale().call(1, (4, 5), &[saw(due(seen(1, 1), 2))]).wrong();
    tale().call(1, (4, 5), &[Kind::See(Query::Any, Seen::default())]).wrong();
    tale().call(1, (4, 5), &[Kind::Miss(Query::Any)]).right();
    tale().call(1, (4, 5), &[Kind::Void]).right();
    tale().call(1, (4, 5), &[claim(2)]).right();
    let early = || Tale::default().call(0, (0, 1), &[lease(1, 2)]).advance((2, 3), 1);
    early().call(1, (4, 5), &[saw(due(seen(1, 1), 2))]).right();
    early().call(1, (4, 5), &[saw(due(seen(1, 1), 3))]).wrong();
    early().call(1, (4, 5), &[Kind::Miss(Query::Any)]).wrong();
    early().call(1, (4, 5), &[claim(2)]).wrong();
}

#[test]
fn a_deadline_lies_between_the_two_that_the_clock_allows() {
    // The time went on during the insert: the lease ends at 2 or at 3, and not at both.
    let tale = || {
        let tale = Tale::default().timed(0, (0, 3), (0, 1), &[lease(1, 2)]).advance((1, 2), 1);
        tale.advance((4, 5), 1)
    };
    tale().call(1, (6, 7), &[saw(seen(1, 1))]).wrong();
    tale().call(1, (6, 7), &[saw(due(seen(1, 1), 3))]).right();
    tale().call(1, (6, 7), &[saw(due(seen(1, 1), 2))]).wrong();
    tale().call(1, (6, 7), &[Kind::Miss(Query::Live)]).right();
    let torn = tale().call(1, (6, 7), &[Kind::Miss(Query::Live)]);
    torn.call(1, (8, 9), &[saw(Seen::default())]).wrong();
}

#[test]
fn a_write_that_looked_in_time() {
    let renew = [update(Seen::default(), Edit::Ttl(9))];
    let tale = || {
        let tale = Tale::default().call(0, (0, 1), &[lease(1, 2)]).advance((3, 4), 2);
        tale.call(1, (5, 6), &[Kind::Miss(Query::Live)])
    };
    // It began before the deadline and ended after the read: the one relaxation.
    let relaxed =
        || tale().timed(0, (2, 9), (0, 2), &renew).call(1, (7, 8), &[saw(Seen::default())]);
    let events = project(&relaxed().calls, 0);
    assert!(explains::<OneId>(&events) && !explains::<OneId<true>>(&events));
    relaxed().right();
    // After it has been seen there is no way back.
    relaxed().call(2, (8, 9), &[Kind::Miss(Query::Live)]).wrong();
    // Had it begun after the deadline, it could not have looked in time.
    tale().timed(0, (4, 9), (2, 2), &renew).wrong();
    // Had it ended before the read began, the read would have had to see it.
    let ended = Tale::default().call(0, (0, 1), &[lease(1, 2)]).advance((3, 4), 2);
    let ended = ended.timed(0, (2, 5), (0, 2), &renew);
    ended.call(1, (6, 7), &[Kind::Miss(Query::Live)]).wrong();
    // A write that found nothing has swept it; one of both must have been wrong.
    let swept = Tale::default().call(0, (0, 1), &[lease(1, 2)]).advance((3, 4), 2);
    swept.call(1, (5, 6), &[Kind::Void]).timed(0, (2, 9), (0, 2), &renew).wrong();
    // A read has no such right.
    tale().timed(0, (2, 9), (0, 2), &[saw(Seen::default())]).right();
    let between = tale().timed(0, (2, 9), (0, 2), &[saw(Seen::default())]);
    between.call(2, (7, 8), &[saw(Seen::default())]).wrong();
}

#[test]
fn a_tombstone_lasts_as_long_as_it_should() {
    let buried = || {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        let event = Told::Event(wish(1).bindings, (1, 2));
        tale.call(0, (2, 3), &[Kind::Unbind(0b001, event)])
    };
    let any = Kind::See(Query::Any, Seen::default());
    buried().call(1, (4, 5), &[Kind::Miss(Query::Live), any.clone()]).right();
    buried().advance((4, 5), GRACE - 1).call(1, (6, 7), std::slice::from_ref(&any)).right();
    buried().advance((4, 5), GRACE).call(1, (6, 7), &[any]).wrong();
    buried().call(1, (4, 5), &[claim(2)]).right();
    let unbound = Kind::Unbind(0b010, Told::Event(Bindings::default(), (1, 3)));
    buried().call(1, (4, 5), &[unbound]).wrong();
}

#[test]
fn removing_what_was_not_judged() {
    let tale = |removes| {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        let tale = tale.call(0, (3, 4), &[insert(2, Some(seen(1, 1)))]);
        let judged = [Kind::See(Query::Any, seen(1, 1)), Kind::RemoveThat(seen(removes, 1))];
        tale.call(1, (2, 5), &judged)
    };
    tale(1).call(0, (6, 7), &[saw(seen(2, 1))]).right();
    tale(1).call(0, (6, 7), &[Kind::Miss(Query::Any)]).wrong();
}

#[test]
fn a_node_that_is_not_removed_everywhere() {
    let tale = |kind| {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        let tale = tale.call(0, (3, 4), &[update(Seen::default(), Edit::AddTag(1))]);
        tale.call(1, (2, 5), &[kind])
    };
    tale(Kind::Miss(Query::On(0))).wrong();
    tale(Kind::Evict(1)).wrong();
    tale(Kind::Evict(0)).right();
    tale(Kind::Evict(0)).call(0, (6, 7), &[saw(Seen::default())]).wrong();
    let evicted = |span| {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        tale.call(1, span, &[Kind::Evict(0)])
    };
    evicted((2, 3)).call(0, (4, 5), &[Kind::Miss(Query::Any)]).right();
    evicted((2, 3)).call(0, (4, 5), &[saw(Seen::default())]).wrong();
}

#[test]
fn merges() {
    let other = Wish { bindings: [(1, 9)].into_iter().collect(), ..wish(2) };
    let tale = |told| {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        tale.call(0, (2, 3), &[Kind::Merge(other, told)])
    };
    let both: Bindings = wish(1).bindings.iter().chain([(1, 9)]).collect();
    let read = |tale: Tale, bindings| tale.call(0, (4, 5), &[saw(Seen::bindings(bindings))]);
    read(tale(Told::Unasked), both).right();
    read(tale(Told::Event(other.bindings, (1, 2))), both).right();
    read(tale(Told::Unasked), other.bindings).wrong();
    tale(Told::Event(both, (1, 2))).wrong();
    tale(Told::Event(other.bindings, (1, 1))).wrong();
    tale(Told::Nothing).wrong();
    let same = Wish { bindings: wish(1).bindings, ..wish(2) };
    let unchanged = Tale::default().call(0, (0, 1), &[insert(1, None)]);
    let unchanged = unchanged.call(0, (2, 3), &[Kind::Merge(same, Told::Nothing)]);
    unchanged.call(0, (4, 5), &[saw(seen(1, 1))]).right();
}

#[test]
fn an_update_that_overlooks_a_child() {
    let tale = || Tale::default().call(0, (0, 1), &[insert(1, None)]);
    tale().call(1, (2, 3), &[Kind::Miss(Query::Live)]).wrong();
    tale().call(1, (0, 3), &[Kind::Miss(Query::Live)]).right();
}

#[test]
fn entries_of_two_writes() {
    let tale = |seen| {
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        tale.call(0, (2, 3), &[insert(2, Some(Seen::default()))]).call(1, (0, 3), &[saw(seen)])
    };
    tale(seen(1, 1)).right();
    tale(seen(2, 1)).right();
    tale(Seen { data: Some(data(2)), ..seen(1, 1) }).wrong();
    tale(Seen { bindings: Some(wish(2).bindings), ..seen(1, 1) }).wrong();
    tale(Seen { tags: Some(GREEN), ..seen(1, 1) }).wrong();
}

#[test]
fn numbers_that_go_back() {
    let tale = |first: (u64, u64), second: (u64, u64)| {
        let stamped = |serial, stamp| saw(Seen { stamp: Some(stamp), ..seen(serial, 1) });
        let tale = Tale::default().call(0, (0, 1), &[insert(1, None)]);
        let tale = tale.call(0, (2, 3), &[stamped(1, first)]);
        let tale = tale.call(1, (0, 5), &[insert(2, Some(Seen::default()))]);
        tale.call(0, (6, 7), &[stamped(2, second)])
    };
    tale((1, 1), (2, 1)).right();
    tale((2, 1), (1, 1)).wrong();
    tale((1, 1), (1, 1)).wrong();
    tale((1, 1), (2, 2)).wrong();
    // After an absence only writes that did not overlap tell.
    let gone = |span| {
        let tale = Tale::default().call(0, (1, 2), &[claim(2)]);
        let tale = tale.call(0, (3, 4), &[Kind::Take(seen(2, 1))]);
        tale.call(1, span, &[claim(1)])
    };
    gone((0, 5)).right();
    gone((5, 6)).wrong();
}

#[test]
fn a_diagram_shows_who_did_what_when() {
    let tale = Tale::default().call(0, (0, 5), &[insert(1, None)]);
    let tale = tale.call(1, (6, 9), &[Kind::Take(seen(1, 1))]);
    // Nothing that matters: left out.
    let tale = tale.call(0, (7, 8), &[saw(seen(1, 1))]).call(0, (20, 21), &[claim(3)]);
    let wrong = tale.call(1, (11, 12), &[saw(seen(1, 1))]).verdict().expect_err("read too late");
    let expected = "\
id 0: no order of these steps explains them (3 of 5):
T0 |-|           call: found nothing, put #1 [here=4] red {}

T1     |-|       call: removed {#1 i1v1 [here=4] red}
T1         |-|   call: live entry: saw {#1 i1v1 [here=4] red}

";
    assert_eq!(wrong, expected);
}
