//! Queries among 100,000 children, for a look at single operations: a group for each kind of query,
//! with ours and the registries built by hand. One thread; 1,000 children to each tag and node,
//! whose order is drawn at random. Times are for a whole query, throughput is in children.
//!
//! Criterion measures one registry after the other: on a busy machine take the ratios of `cargo
//! xtask bench` instead.
#![allow(missing_docs, reason = "a program; and criterion's macros make items without")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use fastrand::Rng;
use process_registry::{ChildId, Node, Tag};
use process_registry_benches::keys::numbered;
use process_registry_benches::registries::{
    Dash, HandBuilt, OneLock, Ours, Papaya, Pid, Reads, Scc,
};

const CHILDREN: u64 = 100_000;
/// Of each, tags and nodes.
const NAMES: u64 = 100;
const MEMBERS: u64 = CHILDREN / NAMES;

struct World {
    ids: Vec<ChildId>,
    tags: Vec<Tag>,
    nodes: Vec<Node>,
}

impl World {
    fn new() -> Self {
        let mut ids = numbered(0..CHILDREN);
        Rng::with_seed(1).shuffle(&mut ids);
        Self {
            ids,
            tags: (0..NAMES).map(|name| Tag::from(format!("tag-{name}"))).collect(),
            nodes: (0..NAMES).map(|name| Node::from(format!("node-{name}"))).collect(),
        }
    }

    /// All children, tag and node of one having nothing to do with each other.
    fn fill<R: HandBuilt>(&self) -> R {
        let registry = R::with_capacity(self.ids.len());
        for (id, number) in self.ids.iter().zip(0..) {
            let tag = &self.tags[(number % NAMES) as usize];
            let node = &self.nodes[(number / NAMES % NAMES) as usize];
            let value = R::value(number, [(node.clone(), number)], [tag.clone()]);
            assert!(registry.insert(id.clone(), value), "a new id");
        }
        registry
    }
}

type Group<'c> = BenchmarkGroup<'c, WallTime>;

/// Calls a function for each registry.
macro_rules! each_registry {
    ($call:ident($group:expr, $world:expr)) => {
        $call::<Ours>($group, $world);
        $call::<Papaya>($group, $world);
        $call::<Scc>($group, $world);
        $call::<Dash>($group, $world);
        $call::<OneLock>($group, $world);
    };
}

/// Takes what a query visits, so that no compiler leaves a visit out.
#[derive(Default)]
struct Visits {
    count: u64,
    sum: Pid,
}

impl Visits {
    fn add(&mut self, bindings: &[(Node, Pid)]) {
        self.count += 1;
        self.sum = bindings.iter().fold(self.sum, |sum, (_, pid)| sum.wrapping_add(*pid));
    }

    fn end(self) {
        assert_eq!(self.count, MEMBERS);
        black_box(self.sum);
    }
}

fn match_tag<R: HandBuilt>(group: &mut Group<'_>, world: &World) {
    let registry: R = world.fill();
    let mut next = world.tags.iter().cycle();
    group.bench_function(R::NAME, |bencher| {
        bencher.iter(|| {
            let mut visits = Visits::default();
            let tag = next.next().expect("endless");
            registry.reader().match_tag(tag, |_, bindings| visits.add(bindings));
            visits.end();
        });
    });
}

fn children<R: HandBuilt>(group: &mut Group<'_>, world: &World) {
    let registry: R = world.fill();
    let mut next = world.nodes.iter().cycle();
    group.bench_function(R::NAME, |bencher| {
        bencher.iter(|| {
            let mut visits = Visits::default();
            let node = next.next().expect("endless");
            registry.reader().children(node, |_, bindings| visits.add(bindings));
            visits.end();
        });
    });
}

fn query(criterion: &mut Criterion) {
    let world = World::new();
    let group = |criterion: &mut Criterion, name: &str, run: fn(&mut Group<'_>, &World)| {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(MEMBERS));
        run(&mut group, &world);
        group.finish();
    };
    group(criterion, "query/match_tag", |group, world| {
        each_registry!(match_tag(group, world));
    });
    group(criterion, "query/children_on", |group, world| {
        each_registry!(children(group, world));
    });
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
}

criterion_group! {
    name = benches;
    config = short();
    targets = query
}
criterion_main!(benches);
