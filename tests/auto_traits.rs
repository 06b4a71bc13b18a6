//! Which auto traits the public types have, and which they do not. The compiler checks the tables,
//! and a test that no type is missing in them.

use std::cell::Cell;
use std::hash::RandomState;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::slice;
use std::sync::MutexGuard;

use process_registry::*;

/// Whether a type has a trait: where it has, the constant of `Of` itself comes before the one that
/// any type gets from `Otherwise`.
macro_rules! has {
    ($type:ty: $trait:ident) => {{
        struct Of<T>(PhantomData<T>);
        #[allow(dead_code, reason = "used where the trait is missing")]
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T> Otherwise for Of<T> {}
        #[allow(dead_code, reason = "used where the trait is there")]
        impl<T: $trait> Of<T> {
            const HAS: bool = true;
        }
        <Of<$type>>::HAS
    }};
}

macro_rules! answer {
    (yes) => {
        true
    };
    (no) => {
        false
    };
}

/// A row for each type: whether it is `Send`, `Sync`, `Unpin`, `UnwindSafe`, `RefUnwindSafe`.
macro_rules! table {
    ($($type:ty: $send:tt $sync:tt $unpin:tt $unwind:tt $ref_unwind:tt;)+) => {$(
        table!(@ $type, Send, $send);
        table!(@ $type, Sync, $sync);
        table!(@ $type, Unpin, $unpin);
        table!(@ $type, UnwindSafe, $unwind);
        table!(@ $type, RefUnwindSafe, $ref_unwind);
    )+};
    (@ $type:ty, $trait:ident, $answer:tt) => {
        const _: () = assert!(
            has!($type: $trait) == answer!($answer),
            concat!(stringify!($type), " is not as the table says: ", stringify!($trait))
        );
    };
}

type Text = &'static str;
type Ids = slice::Iter<'static, Text>;

// What holds no pin goes everywhere, and what holds one stays on its thread. Handlers are closures
// of which only `Send` and `Sync` are asked.
table! {
    //                                   Send Sync Unpin UnwindSafe RefUnwindSafe
    Registry<u8, u8>:                    yes  yes  yes   yes        yes;
    Registry<Text, &'static [u8], String, (u8, u8), RandomState>:
                                         yes  yes  yes   yes        yes;
    Builder<u8, u8>:                     yes  yes  yes   yes        yes;
    Entry<u8, u8>:                       yes  yes  yes   yes        yes;
    OwnedEntry<u8, u8>:                  yes  yes  yes   yes        yes;
    Registration<u8, u8>:                yes  yes  yes   yes        yes;
    Child<u8, u8>:                       yes  yes  yes   yes        yes;
    Pids<'static, u8>:                   yes  yes  yes   yes        yes;
    Decision<u8, u8>:                    yes  yes  yes   yes        yes;
    ChildId:                             yes  yes  yes   yes        yes;
    Node:                                yes  yes  yes   yes        yes;
    Tag:                                 yes  yes  yes   yes        yes;
    Global:                              yes  yes  yes   yes        yes;
    Local:                               yes  yes  yes   yes        yes;
    Clock:                               yes  yes  yes   yes        yes;
    ManualClock:                         yes  yes  yes   yes        yes;
    Janitor:                             yes  yes  yes   no         no;
    HookKey:                             yes  yes  yes   yes        yes;
    Event<'static, u8>:                  yes  yes  yes   yes        yes;
    Handler<u8>:                         yes  yes  yes   no         no;
    Hooks<u8>:                           yes  yes  yes   no         no;
    WriteOptions<'static, u8>:           yes  yes  yes   no         no;
    NoChild:                             yes  yes  yes   yes        yes;
    UpdateError<u8>:                     yes  yes  yes   yes        yes;
    Taken<u8, u8>:                       yes  yes  yes   yes        yes;
    Occupied<'static, u8, u8>:           yes  yes  yes   yes        yes;
    DuplicateHandlers<u8>:               yes  yes  yes   no         no;
    Pinned<'static, u8, u8>:             no   no   yes   no         no;
    EntryRef<'static, u8, u8>:           no   no   yes   no         no;
    GetMany<'static, Ids, u8, u8>:       no   no   yes   no         no;
    Iter<'static, u8, u8>:               no   no   yes   no         no;
    ByTag<'static, u8, u8>:              no   no   yes   no         no;
    ByNode<'static, u8, u8>:             no   no   yes   no         no;
}

