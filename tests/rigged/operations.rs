//! Every operation, once or in a few variants, with user code wherever it takes any.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use process_registry::{Child, Decision, Entry, Global, Local, WriteOptions};

use crate::stage::{ABSENT, ALL, EXPIRED, PENDING, RiggedChild, Stage, TOMBSTONE, Touches};
use crate::support::rigged::{Id, Point, Value, reached};

pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) touches: Touches,
    pub(crate) run: fn(&Stage),
}

const fn operation(name: &'static str, touches: Touches, run: fn(&Stage)) -> Operation {
    Operation { name, touches, run }
}

type Shown = Entry<Value, Value, Value, Id>;

fn closure<T>(answer: T) -> T {
    reached(Point::Closure);
    answer
}

fn hooked(stage: &Stage) -> WriteOptions<'_, Value, Id> {
    WriteOptions::new().hooks(&stage.hooks)
}

fn put(stage: &Stage, number: u32) -> Decision<Value, Value, Value> {
    closure(Decision::Put(stage.child(number)))
}

/// A child with other bindings than the stage's.
fn other(stage: &Stage) -> RiggedChild {
    Child::new(stage.value(70))
        .metadata(stage.value(71))
        .on("there", stage.value(72))
        .on("elsewhere", stage.value(73))
        .tag("even")
        .tag("other")
}

/// A `HashMap` forgets the rest when a key's destructor panics; a `Vec` does not.
#[allow(clippy::mutable_key_type, reason = "the canary is no part of an id")]
fn one_by_one<V>(map: HashMap<Id, V>) -> Vec<(Id, V)> {
    map.into_iter().collect()
}

fn settle(stage: &Stage) {
    for _ in 0..4 {
        stage.registry.collect();
    }
}

