//! Whether everything is as it should be: what the parts have counted, each for itself, has to fit together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use examples_async::checks::Checks;
use process_registry::{ChildId, HookKey, OwnedEntry};

use crate::events::Heard;
use crate::house::{House, Keeper, Kind, Mailbox, Spec};
use crate::leader::Leadership;
use crate::options::Options;
use crate::supervisor::{HOPELESS_RESTARTS, Report};
use crate::traffic::Traffic;

pub(crate) struct Account<'a> {
    pub(crate) options: &'a Options,
    pub(crate) house: &'a House,
    pub(crate) staff: Vec<(Kind, BTreeSet<ChildId>)>,
    pub(crate) traffic: Traffic,
    /// How long they were sent.
    pub(crate) elapsed: Duration,
    pub(crate) leadership: Leadership,
    /// What was registered at the last call.
    pub(crate) entries: HashMap<ChildId, OwnedEntry<Spec, Mailbox>>,
    pub(crate) report: Report,
    /// Who has answered the last call.
    pub(crate) answers: Vec<(Kind, BTreeSet<ChildId>)>,
}

impl Account<'_> {
    pub(crate) fn check(&self) -> Checks {
        let mut checks = Checks::default();
        self.check_jobs(&mut checks);
        self.check_supervision(&mut checks);
        self.check_leadership(&mut checks);
        self.check_events(&mut checks);
        self.check_end(&mut checks);
        checks
    }

    /// Each job handled exactly once; each attempt handled or returned.
    fn check_jobs(&self, checks: &mut Checks) {
        let traffic = &self.traffic;
        let (jobs, wrong) = self.house.ledger.review();
        checks.same("jobs opened", &traffic.jobs, &jobs);
        checks.same("jobs acknowledged", &traffic.jobs, &traffic.handled);
        checks.holds(wrong.is_empty(), || {
            let some = &wrong[..wrong.len().min(5)];
            format!("{} jobs not handled exactly once; (job, times): {some:?}", wrong.len())
        });
        let ends = traffic.handled + traffic.returned + traffic.crashing;
        checks.same("attempts with an end", &traffic.attempts, &ends);
        checks.same("who answers the last call", &self.staff, &self.answers);
    }

    fn check_supervision(&self, checks: &mut Checks) {
        let report = &self.report;
        let hopeless = HOPELESS_RESTARTS as u64;
        checks.same("crashes brought about", &self.options.crashes, &self.traffic.crashing);
        checks.same("crashes seen", &(self.options.crashes + hopeless + 1), &report.crashes);
        checks.same("restarts", &(report.crashes - 1), &report.restarts);
        checks.same("restarts of the aborted", &report.aborted, &report.restarts_of_aborted);
        checks.same("given up", &vec![ChildId::from("hopeless")], &report.given_up);
        checks.same("stopped in order", &self.options.workers, &report.stopped);
        // What was found is what the last start has registered.
        let of_tasks =
            self.entries.values().filter(|entry| entry.spec().kind.keeper() == Keeper::Task);
        let starts = of_tasks.map(|entry| (entry.id().clone(), entry.spec().start)).collect();
        checks.same("the start that each entry is of", &report.starts, &starts);
        checks.holds(report.faults.is_empty(), || report.faults.join("; "));
        for kept in &report.kept {
            let (first, last) = kept.incarnations;
            checks.same(&format!("incarnation of {}", kept.id), &Some(first), &last);
            let versions = Some(1 + kept.restarts);
            checks.same(&format!("version of {}", kept.id), &versions, &kept.version);
        }
        let restarts: u64 = report.kept.iter().map(|kept| kept.restarts).sum();
        checks.same("kept children bound anew", &restarts, &report.rebound);
    }

    fn check_leadership(&self, checks: &mut Checks) {
        let Leadership { first, second, .. } = &self.leadership;
        checks.holds(first.deadline <= second.began, || {
            let early = first.deadline.duration_since(second.began);
            format!("the second leader came {early:?} before the first one's lease was over")
        });
        for (which, term) in [("first", first), ("second", second)] {
            let name = format!("the {which} leader's");
            checks.holds(term.renewed || term.late, || format!("{name} lease was lost in time"));
            checks.holds(term.late || term.outlasted_ttl(), || {
                format!("{name} renewals did not make it last")
            });
        }
        checks.same("two leaders at once", &false, &self.leadership.two_at_once);
        checks.same("the second leader stayed", &true, &self.leadership.second_stayed);
        checks.same("the notice stayed", &true, &self.leadership.notice_stayed);
        checks.holds(self.leadership.swept > 0, || "nothing was swept".to_owned());
    }

    /// Each lease was heard of when it came, and those given up in order when they went.
    fn check_events(&self, checks: &mut Checks) {
        let heard = self.house.log.heard();
        let count =
            |found: &dyn Fn(&Heard) -> bool| heard.iter().filter(|event| found(event)).count();
        let registered = |event: &Heard| event.kind == HookKey::ChildRegistered;
        let counts = [
            // Relaxed: whoever counts has been joined.
            (
                "registered",
                self.house.registered.load(Ordering::Relaxed),
                count(&|event| registered(event) && event.version == 1),
            ),
            (
                "bound anew",
                self.report.rebound,
                count(&|event| registered(event) && event.version > 1),
            ),
            (
                "unregistered",
                self.house.released.load(Ordering::Relaxed),
                count(&|event| !registered(event)),
            ),
        ];
        for (what, expected, found) in counts {
            checks.same(&format!("events: {what}"), &expected, &(found as u64));
        }

        let mut lives: BTreeMap<(&ChildId, u64), (usize, usize)> = BTreeMap::new();
        for event in &heard {
            let (came, went) = lives.entry((&event.id, event.incarnation)).or_default();
            match registered(event) {
                true => *came += usize::from(event.version == 1),
                false => *went += 1,
            }
        }
        let odd = lives.iter().find(|(_, (came, went))| *came != 1 || *went > 1);
        checks.holds(odd.is_none(), || format!("an odd life, came and went: {odd:?}"));

        // Of each worker only the last life ended in order.
        for id in self.staff.iter().flat_map(|(_, ids)| ids) {
            let of_id = lives.range((id, 0)..=(id, u64::MAX));
            let ends: Vec<usize> = of_id.map(|(_, (_, went))| *went).collect();
            let in_order = ends
                .split_last()
                .is_some_and(|(last, before)| *last == 1 && before.iter().all(|went| *went == 0));
            checks.holds(in_order, || format!("the lives of {id} ended in order: {ends:?}"));
        }
    }

    /// Nothing is left, neither of the entries nor of the indexes.
    fn check_end(&self, checks: &mut Checks) {
        let registry = &self.house.registry;
        checks.same("children left", &0, &registry.dump_all().len());
        checks.same("entries left", &0, &registry.len_all());
        checks.same("tags left", &Vec::new(), &registry.tags());
        checks.same("nodes left", &Vec::new(), &registry.nodes());
    }
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { traffic, report, leadership, .. } = self;
        let rate = traffic.jobs as f64 / self.elapsed.as_secs_f64();
        writeln!(f, "{:>9} workers, of {} kinds", self.options.workers, Kind::WORKING.len())?;
        writeln!(f, "{:>9} jobs, {rate:.0} a second", traffic.jobs)?;
        writeln!(f, "{:>9} times a job came back and was sent again", traffic.returned)?;
        writeln!(f, "{:>9} crashes seen, {} of them panics", report.crashes, report.panics)?;
        writeln!(
            f,
            "{:>9} restarts after a crash, {} given up",
            report.restarts,
            report.given_up.len()
        )?;
        writeln!(f, "{:>9} aborted with another of their kind, and restarted", report.aborted)?;
        writeln!(f, "{:>9} times a kept child was bound to a new mailbox", report.rebound)?;
        writeln!(f, "{:>9} events heard by the hooks", self.house.log.heard().len())?;
        let gap = leadership.second.began.saturating_duration_since(leadership.first.deadline);
        write!(f, "{:>9.1?} from the end of a lease that lapsed to the next leader", gap)
    }
}
