//! The model: what the registry must do, in the plainest words that can be executed.
//!
//! One thread, one ordered map, time that is told to it. It is written from the rules, not from
//! the code. Ids are numbers; names are strings; specs, pids and metadata are numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub(crate) type Bindings = Vec<(String, u32)>;

/// What a caller asks to have stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) spec: u32,
    /// As the caller lists them: a node may occur twice.
    pub(crate) bindings: Bindings,
    /// As the caller lists them: a tag may occur twice.
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: u32,
    pub(crate) life: Life,
}

/// How long it is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Not said: for ever, or as long as what it changes.
    Unsaid,
    Permanent,
    For(Duration),
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) spec: u32,
    pub(crate) bindings: Bindings,
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) incarnation: u64,
    pub(crate) version: u64,
}

impl Row {
    pub(crate) fn pid_on(&self, node: &str) -> Option<u32> {
        let found = self.bindings.iter().find(|(n, _)| n == node);
        found.map(|(_, pid)| *pid)
    }

    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|t| t == tag)
    }

    fn bind(&mut self, node: &str, pid: u32) -> Option<u32> {
        for (n, p) in &mut self.bindings {
            if n == node {
                return Some(std::mem::replace(p, pid));
            }
        }
        self.bindings.push((node.to_owned(), pid));
        None
    }

    fn unbind(&mut self, node: &str) -> Option<u32> {
        let at = self.bindings.iter().position(|(n, _)| n == node)?;
        Some(self.bindings.remove(at).1)
    }

    fn add_tag(&mut self, tag: &str) -> bool {
        let new = !self.has_tag(tag);
        if new {
            self.tags.push(tag.to_owned());
        }
        new
    }
}

/// One edit made by an `update` closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    SetSpec(u32),
    Bind(String, u32),
    Unbind(String),
    UnbindAll,
    AddTag(String),
    RemoveTag(String),
    ClearTags,
    SetMetadata(u32),
    SetTtl(Duration),
    MakePermanent,
}

/// What an edit answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Number(u32),
    Pid(Option<u32>),
    Flag(bool),
    All(Bindings),
}

/// What a `compute` closure answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Keep,
    Put(Wish),
    Remove,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Registered,
    Unregistered,
}

/// A hook event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) kind: Kind,
    pub(crate) id: u32,
    pub(crate) bindings: Bindings,
    pub(crate) incarnation: u64,
    pub(crate) version: u64,
}

#[derive(Debug)]
pub(crate) struct Oracle {
    rows: BTreeMap<u32, Row>,
    local: String,
    now: Instant,
    grace: Duration,
    incarnations: u64,
    fired: Vec<Fired>,
    /// Expired ids the last operation came across: it may have swept them, it need not.
    unsettled: BTreeSet<u32>,
}

