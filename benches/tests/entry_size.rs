//! An entry of ours takes no less than a peer's key and payload do: no row profits from smaller entries.
//!
//! The only test of its program: the allocator counts what all threads allocate.

use process_registry::ChildId;
use process_registry_benches::keys::{Key, numbered};
use process_registry_benches::maps::{Bound, Dash, Lookup as _, Map, Papaya, SccMap};
use process_registry_benches::payload::Payload;
use test_support::CountingAlloc;

#[global_allocator]
static ALLOCATOR: CountingAlloc = CountingAlloc::new();

/// What an insertion allocates in a map with room: the median, for some make more than an entry.
fn allocated<K: Key, M: Map<K>>() -> usize {
    let keys: Vec<K> = numbered(0..10_000);
    let map = M::filled(2 * keys.len(), &[]);
    let mut sizes: Vec<usize> = keys
        .iter()
        .zip(0..)
        .map(|(key, word)| {
            let before = ALLOCATOR.live_bytes();
            assert!(map.insert(key, Payload::new(word)), "a new key");
            ALLOCATOR.live_bytes().saturating_sub(before)
        })
        .collect();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

fn holds<K: Key>() {
    let ours = allocated::<K, Bound<K>>();
    let in_table = size_of::<K>();
    let peers = [
        (Papaya::<K>::NAME, allocated::<K, Papaya<K>>()),
        (SccMap::<K>::NAME, in_table + allocated::<K, SccMap<K>>()),
        (Dash::<K>::NAME, in_table + allocated::<K, Dash<K>>()),
    ];
    for (name, peer) in peers {
        // Less would mean that it is not an entry that was measured.
        assert!(peer >= in_table + size_of::<Payload>(), "{name}, {}: {peer}", K::NAME);
        assert!(ours >= peer, "{}: {ours} bytes, {peer} of {name}", K::NAME);
    }
}

#[test]
fn an_entry_of_ours_is_no_smaller_than_that_of_a_peer() {
    holds::<ChildId>();
    holds::<u64>();
}
