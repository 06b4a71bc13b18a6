//! What a subscriber is told, and that it cannot do harm.

mod support;

#[path = "tracing/events.rs"]
mod events;
#[path = "tracing/unruly.rs"]
mod unruly;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use process_registry::{Child, Registry};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);

type Jobs<S = ()> = Registry<S, u32, (), u32>;

/// An event as the subscriber got it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    level: Level,
    message: String,
    fields: BTreeMap<&'static str, String>,
}

impl Told {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    fn number(&self, name: &str) -> usize {
        self.field(name).parse().expect("a number")
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => drop(self.fields.insert(name, format!("{value:?}"))),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

type Listener = Arc<dyn Fn(Told) + Send + Sync>;

/// Who listens to which registry, by the name of its node, or to which handler, by its id. There is one
/// subscriber for the process, because a scoped one is kept by `tracing` itself from hearing of what it causes.
static LISTENERS: LazyLock<Mutex<HashMap<String, Listener>>> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(Switchboard).expect("the only one");
    Mutex::default()
});

struct Switchboard;

impl Subscriber for Switchboard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "process_registry"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        unreachable!("there are only events")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let mut told = Told { level, message: String::new(), fields: BTreeMap::new() };
        event.record(&mut told);
        let name = told.fields.get("node").or(told.fields.get("handler")).expect("a name");
        let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        let listener = listeners.get(name).cloned();
        // Whatever it does, it does without the lock.
        drop(listeners);
        if let Some(listener) = listener {
            listener(told);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Has `listener` hear of all that concerns a name, which no other test uses.
fn listen(name: &str, listener: impl Fn(Told) + Send + Sync + 'static) {
    let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(listeners.insert(name.to_owned(), Arc::new(listener)).is_none(), "{name} is taken");
}

/// What was told of a name.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<Told>>>);

impl Records {
    fn of(name: &str) -> Self {
        let records = Self::default();
        let own = records.clone();
        listen(name, move |told| own.push(told));
        records
    }

    fn push(&self, told: Told) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// All since the last call.
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn messages(&self) -> Vec<String> {
        self.take().into_iter().map(|told| told.message).collect()
    }
}

/// Inserts children that are bound to one node.
fn fill(registry: &Jobs, ids: std::ops::Range<u32>) {
    ids.for_each(|id| drop(registry.insert(id, Child::new(()).on("here", id))));
}

/// The resizes of one table: each that began has ended, in turn. Their sizes and lengths.
#[track_caller]
fn resizes(told: &[Told], table: &str) -> Vec<(usize, usize, usize)> {
    let of_table: Vec<_> = told.iter().filter(|told| told.field("table") == table).collect();
    let sizes = |told: &Told| (told.number("from"), told.number("to"));
    let pairs = of_table.chunks(2).map(|pair| {
        let [began, ended] = pair else { panic!("without its end: {pair:?}") };
        assert_eq!((began.level, ended.level), (Level::DEBUG, Level::DEBUG));
        assert_eq!((&*began.message, &*ended.message), ("resize began", "resize ended"));
        assert_eq!(sizes(began), sizes(ended));
        (sizes(began).0, sizes(began).1, began.number("len"))
    });
    pairs.collect()
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain");
        std::thread::sleep(TICK);
    }
}
