//! The reads, by all the ways there are.

use process_registry::{Global, Local};

use crate::model::Query;
use crate::ops::Way;
use crate::perform::Answers;
use crate::shaky::{Id, Shaky, waver};
use crate::value::{Bindings, Item, NODES, Seen};

impl Answers<'_> {
    pub(crate) fn lookup(&mut self, key: u8, way: &Way) -> &'static str {
        let world = self.world;
        let (id, registry) = (world.id(key), &world.registry);
        let local = |pid: Shaky| Seen::pid_on(0, Some(pid.0));
        let first = |pid: u32| Seen::pid_on((pid % 4) as u8, Some(pid));
        let (name, query, seen) = match (way.variant % 4, way.pinned) {
            (0, true) => {
                let pinned = registry.pin();
                ("get_pid", Query::Live, pinned.get_pid(&id).map(|pid| first(pid.0)))
            }
            (0, false) => ("get_pid", Query::Live, registry.get_pid(&id).map(|pid| first(pid.0))),
            (1, true) => {
                let pinned = registry.pin();
                ("local_pid", Query::On(0), pinned.local_pid(&id).cloned().map(local))
            }
            (1, false) => ("local_pid", Query::On(0), registry.local_pid(&id).map(local)),
            (2, false) => {
                let pids = Bindings::of_pids(&registry.get_pids(&id));
                let seen = (!pids.is_empty()).then(|| Seen::bindings(pids));
                ("get_pids", Query::Live, seen)
            }
            (_, true) => {
                let pinned = registry.pin();
                ("lookup", Query::Live, pinned.lookup(&id).map(|entry| world.seen(entry)))
            }
            (_, false) => {
                let seen = if way.hooked {
                    registry.get_owned(&id).map(|entry| world.seen(&entry))
                } else {
                    registry.lookup(&id).map(|entry| world.seen(&entry))
                };
                ("lookup", Query::Live, seen)
            }
        };
        self.answered(key, query, seen);
        name
    }

    pub(crate) fn get_many(&mut self, way: &Way) -> &'static str {
        let world = self.world;
        let (ids, pinned) = (world.ids(), world.registry.pin());
        let seen = |entry: Option<&Item>| entry.map(|entry| world.seen(entry));
        let (name, answers): (_, Vec<Option<Seen>>) = match (way.variant % 4, ids.as_slice()) {
            (0, _) => {
                let there = world.registry.contains_children(&ids);
                let there = |id| there.contains(&id).then(Seen::default);
                ("contains_children", ids.iter().map(there).collect())
            }
            (1, _) => ("get_many_iter", pinned.get_many_iter(&ids).map(seen).collect()),
            (_, [a, b]) => ("get_many", pinned.get_many([a, b]).map(seen).to_vec()),
            (_, [a, b, c]) => ("get_many", pinned.get_many([a, b, c]).map(seen).to_vec()),
            _ => ("get_many_iter", pinned.get_many_iter(&ids).map(seen).collect()),
        };
        for (key, seen) in (0..).zip(answers) {
            self.answered(key, Query::Live, seen);
        }
        name
    }

    pub(crate) fn children_on(&mut self, node: u8, way: &Way) -> &'static str {
        let (world, query) = (self.world, Query::On(node));
        let (registry, name) = (&world.registry, NODES[usize::from(node)]);
        if way.pinned {
            self.scanned(query, registry.pin().children_on(name));
        } else if node == 0 && way.variant < 6 {
            return self.local_children(way);
        } else {
            let entries = registry.children_on(name);
            let seen = entries.iter().map(|entry| (*entry.id(), world.seen(entry))).collect();
            self.listed(query, false, seen);
        }
        "children_on"
    }

    fn local_children(&mut self, way: &Way) -> &'static str {
        let (world, registry) = (self.world, &self.world.registry);
        let entry = |entry: &Item| (*entry.id(), world.seen(entry));
        let (name, seen) = match way.variant % 3 {
            0 => {
                let list = registry.process_list(Local).into_iter();
                let seen = |(id, pid): (Id, Shaky)| (id, Seen::pid_on(0, Some(pid.0)));
                ("process_list(Local)", list.map(seen).collect())
            }
            1 => ("local_data", registry.local_data().iter().map(|item| entry(item)).collect()),
            _ => {
                let map = registry.local_children();
                assert!(map.iter().all(|(id, item)| id == item.id()));
                ("local_children", map.values().map(|item| entry(item)).collect())
            }
        };
        self.listed(Query::On(0), false, seen);
        name
    }

    #[allow(deprecated, reason = "it is there")]
    pub(crate) fn all(&mut self, way: &Way) -> &'static str {
        let (world, registry) = (self.world, &self.world.registry);
        let mut shown = Vec::new();
        let mut show = |entry: &Item| {
            waver();
            shown.push((*entry.id(), world.seen(entry)));
        };
        if way.pinned && way.variant == 0 {
            registry.pin().for_each(show);
            self.listed(Query::Live, true, shown);
            return "for_each, pinned";
        }
        if way.pinned {
            self.scanned(Query::Live, registry.pin().iter());
            return "iter";
        }
        match way.variant {
            2 => {
                registry.for_each(&mut show);
                self.listed(Query::Live, false, shown);
                "for_each"
            }
            3 => {
                let all = registry.registry().into_iter();
                let seen = |(id, (spec, bindings)): (Id, (Shaky, Vec<_>))| {
                    let seen = Seen::bindings(Bindings::of(&bindings));
                    (id, Seen { spec: Some(spec.0), ..seen })
                };
                self.listed(Query::Live, false, all.map(seen).collect());
                "registry"
            }
            0 => {
                let all = registry.dump_all();
                let seen = all.iter().map(|(id, entry)| (*id, world.seen(entry))).collect();
                self.listed(Query::Any, false, seen);
                "dump_all"
            }
            1 => {
                self.listed_bindings(Query::Live, registry.process_list(Global));
                "process_list(Global)"
            }
            _ => {
                let all = registry.dump();
                let seen = all.iter().map(|(id, entry)| (*id, world.seen(entry))).collect();
                self.listed(Query::Live, false, seen);
                "dump"
            }
        }
    }
}