pub(crate) const OPERATIONS: &[Operation] = &[
    operation("lookup", &[], |stage| {
        let found = stage.registry.lookup(&stage.id(3));
        black_box(found.is_some());
    }),
    operation("get_pids", &[], |stage| {
        black_box(stage.registry.get_pids(&stage.id(3)));
        black_box(stage.registry.local_pid(&stage.id(ABSENT)));
    }),
    operation("get_many", &[], |stage| {
        let pin = stage.registry.pin();
        let ids = [stage.id(3), stage.id(EXPIRED), stage.id(5)];
        let found = pin.get_many([&ids[0], &ids[1], &ids[2]]);
        black_box(found.len());
        black_box(pin.get_many_iter(&ids).flatten().count());
    }),
    operation("contains_children", &[], |stage| {
        let ids = [3, 5, 3, ABSENT].map(|number| stage.id(number));
        black_box(stage.registry.contains_children(&ids).len());
    }),
    operation("insert, absent", &[ABSENT], |stage| {
        drop(stage.registry.insert(stage.id(ABSENT), stage.child(9)));
    }),
    operation("insert_with, live", &[3], |stage| {
        let ttl = Duration::from_secs(9);
        let options = hooked(stage).ttl(ttl);
        drop(stage.registry.insert_with(stage.id(3), other(stage), options));
        settle(stage);
    }),
    operation("insert_with, tombstone", &[TOMBSTONE], |stage| {
        let options = hooked(stage);
        drop(stage.registry.insert_with(stage.id(TOMBSTONE), other(stage), options));
    }),
    operation("pinned insert, expired", &[EXPIRED], |stage| {
        let pin = stage.registry.pin();
        black_box(pin.insert(stage.id(EXPIRED), other(stage)).is_none());
    }),
    operation("try_insert, absent", &[ABSENT], |stage| {
        drop(stage.registry.try_insert_with(stage.id(ABSENT), other(stage), hooked(stage)));
    }),
    operation("try_insert, live", &[3], |stage| {
        drop(stage.registry.try_insert(stage.id(3), other(stage)));
    }),
    operation("pinned try_insert, live", &[3], |stage| {
        let pin = stage.registry.pin();
        black_box(pin.try_insert(stage.id(3), other(stage)).is_err());
    }),
    operation("get_or_insert_with", &[3, PENDING, ABSENT], |stage| {
        for number in [3, PENDING, ABSENT] {
            let made = || closure(other(stage));
            drop(stage.registry.get_or_insert_with(stage.id(number), made));
        }
    }),
    operation("delete, live", &[3], |stage| {
        drop(stage.registry.delete_with(&stage.id(3), &stage.hooks));
        settle(stage);
    }),
    operation("delete, empty and absent", &[PENDING, ABSENT], |stage| {
        drop(stage.registry.delete(&stage.id(PENDING)));
        drop(stage.registry.delete(&stage.id(ABSENT)));
        settle(stage);
    }),
    operation("delete_if", &[3, 4], |stage| {
        let pin = stage.registry.pin();
        black_box(pin.delete_if(&stage.id(4), |_| closure(false)).is_none());
        drop(pin);
        let yes = |_: &Shown| closure(true);
        drop(stage.registry.delete_if_with(&stage.id(3), yes, &stage.hooks));
    }),
    operation("update", &[3, ABSENT], |stage| {
        let edit = |child: &mut RiggedChild| {
            let first = closure(child.bind("elsewhere", stage.value(1)));
            let second = closure(child.unbind("here"));
            let third = closure(child.set_metadata(stage.value(2)));
            closure(child.add_tag("other"));
            (first, second, third)
        };
        drop(stage.registry.update(&stage.id(3), edit));
        drop(stage.registry.update(&stage.id(ABSENT), edit));
        settle(stage);
    }),
    operation("try_update", &[3], |stage| {
        let fail = |child: &mut RiggedChild| {
            closure(child.unbind("here"));
            Err::<(), _>(stage.value(5))
        };
        drop(stage.registry.try_update(&stage.id(3), fail));
        let leave = |child: &mut RiggedChild| {
            child.clear_tags();
            closure(Ok::<_, ()>(()))
        };
        black_box(stage.registry.try_update(&stage.id(3), leave).is_ok());
    }),
    operation("compute", &[3, 4, PENDING, ABSENT], |stage| {
        let registry = &*stage.registry;
        drop(registry.compute(stage.id(3), |_| put(stage, 3)));
        drop(registry.compute(stage.id(4), |_| closure(Decision::Remove)));
        drop(registry.compute(stage.id(PENDING), |_| closure(Decision::Keep)));
        drop(registry.compute(stage.id(ABSENT), |_| put(stage, ABSENT)));
    }),
    operation("rebind", &[3, ABSENT], |stage| {
        let registry = &*stage.registry;
        drop(registry.rebind_with(&stage.id(3), "here", stage.value(1), &stage.hooks));
        drop(registry.rebind_with(&stage.id(3), "new", stage.value(1), &stage.hooks));
        drop(registry.rebind(&stage.id(ABSENT), "new", stage.value(1)));
    }),
    operation("bulk_insert", &[2, 3, 4, TOMBSTONE, ABSENT], |stage| {
        // As it is, changed, changed, revived, new.
        let same = (stage.id(2), stage.child(2));
        let others = [3, 4, TOMBSTONE, ABSENT].map(|number| (stage.id(number), other(stage)));
        let children = std::iter::once(same).chain(others);
        stage.registry.bulk_insert_with(children.map(closure), &stage.hooks);
    }),
    operation("bulk_insert_by", &[3], |stage| {
        let same = |a: &Value, b: &Value| closure(a.number == b.number);
        stage.registry.bulk_insert_by([(stage.id(3), other(stage))], same);
    }),
    operation("bulk_delete", &[2, 3, 4, ABSENT], |stage| {
        let ids = [2, 3, ABSENT, 4].map(|number| stage.id(number));
        let nodes = [vec!["here"], vec!["here", "there"], vec!["here"], vec!["nowhere"]];
        let given = ids.iter().zip(nodes).map(closure);
        stage.registry.bulk_delete_with(given, &stage.hooks);
    }),
    operation("match_tag", &[], |stage| {
        black_box(stage.registry.match_tag("even").len());
        black_box(stage.registry.match_all(&["even", "all"]).len());
        black_box(stage.registry.pin().match_tag("all").count());
    }),
    operation("children_on", &[], |stage| {
        black_box(stage.registry.children_on("there").len());
        black_box(stage.registry.local_data().len());
        black_box(one_by_one(stage.registry.local_children()).len());
        black_box(stage.registry.local_child_specs().len());
    }),
    operation("dump", &[], |stage| {
        black_box(one_by_one(stage.registry.dump()).len());
        black_box(one_by_one(stage.registry.dump_all()).len());
        black_box(stage.registry.process_list(Global).len());
        black_box(stage.registry.process_list(Local).len());
    }),
    operation("for_each", &[], |stage| {
        stage.registry.for_each(|_| closure(()));
        stage.registry.pin().for_each(|_| closure(()));
    }),
    operation("retain", ALL, |stage| {
        stage.registry.retain(|entry| closure(entry.id().number % 3 != 0));
        settle(stage);
    }),
    operation("clear_all", ALL, |stage| {
        stage.registry.clear_all();
        settle(stage);
    }),
    operation("remove_node", ALL, |stage| {
        let registry = &*stage.registry;
        drop(registry.rebind(&stage.id(3), "alone", stage.value(1)));
        let _ = registry.update(&stage.id(4), |child| drop(child.unbind("there")));
        black_box(registry.remove_node("here").len());
        black_box(registry.remove_node("alone").len());
    }),
    operation("delete_if_expired", &[], |stage| {
        drop(stage.registry.delete_if_expired(&stage.id(3)));
        drop(stage.registry.delete_if_expired(&stage.id(EXPIRED)));
        settle(stage);
    }),
    operation("purge_expired", &[], |stage| {
        black_box(stage.registry.purge_expired());
        settle(stage);
    }),
    operation("growth and back", &[], |stage| {
        let registry = &*stage.registry;
        for number in 100..170 {
            drop(registry.insert(stage.id(number), stage.child(number)));
        }
        for number in 100..170 {
            drop(registry.delete(&stage.id(number)));
        }
        registry.shrink_to_fit();
        settle(stage);
    }),
];
