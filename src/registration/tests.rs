use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::*;

type Names = Registry<&'static str, u32>;

fn worker(pid: u32) -> Child<&'static str, u32> {
    Child::new("spec").on("here", pid)
}

/// Compiles for every `T` that is `Send` and `Sync`, whatever else it is not.
fn shared<T: Send + Sync>() {}

/// Does not compile if the type implements the trait: two implementations would fit.
macro_rules! not_implemented {
    ($trait:ident: $($type:ty),+ $(,)?) => {$({
        trait Ambiguous<A> {
            fn witness() {}
        }
        struct Implemented;
        impl<T: ?Sized> Ambiguous<()> for T {}
        impl<T: ?Sized + $trait> Ambiguous<Implemented> for T {}
        <$type as Ambiguous<_>>::witness();
    })+};
}

#[test]
fn it_is_shared_where_the_registry_is_and_nowhere_else() {
    fn whatever_they_are<S, P, M, K, H>()
    where
        S: Send + Sync,
        P: Send + Sync,
        M: Send + Sync,
        K: Send + Sync,
        H: Send + Sync,
    {
        shared::<Registration<S, P, M, K, H>>();
    }
    whatever_they_are::<&str, u32, (), String, ahash::RandomState>();
    not_implemented!(Send: Registration<Cell<u8>, u8>, Registration<u8, Rc<u8>>);
    not_implemented!(Send: Registration<u8, u8, Cell<u8>>, Registration<u8, u8, (), Rc<u8>>);
    not_implemented!(Sync: Registration<Cell<u8>, u8>, Registration<u8, u8, (), Rc<u8>>);
    not_implemented!(Clone: Registration<u8, u8>);
}

/// What the registry is made of may borrow, and may implement nothing but what an id must.
#[test]
fn it_asks_nothing_of_its_parameters() {
    struct Plain;
    let text = String::from("borrowed");
    let registry: Arc<Registry<Plain, &str, Plain, u64>> = Arc::new(Registry::new("here"));
    let child = || Child::new(Plain).metadata(Plain).on("here", text.as_str());
    let lease = registry.register(7, child()).unwrap();
    assert!(lease.is_current() && lease.entry().is_some());
    assert_eq!(format!("{lease:?}"), "Registration { id: 7, incarnation: 1, .. }");
    assert!(lease.release().is_some());
    drop(registry.register(7, child()).unwrap());
    assert_eq!(registry.register(7, child()).unwrap().detach(), 7);
    assert_eq!(registry.len_all(), 1);
}

#[test]
fn what_gave_its_claim_up_holds_no_registry() {
    let registry: Arc<Names> = Arc::new(Registry::new("here"));
    let leases = ["a", "b", "c", "d"].map(|id| registry.register(id, worker(1)).unwrap());
    assert_eq!(Arc::weak_count(&registry), 4);
    let [dropped, released, detached, kept] = leases;
    drop(dropped);
    assert!(released.release().is_some());
    assert_eq!(detached.detach(), "c");
    assert_eq!(Arc::weak_count(&registry), 1);
    let mut claim = kept.lease;
    assert!(claim.give_up().is_some());
    assert!(claim.give_up().is_none(), "once");
    drop(claim);
    assert!(registry.contains("c") && registry.contains("d"));
    assert_eq!((Arc::weak_count(&registry), Arc::strong_count(&registry)), (0, 1));
}
