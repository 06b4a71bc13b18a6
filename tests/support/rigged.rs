//! Ids and values whose every piece of user code can be made to panic or to call back.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::ledger::{Ledger, Token};

/// A kind of user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Hash,
    Eq,
    CloneId,
    DropId,
    CloneValue,
    DropValue,
    EqValue,
    Closure,
    Hook,
}

impl Point {
    pub(crate) const ALL: [Self; 9] = [
        Self::Hash,
        Self::Eq,
        Self::CloneId,
        Self::DropId,
        Self::CloneValue,
        Self::DropValue,
        Self::EqValue,
        Self::Closure,
        Self::Hook,
    ];
}

/// What happens at the chosen moment.
#[derive(Clone)]
pub(crate) enum Action {
    Panic,
    Call(Rc<dyn Fn()>),
}

/// What a rigged panic carries.
#[derive(Debug)]
pub(crate) struct Bang;

thread_local! {
    static RIG: RefCell<Option<(Point, u32, Action)>> = const { RefCell::new(None) };
    static TRIPPED: Cell<bool> = const { Cell::new(false) };
}

/// Called by every piece of user code. Acts at the chosen moment, once.
pub(crate) fn reached(point: Point) {
    let due = RIG.with_borrow_mut(|rig| match rig {
        Some((at, left, _)) if *at == point => {
            *left -= 1;
            let dropping = matches!(point, Point::DropId | Point::DropValue);
            // A destructor that panics while another panic unwinds ends the process.
            if *left > 0 {
                None
            } else if dropping && std::thread::panicking() {
                *left = 1;
                None
            } else {
                rig.take()
            }
        }
        _ => None,
    });
    match due {
        None => {}
        Some((_, _, Action::Panic)) => {
            TRIPPED.set(true);
            // Without the panic hook, which would print.
            resume_unwind(Box::new(Bang));
        }
        Some((_, _, Action::Call(call))) => {
            TRIPPED.set(true);
            call();
        }
    }
}

/// Runs `operation` with `action` at the `nth` time `point` is reached. Whether that moment came,
/// and what came out.
pub(crate) fn rigged<R>(
    point: Point,
    nth: u32,
    action: Action,
    operation: impl FnOnce() -> R,
) -> (bool, Result<R, Box<dyn Any + Send>>) {
    TRIPPED.set(false);
    RIG.set(Some((point, nth, action)));
    let result = catch_unwind(AssertUnwindSafe(operation));
    RIG.set(None);
    let result = result.map_err(|panic| {
        if !panic.is::<Bang>() {
            resume_unwind(panic);
        }
        panic
    });
    (TRIPPED.get(), result)
}

/// A child id.
#[derive(Debug)]
pub(crate) struct Id {
    pub(crate) number: u32,
    token: Token,
}

impl Id {
    pub(crate) fn new(number: u32, ledger: &Ledger) -> Self {
        let token = ledger.token();
        Self { number, token }
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        reached(Point::Hash);
        self.token.sound();
        self.number.hash(state);
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        reached(Point::Eq);
        self.token.sound();
        other.token.sound();
        self.number == other.number
    }
}

impl Eq for Id {}

impl Clone for Id {
    fn clone(&self) -> Self {
        reached(Point::CloneId);
        Self { number: self.number, token: self.token.clone() }
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        self.token.sound();
        reached(Point::DropId);
    }
}

/// A spec, a pid, or metadata.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) number: u32,
    token: Token,
}

impl Value {
    pub(crate) fn new(number: u32, ledger: &Ledger) -> Self {
        let token = ledger.token();
        Self { number, token }
    }

    pub(crate) fn sound(&self) {
        self.token.sound();
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        reached(Point::EqValue);
        self.token.sound();
        other.token.sound();
        self.number == other.number
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        reached(Point::CloneValue);
        Self { number: self.number, token: self.token.clone() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.token.sound();
        reached(Point::DropValue);
    }
}