impl Oracle {
    pub(crate) fn new(local: &str, now: Instant, grace: Duration) -> Self {
        Self {
            rows: BTreeMap::new(),
            local: local.to_owned(),
            now,
            grace,
            incarnations: 0,
            fired: Vec::new(),
            unsettled: BTreeSet::new(),
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    pub(crate) fn take_fired(&mut self) -> Vec<Fired> {
        std::mem::take(&mut self.fired)
    }

    /// Learns from the true count whether the expired entries an operation met were swept by it.
    /// All or none: an operation has one habit.
    pub(crate) fn settle(&mut self, len_all: usize) {
        let unsettled = std::mem::take(&mut self.unsettled);
        if len_all < self.rows.len() {
            for id in unsettled {
                self.rows.remove(&id);
            }
        }
        assert_eq!(len_all, self.rows.len(), "len_all");
    }

    // ---- seeing -------------------------------------------------------------------------------

    fn expired(&self, row: &Row) -> bool {
        row.deadline.is_some_and(|deadline| self.now >= deadline)
    }

    /// The entry, empty ones included, expired ones not.
    pub(crate) fn present(&self, id: u32) -> Option<&Row> {
        self.rows.get(&id).filter(|row| !self.expired(row))
    }

    /// The entry if it has bindings and has not expired.
    pub(crate) fn live(&self, id: u32) -> Option<&Row> {
        self.present(id).filter(|row| !row.bindings.is_empty())
    }

    pub(crate) fn all_present(&self) -> impl Iterator<Item = (u32, &Row)> {
        let rows = self.rows.iter().filter(|(_, row)| !self.expired(row));
        rows.map(|(id, row)| (*id, row))
    }

    pub(crate) fn all_live(&self) -> impl Iterator<Item = (u32, &Row)> {
        self.all_present().filter(|(_, row)| !row.bindings.is_empty())
    }

    pub(crate) fn tagged(&self, tag: &str) -> BTreeMap<u32, &Row> {
        self.all_live().filter(|(_, row)| row.has_tag(tag)).collect()
    }

    pub(crate) fn bound_to(&self, node: &str) -> BTreeMap<u32, &Row> {
        let bound = |row: &Row| row.pid_on(node).is_some();
        self.all_live().filter(|(_, row)| bound(row)).collect()
    }

    pub(crate) fn local(&self) -> &str {
        &self.local
    }

    // Counts include what has expired and was not swept.

    pub(crate) fn len_all(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn len(&self) -> usize {
        let live = |row: &&Row| !row.bindings.is_empty();
        self.rows.values().filter(live).count()
    }

    pub(crate) fn tag_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for row in self.rows.values().filter(|row| !row.bindings.is_empty()) {
            for tag in &row.tags {
                *counts.entry(tag.clone()).or_default() += 1;
            }
        }
        counts
    }

    pub(crate) fn node_counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (node, _) in self.rows.values().flat_map(|row| &row.bindings) {
            *counts.entry(node.clone()).or_default() += 1;
        }
        counts
    }

    // ---- helpers of the writes ----------------------------------------------------------------

    fn fire(&mut self, kind: Kind, id: u32, bindings: Bindings, row: (u64, u64)) {
        if !bindings.is_empty() {
            self.fired.push(Fired { kind, id, bindings, incarnation: row.0, version: row.1 });
        }
    }

    /// The entry of a new incarnation.
    fn fresh(&mut self, wish: &Wish) -> Row {
        self.incarnations += 1;
        let mut row = Row {
            spec: wish.spec,
            bindings: Vec::new(),
            tags: Vec::new(),
            metadata: wish.metadata,
            deadline: match wish.life {
                Life::For(ttl) => Some(self.now + ttl),
                Life::Unsaid | Life::Permanent => None,
            },
            incarnation: self.incarnations,
            version: 1,
        };
        for (node, pid) in &wish.bindings {
            row.bind(node, *pid);
        }
        for tag in &wish.tags {
            row.add_tag(tag);
        }
        row
    }

    fn store(&mut self, id: u32, row: Row, hooked: bool) -> Row {
        self.rows.insert(id, row.clone());
        if hooked {
            let at = (row.incarnation, row.version);
            self.fire(Kind::Registered, id, row.bindings.clone(), at);
        }
        row
    }

    /// Notes that an operation comes across `id`.
    fn meet(&mut self, id: u32) {
        if self.rows.get(&id).is_some_and(|row| self.expired(row)) {
            self.unsettled.insert(id);
        }
    }

    // ---- writes -------------------------------------------------------------------------------

    pub(crate) fn insert(&mut self, id: u32, wish: &Wish, hooked: bool) -> Option<Row> {
        let old = self.present(id).cloned();
        let row = self.fresh(wish);
        self.store(id, row, hooked);
        old
    }

    /// The new entry, or the live one that stands in the way.
    pub(crate) fn try_insert(&mut self, id: u32, wish: &Wish, hooked: bool) -> Result<Row, Row> {
        if let Some(row) = self.live(id) {
            return Err(row.clone());
        }
        let row = self.fresh(wish);
        Ok(self.store(id, row, hooked))
    }

    pub(crate) fn delete(&mut self, id: u32, hooked: bool) -> Option<Row> {
        self.delete_if(id, true, hooked).1
    }

    /// What the predicate was shown and what was removed.
    pub(crate) fn delete_if(
        &mut self,
        id: u32,
        answer: bool,
        hooked: bool,
    ) -> (Option<Row>, Option<Row>) {
        self.meet(id);
        let seen = self.present(id).cloned();
        let removed = seen.clone().filter(|_| answer);
        if let Some(row) = &removed {
            self.rows.remove(&id);
            if hooked {
                let at = (row.incarnation, row.version);
                self.fire(Kind::Unregistered, id, row.bindings.clone(), at);
            }
        }
        (seen, removed)
    }

    pub(crate) fn delete_if_expired(&mut self, id: u32) -> Option<Row> {
        let expired = self.rows.get(&id).is_some_and(|row| self.expired(row));
        if expired { self.rows.remove(&id) } else { None }
    }

    pub(crate) fn purge_expired(&mut self) -> usize {
        let before = self.rows.len();
        let now = self.now;
        self.rows.retain(|_, row| row.deadline.is_none_or(|deadline| now < deadline));
        before - self.rows.len()
    }

    /// What the edits answered, and whether the closure was run.
    pub(crate) fn update(&mut self, id: u32, edits: &[Edit]) -> Option<Vec<Answer>> {
        self.meet(id);
        let mut row = self.live(id)?.clone();
        let answers = edits.iter().map(|edit| self.edit(&mut row, edit)).collect();
        row.version += 1;
        self.rows.insert(id, row);
        Some(answers)
    }

    fn edit(&self, row: &mut Row, edit: &Edit) -> Answer {
        match edit {
            Edit::SetSpec(spec) => Answer::Number(std::mem::replace(&mut row.spec, *spec)),
            Edit::Bind(node, pid) => Answer::Pid(row.bind(node, *pid)),
            Edit::Unbind(node) => Answer::Pid(row.unbind(node)),
            Edit::UnbindAll => Answer::All(std::mem::take(&mut row.bindings)),
            Edit::AddTag(tag) => Answer::Flag(row.add_tag(tag)),
            Edit::RemoveTag(tag) => {
                let before = row.tags.len();
                row.tags.retain(|t| t != tag);
                Answer::Flag(row.tags.len() < before)
            }
            Edit::ClearTags => {
                row.tags.clear();
                Answer::Nothing
            }
            Edit::SetMetadata(metadata) => {
                Answer::Number(std::mem::replace(&mut row.metadata, *metadata))
            }
            Edit::SetTtl(ttl) => {
                row.deadline = Some(self.now + *ttl);
                Answer::Nothing
            }
            Edit::MakePermanent => {
                row.deadline = None;
                Answer::Nothing
            }
        }
    }

    /// Whether a `try_update` whose closure fails finds an entry to run on.
    pub(crate) fn try_update_failing(&mut self, id: u32) -> bool {
        self.meet(id);
        self.live(id).is_some()
    }

    /// What the closure was shown, and what is current afterwards.
    pub(crate) fn compute(&mut self, id: u32, choice: &Choice) -> (Option<Row>, Option<Row>) {
        self.meet(id);
        let seen = self.present(id).cloned();
        let after = match choice {
            Choice::Keep => seen.clone(),
            Choice::Remove => {
                if seen.is_some() {
                    self.rows.remove(&id);
                }
                None
            }
            Choice::Put(wish) => {
                let mut row = self.fresh(wish);
                if let Some(old) = seen.as_ref().filter(|old| !old.bindings.is_empty()) {
                    row.incarnation = old.incarnation;
                    row.version = old.version + 1;
                    if wish.life == Life::Unsaid {
                        row.deadline = old.deadline;
                    }
                }
                Some(self.store(id, row, false))
            }
        };
        (seen, after)
    }

    /// The old pid of that node; `None` if there is no live entry.
    pub(crate) fn rebind(
        &mut self,
        id: u32,
        node: &str,
        pid: u32,
        hooked: bool,
    ) -> Option<Option<u32>> {
        self.meet(id);
        let mut row = self.live(id)?.clone();
        let old = row.bind(node, pid);
        row.version += 1;
        if hooked {
            let at = (row.incarnation, row.version);
            self.fire(Kind::Registered, id, vec![(node.to_owned(), pid)], at);
        }
        self.rows.insert(id, row);
        Some(old)
    }

    pub(crate) fn bulk_insert(&mut self, children: &[(u32, Wish)], hooked: bool) {
        for (id, wish) in children {
            self.merge(*id, wish, hooked);
        }
    }

    fn merge(&mut self, id: u32, wish: &Wish, hooked: bool) {
        let given = self.fresh(wish);
        let Some(old) = self.live(id).cloned() else {
            self.store(id, given, hooked);
            return;
        };
        let set = |row: &Row| row.bindings.iter().cloned().collect::<BTreeSet<_>>();
        if set(&old) == set(&given) {
            return;
        }
        let mut row = old.clone();
        row.spec = given.spec;
        row.metadata = given.metadata;
        row.tags = given.tags;
        row.version += 1;
        row.bindings.retain(|(node, _)| !given.bindings.iter().any(|(n, _)| n == node));
        row.bindings.extend(given.bindings.iter().cloned());
        if hooked {
            let changed = |(node, pid): &&(String, u32)| old.pid_on(node) != Some(*pid);
            let diff = given.bindings.iter().filter(changed).cloned().collect();
            self.fire(Kind::Registered, id, diff, (row.incarnation, row.version));
        }
        self.rows.insert(id, row);
    }

    pub(crate) fn bulk_delete(&mut self, children: &[(u32, Vec<String>)], hooked: bool) {
        for (id, nodes) in children {
            self.meet(*id);
            let Some(mut row) = self.live(*id).cloned() else {
                continue;
            };
            let named = |node: &String| nodes.contains(node);
            let (gone, left) = row.bindings.into_iter().partition(|(node, _)| named(node));
            row.bindings = left;
            let gone: Bindings = gone;
            if gone.is_empty() {
                continue;
            }
            row.version += 1;
            if row.bindings.is_empty() {
                row.deadline = Some(self.now + self.grace);
            }
            if hooked {
                let at = (row.incarnation, row.version);
                self.fire(Kind::Unregistered, *id, gone, at);
            }
            self.rows.insert(*id, row);
        }
    }

    /// The ids that lost a binding, in order.
    pub(crate) fn remove_node(&mut self, node: &str) -> Vec<u32> {
        for id in self.rows.keys().copied().collect::<Vec<_>>() {
            if self.rows[&id].pid_on(node).is_some() {
                self.meet(id);
            }
        }
        let ids: Vec<u32> = self.bound_to(node).into_keys().collect();
        for id in &ids {
            let row = self.rows.get_mut(id).expect("found above");
            row.unbind(node);
            row.version += 1;
            if row.bindings.is_empty() {
                self.rows.remove(id);
            }
        }
        ids
    }

    /// What the predicate was shown, in order of ids.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Row) -> bool) -> Vec<(u32, Row)> {
        for id in self.rows.keys().copied().collect::<Vec<_>>() {
            self.meet(id);
        }
        let seen: Vec<(u32, Row)> = self.all_present().map(|(id, r)| (id, r.clone())).collect();
        for (id, row) in &seen {
            if !keep(row) {
                self.rows.remove(id);
            }
        }
        seen
    }

    pub(crate) fn clear_all(&mut self) {
        self.rows.clear();
    }
}