#[cfg(feature = "metrics")]
table! {
    Metrics:                             yes  yes  yes   yes        yes;
}

#[cfg(feature = "serde")]
table! {
    Snapshot<u8, u8>:                    yes  yes  yes   yes        yes;
    Snapshot<Cell<u8>, u8>:              yes  no   yes   yes        no;
    Snapshot<u8, Rc<u8>>:                no   no   yes   yes        yes;
}

// A registry shares what is in it, also with those who hold an entry or a registration: neither is
// `Send` unless specification, pid, metadata and id are `Sync` too. The hasher belongs to the
// registry alone. Of the closure of a handler everything is known, whatever it is called with.
table! {
    //                                   Send Sync Unpin UnwindSafe RefUnwindSafe
    Registry<Cell<u8>, u8>:              no   no   yes   no         no;
    Registry<u8, Cell<u8>>:              no   no   yes   no         no;
    Registry<u8, u8, Cell<u8>>:          no   no   yes   no         no;
    Registry<u8, u8, (), Cell<u8>>:      no   no   yes   no         no;
    Registry<Rc<u8>, u8>:                no   no   yes   yes        yes;
    Registry<u8, Rc<u8>>:                no   no   yes   yes        yes;
    Registry<u8, u8, Rc<u8>>:            no   no   yes   yes        yes;
    Registry<u8, u8, (), Rc<u8>>:        no   no   yes   yes        yes;
    Registry<u8, u8, (), u8, Cell<u8>>:  yes  no   yes   yes        no;
    Registry<u8, u8, (), u8, Rc<u8>>:    no   no   yes   yes        yes;
    // `Sync` alone is not enough: who sees an entry may share it, and drop it elsewhere.
    Registry<MutexGuard<'static, u8>, u8>: no no   yes   yes        yes;
    Entry<MutexGuard<'static, u8>, u8>:  no   no   yes   yes        yes;
    OwnedEntry<u8, MutexGuard<'static, u8>>: no no yes   yes        yes;
    Builder<Rc<u8>, Cell<u8>>:           yes  yes  yes   yes        yes;
    Builder<u8, u8, (), u8, Cell<u8>>:   yes  no   yes   yes        no;
    OwnedEntry<Cell<u8>, u8>:            no   no   yes   no         no;
    OwnedEntry<u8, u8, Rc<u8>>:          no   no   yes   yes        yes;
    Registration<u8, Cell<u8>>:          no   no   yes   no         no;
    Registration<u8, u8, (), Rc<u8>>:    no   no   yes   yes        yes;
    Registration<u8, u8, (), u8, Cell<u8>>: no no  yes   no         no;
    Taken<Cell<u8>, u8>:                 no   no   yes   no         no;
    Occupied<'static, Cell<u8>, u8>:     no   no   yes   no         no;
    Entry<u8, Cell<u8>>:                 yes  no   yes   no         no;
    Child<Cell<u8>, u8>:                 yes  no   yes   yes        no;
    Child<u8, Rc<u8>>:                   no   no   yes   yes        yes;
    Decision<Cell<u8>, u8>:              yes  no   yes   yes        no;
    Event<'static, Cell<u8>>:            no   no   yes   no         no;
    Pids<'static, Cell<u8>>:             no   no   yes   no         no;
    Hooks<Rc<u8>>:                       yes  yes  yes   no         no;
    UpdateError<Cell<u8>>:               yes  no   yes   yes        no;
}

#[test]
fn every_public_type_is_in_a_table() {
    let rows = include_str!("auto_traits.rs");
    let exported: Vec<&str> = include_str!("../src/lib.rs")
        .split("pub use self::")
        .skip(1)
        .filter_map(|rest| rest.split_once(';'))
        .flat_map(|(path, _)| path.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|name| name.starts_with(char::is_uppercase))
        .filter(|name| !["IntoChildren", "IntoId", "Scope"].contains(name)) // traits
        .collect();
    assert!(exported.len() > 30, "only {exported:?}");
    for name in exported {
        let row = |line: &str| line.trim_start().strip_prefix(name)?.chars().next();
        assert!(rows.lines().any(|line| matches!(row(line), Some(':' | '<'))), "{name}");
    }
}
