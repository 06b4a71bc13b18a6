//! The writes, by all the ways there are, and what their answers tell.

use process_registry::{Decision, UpdateError};

use crate::model::{Edit, Kind, Query, Told};
use crate::ops::{Choice, Way};
use crate::perform::{Answers, amend, heard, registered};
use crate::shaky::{Id, Shaky, waver};
use crate::value::{Item, Lease, NODES, Seen, Wish};

impl Answers<'_> {
    pub(crate) fn insert(&mut self, key: u8, wish: &Wish, way: &Way) -> &'static str {
        let world = self.world;
        let registry = &world.registry;
        let (id, options) = (world.id(key), self.options(way));
        let before = if way.pinned {
            let pinned = registry.pin();
            pinned.insert_with(id, wish.child(), options).map(|entry| world.seen(entry))
        } else {
            let before = registry.insert_with(id, wish.child(), options);
            before.map(|entry| world.seen(&entry))
        };
        let after = registered(id, wish, way.hooked);
        self.put_down(key, Kind::Replace { before, wish: *wish, after });
        "insert"
    }

    pub(crate) fn delete(&mut self, key: u8, way: &Way) -> &'static str {
        let world = self.world;
        let registry = &world.registry;
        let id = world.id(key);
        let gone = match (way.pinned, way.hooked) {
            (true, false) => registry.pin().delete(&id).map(|entry| world.seen(entry)),
            (true, true) => {
                let pinned = registry.pin();
                pinned.delete_with(&id, &world.hooks).map(|entry| world.seen(entry))
            }
            (false, false) => registry.delete(&id).map(|entry| world.seen(&entry)),
            (false, true) => {
                registry.delete_with(&id, &world.hooks).map(|entry| world.seen(&entry))
            }
        };
        let told = match gone {
            Some(gone) if gone.is_live() && way.hooked => {
                Told::Event(gone.bindings.expect("all seen"), gone.stamp.expect("all seen"))
            }
            _ => Told::Nothing,
        };
        assert!(heard(id)() == told, "what went is what is told");
        self.put_down(key, gone.map_or(Kind::Void, Kind::Take));
        "delete"
    }

    pub(crate) fn delete_if(&mut self, key: u8, way: &Way) -> &'static str {
        let world = self.world;
        let registry = &world.registry;
        let (id, mut runs) = (world.id(key), Vec::new());
        let odd = |entry: &Item| {
            runs.push(Some(world.seen(entry)));
            waver();
            entry.spec().0 % 2 == 1
        };
        let gone = if way.pinned {
            registry.pin().delete_if(&id, odd).map(|entry| world.seen(entry))
        } else {
            registry.delete_if(&id, odd).map(|entry| world.seen(&entry))
        };
        match (self.shown(key, Query::Any, &mut runs), gone) {
            (Some(last), Some(gone)) => {
                assert_eq!(last, Some(gone), "what was judged is what goes");
                self.put_down(key, Kind::Take(gone));
            }
            (Some(Some(kept)), None) if kept.spec.is_some_and(|spec| spec % 2 == 0) => {
                self.put_down(key, Kind::See(Query::Any, kept));
            }
            (Some(Some(judged)), None) => {
                // Another was first, or its time was over.
                self.put_down(key, Kind::See(Query::Any, judged));
                self.put_down(key, Kind::Void);
            }
            (_, gone) => {
                assert_eq!(gone, None, "nothing goes unjudged");
                self.put_down(key, Kind::Void);
            }
        }
        "delete_if"
    }

    pub(crate) fn update(&mut self, key: u8, edits: &[Edit]) -> &'static str {
        let world = self.world;
        let registry = &world.registry;
        let mut runs = Vec::new();
        let result = registry.update(&world.id(key), |child| {
            runs.push(Some(Seen::child(child)));
            waver();
            amend(child, edits);
        });
        let last = self.shown(key, Query::Live, &mut runs).flatten();
        self.updated(key, edits, last, result.is_ok());
        "update"
    }

    pub(crate) fn try_update(&mut self, key: u8, edits: &[Edit]) -> &'static str {
        let world = self.world;
        let registry = &world.registry;
        let mut runs = Vec::new();
        let result = registry.try_update(&world.id(key), |child| {
            runs.push(Some(Seen::child(child)));
            waver();
            amend(child, edits);
            let before = runs.last().copied().flatten().and_then(|seen| seen.spec);
            if before.is_some_and(|spec| spec % 2 == 1) { Err("odd") } else { Ok(()) }
        });
        let last = self.shown(key, Query::Live, &mut runs).flatten();
        match result {
            Err(UpdateError::Failed(_)) => self.answered(key, Query::Live, last),
            result => self.updated(key, edits, last, result.is_ok()),
        }
        "try_update"
    }

    pub(crate) fn rebind(&mut self, key: u8, node: u8, pid: u32, way: &Way) -> &'static str {
        let world = self.world;
        let registry = &world.registry;
        let (id, name) = (world.id(key), NODES[usize::from(node)]);
        let result = if way.hooked {
            registry.rebind_with(&id, name, Shaky(pid), &world.hooks)
        } else {
            registry.rebind(&id, name, Shaky(pid))
        };
        let after = match heard(id)() {
            Told::Event(bindings, stamp) => {
                assert!(bindings.iter().eq([(node, pid)]) && result.is_ok());
                Seen { stamp: Some(stamp), ..Seen::default() }
            }
            _ => {
                assert!(!way.hooked || result.is_err(), "no event");
                Seen::default()
            }
        };
        self.put_down(
            key,
            match result {
                Ok(old) => Kind::Change {
                    seen: Seen::pid_on(node, old.map(|pid| pid.0)),
                    edits: [Edit::Bind(node, pid)].into_iter().collect(),
                    after,
                },
                Err(_) => Kind::Miss(Query::Live),
            },
        );
        "rebind"
    }

    pub(crate) fn try_insert(&mut self, key: u8, wish: &Wish, way: &Way) -> &'static str {
        let world = self.world;
        let (id, options) = (world.id(key), self.options(way));
        let mut name = "try_insert";
        let mut lease = None;
        let result = if way.variant == 0 && !way.hooked {
            name = "get_or_insert_with";
            let entry = world.seen(&world.registry.get_or_insert_with(id, || wish.child()));
            if entry.spec == Some(wish.serial) { Ok(entry) } else { Err(entry) }
        } else if way.variant < 4 {
            name = "register";
            match world.registry.register_with(id, wish.child(), options) {
                Ok(own) => {
                    let stamp = (own.incarnation(), 1);
                    lease = Some(own);
                    Ok(Seen { stamp: Some(stamp), ..Seen::default() })
                }
                Err(taken) => Err(world.seen(taken.holder())),
            }
        } else if way.pinned {
            let pinned = world.registry.pin();
            let result = pinned.try_insert_with(id, wish.child(), options);
            result.map(|entry| world.seen(entry)).map_err(|taken| world.seen(taken.current()))
        } else {
            let result = world.registry.try_insert_with(id, wish.child(), options);
            result.map(|entry| world.seen(&entry)).map_err(|taken| world.seen(taken.holder()))
        };
        self.put_down(
            key,
            match result {
                Ok(mut after) => {
                    if let Some(stamp) = registered(id, wish, way.hooked).stamp {
                        assert_eq!(after.stamp.replace(stamp), Some(stamp));
                    }
                    Kind::Claim { wish: *wish, after }
                }
                Err(holder) => Kind::See(Query::Live, holder),
            },
        );
        match lease {
            Some(lease) if way.variant == 1 => self.release(key, lease, way),
            Some(lease) => {
                assert_eq!(lease.detach(), id);
                name
            }
            None => name,
        }
    }

    /// Ends a lease that has just begun: of what is no more it tells nothing.
    fn release(&mut self, key: u8, lease: Lease, way: &Way) -> &'static str {
        let (world, incarnation) = (self.world, lease.incarnation());
        let id = world.id(key);
        let gone = if way.hooked { lease.release_with(&world.hooks) } else { lease.release() };
        let gone = gone.map(|entry| world.seen(&entry));
        if let Some(gone) = gone {
            let (mine, version) = gone.stamp.expect("all seen");
            assert_eq!(mine, incarnation, "nobody else's");
            let told = heard(id)();
            let event = Told::Event(gone.bindings.expect("all seen"), (mine, version));
            assert!(told == if way.hooked && gone.is_live() { event } else { Told::Nothing });
            self.put_down(key, Kind::Take(gone));
        }
        "release"
    }

    /// What came of an update whose last attempt was shown `last`.
    pub(crate) fn updated(&mut self, key: u8, edits: &[Edit], last: Option<Seen>, done: bool) {
        match last {
            Some(seen) if done => {
                let (edits, after) = (edits.iter().copied().collect(), Seen::default());
                self.put_down(key, Kind::Change { seen, edits, after });
            }
            last => {
                if let Some(seen) = last {
                    self.put_down(key, Kind::See(Query::Live, seen));
                }
                assert!(!done, "an update that did not run has not succeeded");
                self.put_down(key, Kind::Miss(Query::Live));
            }
        }
    }

    pub(crate) fn compute(
        &mut self,
        key: u8,
        wish: &Wish,
        choice: Choice,
        way: &Way,
    ) -> &'static str {
        let world = self.world;
        let (id, mut runs) = (world.id(key), Vec::new());
        let decide = |current: Option<&Item>| {
            runs.push(current.map(|entry| world.seen(entry)));
            waver();
            match (choice, current) {
                (Choice::Put, _) | (Choice::Toggle, None) => Decision::Put(wish.child()),
                (Choice::Remove, _) | (Choice::Toggle, Some(_)) => Decision::Remove,
                (Choice::Keep, _) => Decision::Keep,
            }
        };
        let after = if way.pinned {
            world.registry.pin().compute(id, decide).map(|entry| world.seen(entry))
        } else {
            world.registry.compute(id, decide).map(|entry| world.seen(&entry))
        };
        let last = self.shown(key, Query::Any, &mut runs).expect("it ran");
        let put = choice == Choice::Put || choice == Choice::Toggle && last.is_none();
        let kind = match (last, after) {
            (Some(seen), Some(after)) if put && seen.is_live() => {
                Kind::Carry { seen, wish: *wish, after }
            }
            (before, Some(after)) if put => Kind::Replace { before, wish: *wish, after },
            (Some(seen), None) if choice != Choice::Keep && !put => Kind::Take(seen),
            (Some(seen), Some(after)) if choice == Choice::Keep => {
                assert_eq!(seen, after, "kept");
                Kind::See(Query::Any, seen)
            }
            (None, None) if !put => Kind::Void,
            (last, after) => panic!("{choice:?} made of {last:?} {after:?}"),
        };
        self.put_down(key, kind);
        "compute"
    }

    pub(crate) fn bulk<T>(
        &mut self,
        children: &[(u8, T)],
        hooked: bool,
        kind: impl Fn(&T, Told) -> Kind,
    ) {
        for key in 0..self.world.keys {
            let mut events = heard(self.world.id(key));
            let mine: Vec<&T> =
                children.iter().filter(|(of, _)| *of == key).map(|(_, x)| x).collect();
            for part in &mine {
                // Of an id that comes twice the events do not say which of the two they are of.
                let told = if hooked && mine.len() == 1 { events() } else { Told::Unasked };
                self.put_down(key, kind(part, told));
            }
        }
    }

    /// What the predicate of a `retain` was shown: the even ones were to go.
    pub(crate) fn retained(&mut self, judged: &[(Id, Seen)]) {
        for key in 0..self.world.keys {
            let mut times = 0;
            for (_, seen) in judged.iter().filter(|(id, _)| self.world.key(*id) == Some(key)) {
                if times > 0 {
                    self.put_down(key, Kind::Miss(Query::Any));
                }
                self.put_down(key, Kind::See(Query::Any, *seen));
                if seen.spec.is_some_and(|spec| spec % 2 == 0) {
                    self.put_down(key, Kind::RemoveThat(*seen));
                }
                times += 1;
            }
            if times == 0 {
                self.put_down(key, Kind::Miss(Query::Any));
            }
        }
    }

    /// The ids a `remove_node` says it has changed.
    pub(crate) fn evicted(&mut self, node: u8, changed: &[Id]) {
        for key in 0..self.world.keys {
            let times = changed.iter().filter(|id| self.world.key(**id) == Some(key)).count();
            assert!(times <= 1, "each id once");
            let kind = if times == 1 { Kind::Evict(node) } else { Kind::Miss(Query::On(node)) };
            self.put_down(key, kind);
        }
    }
}
