//! How it works: words and states, invariants, orderings, linearization points.
//!
//! This page is for those who read the source before they trust it. The source cites it: `I1` to
//! `I18` are the invariants, `O1` to `O19` the orderings, `L1` to `L9` the linearization points.
//!
//! # 1. Shape
//!
//! ```text
//! registry ──► primary index     child id ► entry
//!          ├─► tag directory     tag      ► member set ─┐ each directory is the same hash index,
//!          ├─► node directory    node     ► member set ─┘ keyed by name
//!          ├─► deadline index    (deadline, incarnation) ► hash
//!          └─► limbo             what was unlinked, until the epoch has passed
//! ```
//!
//! **The primary decides; everything else gives candidates.** One compare-and-swap on one slot
//! word of the primary index is the linearization point of every write, for all indexes at once. A
//! query takes candidates from a member set and asks the primary about each of them, so an index
//! can never disagree with an entry.
//!
//! The layers of the source, imports going down only: `registry` (the public face, pins and
//! delegates) → `pinned` → `write`, `query`, `bulk`, `sweep` (what operations mean) → `raw` (keys,
//! values, names; all of the crate's unsafe code) → `sync` (atomics, fences, pins; the only place
//! that names an atomic type, and where the models put theirs).
//!
//! # 2. The hash index
//!
//! A table is a power of two of buckets. A bucket is one cache line: seven slot words and an
//! overflow word that leads to the next bucket of the chain. A slot word holds the address of an
//! entry, fifteen bits of its hash, its state, and whether the entry is a *special* one: empty, or
//! with a deadline. Apart from the buckets each chain has a *filter*: a word of 32 bits, of which eight
//! bits of a key's hash name two. The root word packs the table's address and size. A lookup touches the
//! root, a filter, a bucket, an entry; of an entry that is not special, nothing but the id; and if the key
//! is absent, mostly nothing but the filter.
//!
//! A table is one allocation of zeros, which are fresh buckets, so that nothing has to be written
//! before it can be used. With the feature `huge-pages` a big one may begin at a multiple of 2 MiB and
//! ask for huge pages before it is touched; its header keeps that, for its layout depends on it.
//!
//! An entry is one allocation, too, and no longer than its lists: a *block* with the count of its owners,
//! its id and what lookups read, then its bindings, its places in the indexes, its tags, its hash. Three
//! bytes of the block say how long the lists are, and where each part is follows from that. So an entry
//! with one binding and an id of 24 bytes takes 120 bytes, of which a lookup reads a line, a query two, or
//! three where the entry begins in the last quarter of a line. (With glibc 136 are asked for: less it merges all at
//! once, some time after it was freed. So there is room not to begin in the middle of a line, where the id would lie
//! in two; a bit among the three bytes says whether the entry begins 16 bytes behind the beginning of its memory.
//! Where entries have a tag as well, there is no such room, and some have their id in two lines.) What is behind the
//! block is reached by the pointer that the entry was allocated as, which the block holds: a reference to
//! an entry covers no more than the block.
//!
//! Which fifteen bits depends on the table's size, in steps of eight doublings: they begin at or
//! below the first bit that the index of the chain leaves out. So seven migrations of eight see from
//! the words alone which half of a split an entry goes to, and touch no entry. Inserts try the slot
//! first that the upper bits of the fingerprint name.
//!
//! ## The states of a slot word
//!
//! ```text
//!                 publish              commit               replace (another entry)
//!    UNINIT ───────────────► PENDING ─────────► COMMITTED ◄─────────┐
//!      │                    ▲   │                │  │  └────────────┘
//!      │            publish │   │ kill    remove │  │
//!      │                    │   ▼                ▼  │
//!      │                    └── EMPTY ◄───────── EMPTY
//!      └─ fill ─► COMMITTED
//!
//!    any state ── freeze ──► the same, FROZEN: it never changes again
//! ```
//!
//! SPECIAL is set or not when a word is made, and stays.
//!
//! | word | an insert | a replace, a removal | a reader | a migration |
//! |---|---|---|---|---|
//! | UNINIT, EMPTY | may publish here | passes | passes | freezes it; leaves nothing |
//! | PENDING | decides about it if it is of its key | passes | passes | freezes it: it is dropped |
//! | COMMITTED | is refused by it if it is of its key | may exchange it | returns it | moves it |
//! | FROZEN | passes; goes on in the successor if it is of its key | the same | ignores the bit | |
//!
//! ## Reading
//!
//! Pin, then load the root. Load the overflow word of the first bucket: MIGRATED → the same in the
//! successor. Else compare the slots of the chain. A miss is right at the moment the overflow word
//! was read or later: a committed key leaves its slot only by removal, replacing happens in place,
//! frozen words never change.
//!
//! Nearly all lookups are settled by straight code that looks at less: the key's bits are not in the filter; or
//! the first slot of the first bucket that looks right holds a committed entry, and its id is the one; or no
//! slot looks right, and the overflow word, read after them, says that there is no other bucket and that the
//! chain is not MIGRATED. A word that is not frozen is its own licence: all words of a chain are frozen before
//! it is MIGRATED (I18), so the chain was not when the word was loaded, and what is in it was current then. Of a
//! frozen word that is so if the chain is not MIGRATED at a later look. And if it is not MIGRATED after the
//! slots have been read, then a key that was committed all that time was met in them. An entry whose word says
//! that it is special, or that it is frozen, is judged by a function of its own, from the slot where it was
//! seen; in any other case the lookup starts over in full. Of an entry that its word says is not special, nothing
//! but the id is read. What counts there is how few steps wait for a line of memory: each takes a place in the
//! processor's window until the line is there, and so keeps the next lookup out.
//!
//! **The filter** is read first. Bits are set before an entry is published in the chain, and stay; and
//! before a chain is MIGRATED all of its bits are set (I17). So if one of a key's bits is missing, the chain
//! was not MIGRATED when the filter was read, and what is in it then is all there is of the key: nothing.
//! That instant is the lookup's. The filters of a million entries take a megabyte, their buckets sixteen:
//! so a miss waits for the second level of the caches instead of the memory, and six in a hundred look
//! into a bucket in vain. As entries come and go more bits are set, until the table is replaced: with as
//! many fresh ids as there are entries come and gone, one miss in six looks into its bucket, with four times
//! as many every other. A table that is never crowded is never replaced.
//!
//! The slots of a bucket are compared by one look at all of them, then each that it promises is
//! loaded. On x86-64 that look is a vector compare in assembly, to which the above applies as to
//! loads: none is taken before an earlier one, a load of the overflow word stays on its side of it, and
//! no fingerprint is torn. No model checker sees it; the models look at one slot after the other.
//!
//! ## Inserting an absent key
//!
//! 1. A table that has a successor: migrate one's own chain and go on in the successor.
//! 2. Scan the chain. The key is there → refused. It or an overflow word is frozen → step 1. (That
//!    another slot is frozen need not be seen: the word that step 3 exchanges is not frozen then, so
//!    the migration has yet to come by it, and takes along what step 3 has put there.)
//! 3. See to it that the key's bits are in the chain's filter. Then publish the entry as PENDING in a
//!    vacant slot, or in a bucket linked to the end of the chain.
//! 4. One pass of sequentially consistent loads over all slots of the chain, for a *target*, at
//!    first one's own word. Of the same key: COMMITTED → kill the target. PENDING at a higher
//!    position → kill it. PENDING at a lower position → it becomes the target; begin again.
//!    Frozen PENDING → passes, it can never commit. A clean pass → commit the target. If the target
//!    was another's, go on with one's own word.
//! 5. What has become of one's own word: committed → done. PENDING and frozen → dropped; publish
//!    the same entry in the successor. Gone, with the entry's `was_committed` mark set → a helper
//!    committed it and somebody has replaced or removed it since: done. Gone without the mark →
//!    killed: begin again with a **newly allocated** entry, or a stale helper could commit the old
//!    one twice.
//!
//! Why sequentially consistent: publish-then-look against publish-then-look is store buffering. The
//! exchange that publishes and all loads of a pass are in the one order of such operations: if a
//! pass misses a rival's word, the load that missed it comes before that rival's publication, which
//! comes before the rival's pass; so that one sees the target. For a helper the same holds, because
//! the load by which it adopted the target is one of a pass. (loom takes such operations for
//! acquiring and releasing ones. Under the models a SeqCst fence at the start of each pass stands
//! for them, a helper's included, and the models of what fails without it leave out that fence.)
//!
//! Why it ends: among the slots that change for ever take the lowest. What kills it comes from a
//! lower slot that no longer changes, and the pass that finds that slot ends in a commit.
//!
//! ## Replacing and removing
//!
//! Mark the entry as `was_committed`, then exchange its word by one compare-and-swap. FROZEN →
//! migrate, and look in the successor.
//!
//! ## Growing, rebuilding, halving
//!
//! When more than a fifth as many overflow buckets as buckets are in use, whoever linked the last
//! one compares the length with the size: three entries a bucket → twice the size; hardly any →
//! half; else the same size again, without the overflow. Only the root gets a successor. One writer
//! sees to it, and nobody waits for it: with a fifth more in use it is the turn of another, for the
//! first may have been stopped, and so on. Whichever is the first to link its table has grown it.
//!
//! What has to move together is a *group*: one source chain, or the two that halving merges. To
//! migrate a group, by any number of helpers at once:
//!
//! 1. One's own chain is MIGRATED → done.
//! 2. Another chain of the group is MIGRATED → the targets are complete; say so of one's own.
//! 3. For each source, in fixed order, down its chain: freeze each slot, then the overflow word.
//!    Collect the committed words.
//! 4. Fill the targets by compare-and-swap from UNINIT, slot by slot, and let what goes there pass their
//!    filters; the overflow word last. What goes where depends on the collected list alone, so all helpers
//!    write the same, and a slot that gets nothing is written by none of them, however late.
//! 5. Set all bits of the sources' filters; then MIGRATED on the sources, in order. The same is done by a
//!    helper that finds another chain MIGRATED and says so of its own.
//!
//! A write that meets a successor migrates its own group or, if that is done, one chunk of others, at
//! present a single group: more make those inserts slow that help. Chunks are handed out by a cursor;
//! after the first round, helpers look for those that a stalled one left unfinished. When all are
//! done, one compare-and-swap moves the root, and its winner retires the old table. Whoever is the first
//! to fill a chain in a stretch of the successor has the system bring the pages of all of the stretch:
//! so few writes wait for pages.
//!
//! ## Walking
//!
//! A *class* `(v, m)` is all keys with `hash & (m - 1) == v`. A walk pins, loads the root, and
//! visits the classes of that table, one for each bucket. Where a bucket is MIGRATED it visits the
//! *same* class in the successor, splitting it where the successor is larger, filtering where it is
//! smaller. A chain that was not MIGRATED when its overflow word was read is read to its end,
//! whatever becomes of it meanwhile. At the end, still pinned, the `was_committed` marks of what was
//! met are read: only a marked entry can have a later one of the same key among the rest.
//!
//! # 3. Member sets
//!
//! A member set is an array of chunks; a chunk is a bitmap and its slots; a slot holds **the hash of
//! a member's key**, not a pointer. An entry knows, for each of its names, its *place*, in one word:
//! the address of the chunk, with the number of the slot in the low bits. The head of a chunk says
//! which set it belongs to and where in its array it stands: so a place is enough to give the slot
//! back. A new set writes that once it stands in a block, and again if it moves, because it was
//! killed, to another: while nobody else can reach the chunk.
//!
//! - **Before** the primary publishes an entry, its places are claimed and written: even before its key is
//!   looked for, where the filter shows that it is absent, for that look waits for the bucket. **After** a
//!   compare-and-swap has unpublished one, its winner gives back the places that the successor has
//!   not taken over. A replace hands a place on for each name that both have, so a member never
//!   moves within its set, and an update that keeps its names writes no index at all.
//! - **Claims belong to the operation**, not to the entry: a killed entry's successor has the same.
//! - **A query** reads the slots in use and probes the primary by hash, accepting only the current
//!   entry whose own place is the very slot. So a stale, reused or not yet published slot yields
//!   nothing, two keys of one hash are told apart, and an entry that carries the name throughout is
//!   found exactly once: it is in one slot, of one chunk, which its claim keeps linked. Slots need
//!   no reclamation.
//! - **A place is an address**, and memory is used again. But the query has read the chunk's address
//!   from the array under its pin: that memory becomes no other chunk while the pin lasts (I8). And
//!   an entry that it accepts was current under the same pin: so the chunk that the entry's place
//!   names was claimed then (I12), and is not freed before the pin ends, either. Two allocations that
//!   are there at once have two addresses; so equal places are one slot of one chunk.
//! - **A query looks ahead**: it reads the next slots and asks for the lines of their buckets, finds the
//!   words of the members before those, asks for the lines of their entries, and loads a word again
//!   when its member's turn comes. An unfrozen word that is still the same is that of the current
//!   entry (L7); for any other it asks the primary anew.
//! - **A set without members** closes (`live` 0 → CLOSED), leaves its directory and is retired, by
//!   the one who closed it, in this order; a claim that meets a closed set takes it out of the
//!   directory itself and begins again. A chunk without members closes the same way (bitmap → all
//!   ones) and leaves its array.
//! - **A claim** looks for room from where the last one found some, round and round within the lowest
//!   chunks that have a quarter more slots than the set has members. So it finds a slot after a few
//!   chunks at most on average, in a set of any size, and chunks beyond, from times when there were
//!   more members, run empty. Nothing but speed hangs on where it begins. (The lowest index that may
//!   have room, kept as a hint, makes an insert after a random removal look at a sixth of all chunks
//!   on average: `registry/tests/cost` counts them.)
//!
//! # 4. Reclamation
//!
//! crossbeam-epoch with a collector of the crate's own. What is unlinked goes into a batch; a full
//! batch is sealed with *one* deferred call that raises a flag and touches nothing else; writers
//! look at the flags and free what is due. After each write, when it holds no pin, a thread frees as
//! many things as it has retired and a few more: so limbo drains whatever a write retires, and no
//! write pays for a long pin of somebody else's at once. While many batches wait, a batch takes
//! more. An old table is sealed at once: inserts alone would never fill a batch. So a read runs no
//! destructor and frees no entry and no table. An entry has a count: one for the index, given up
//! when the epoch has passed, and one for each `OwnedEntry`; whoever gives up the last one drops the
//! entry.
//!
//! The state for that is a *shelf*. A writer makes its stripe's slot busy by a compare-and-swap, has
//! the shelf for itself, and lets go of it by a store. Two bits of the slot's word say whether it is
//! worth while. One that has something to retire and finds its slot busy takes another that is idle,
//! or makes one more: nobody waits, no more are made than were at work at once, and a destructor may
//! call the registry again. A destructor that writes retires, but frees nothing in its turn.
//!
//! User code runs unpinned where it may be slow: the closure of `update`, handlers, destructors, the
//! clones that make a new version. Under a pin run `Hash` and `Eq` of ids, predicates, the closure
//! of `compute`, and the clone of a pid that `get_pid` returns: to count the entry first would make
//! a read write shared memory.
//!
//! A panic of `Hash`, `Eq`, a predicate or a closure changes nothing of the child it was asked about. An
//! `Eq` may panic in an insert whose entry a rival has committed meanwhile: the insert then takes out, by
//! its incarnation, what nobody was told of.
//!
//! # 5. Invariants
//!
//! What fails without it: a seeded bug and a model that finds it, with the bound that the README of
//! the models gives. Of I13 to I16 no bug is seeded: there it is what looks at them, models,
//! tests and sanitizers. Each `SAFETY` comment cites the invariants that it rests on.
//!
//! | | invariant | kept by | what fails without it |
//! |---|---|---|---|
//! | I1 | A live chain has at most one committed slot for a key. | the validation pass, sequentially consistent with every publication | `NoValidation`: `insert_insert`; `NoPassFence`: `two_slots`; `NoHelperFence`: `three_slots` |
//! | I2 | A frozen word never changes. | every transition expects an unfrozen word | `NoFreezeOverflow`: `overflow_start`; `FreezeBySight`: `start_insert_insert` |
//! | I3 | A word of a target never becomes UNINIT again. | no transition leads there | `RemoveToUninit`: `late_helper` |
//! | I4 | MIGRATED on a chain: every overflow word of its group's targets is written, and every slot that the fill gives something. No helper ever writes the others. | `migrate` sets it last; what the fill gives depends on frozen words alone | `MigratedBeforeFill`: `grow_lookup` |
//! | I5 | Nothing reachable from a chain is retired through the successor before the chain is MIGRATED. | writers work in the successor only after they have seen to that of their own chain; an element of the other source of a halving has another fingerprint, which holds the bit of the split (where words have none, the hash is compared) | `ReaderIgnoresMigrated`: `window_lookup`; `SkipHelping`: `late_helper`; without fingerprints: `a_lying_eq_gets_nothing_of_the_other_half` |
//! | I6 | An entry is published once, but for one that a migration dropped while it was pending. | a killed entry's payload moves to a new allocation | `RepublishKilled`: `slots_stale_helper`; `MovePending`: `start_insert_insert` |
//! | I7 | `was_committed` is set only on an entry that was seen committed, and before any attempt to unlink it. | `replace` and `unlink` are the only ones that unlink | `NeverCommitted`: `insert_insert_then_remove`, `walk_moves` |
//! | I8 | What was ever published is freed only after every pin from before its unlinking is gone. | limbo | `RetireBeforeUnlink`: `lookup_remove_free`; `NoRepinFence`: `repin` |
//! | I9 | Every change of a published slot or overflow word is a read-modify-write, so release sequences hold. | `word` offers nothing else | `RelaxedPublish`: `insert_insert`, for the orders; a plain store does not compile |
//! | I10 | The value of an entry that was never committed is touched by its inserter only. | readers ignore PENDING; rivals compare hashes and keys, which stay | `TakePending`: `lookup_insert_insert` |
//! | I11 | The count of an entry is not zero while a pin from before its unlinking or an owner is left. | the index's own count is given up by limbo only | `CountAfterZero`: `own_own` |
//! | I12 | A member's place is claimed from before its entry is published until after it is unpublished, and a claim keeps its chunk and its set open. The chunk names the set's block. | `operation`; one word of each decides between a claim and the end; `placed`, before anybody else can reach the set | `LateHash`: `query_after_lookup`; `FreeSlotEarly`: `replace_remove_tagged`; `ClaimClosed`: `last_leaves_one_joins`; `StaleSetPointer`: `moved_set` |
//! | I13 | What is not published yet, or was taken whole, is touched by its one owner only; what is published is written through atomics only. What is unlinked is retired once, by the winner of the exchange that unlinked it, or by its inserter if it was never committed; and freed once. | drafts, rooms and shelves in hand, which alone lend `&mut` and cannot be copied; one exchange has one winner | `lookup_remove_free`, `one_shelf`: canaries tell what is freed twice, and what is lost; `no_note_is_lost_between_threads`; address sanitizer |
//! | I14 | What is allocated has one layout from then until it is freed, in which zeros are fresh buckets. An index into it is masked or checked against its size, or handed out for it. Of an element that layout follows from three bytes of its block, or from two numbers behind it, which never change. Segments are freed with the table or the array that they belong to, flags never. | `Table::layout`, `Chunk::layout`, `Counts::offsets`, `place` of an arena and of an array | `a_table_packs_into_a_word`, `overflow_buckets_have_places_of_their_own`, `every_index_has_a_place_of_its_own`, `parts_lie_where_their_alignment_wants_them`, `lists_grow_and_shrink_from_version_to_version`; address sanitizer |
//! | I15 | What is freed is freed by the pointer that it was allocated as, and with that layout. | `origin` of an element and of a table, how far an element is behind the beginning of its memory, the layout in a room, `pages` of a table; tagging by `map_addr`; the number of a segment; the index in the head of a chunk, and how far before it its allocation begins | the address: `a_table_packs_into_a_word`, `elements_give_back_the_memory_they_were_given`, address sanitizer, memcheck; the size: `memory_comes_back`; the provenance: no test |
//! | I16 | SPECIAL in a word says of its entry, which never changes, that it is empty or has a deadline. | `insert` and `replace` ask the entry when they make the word; commit, freeze and moves keep the bit | a debug assertion wherever an entry is found; `kinds_of_entries_change_while_the_table_grows` |
//! | I17 | The filter of a chain has the bits of every key with an element in the chain, from before the element is published there; and all bits from before the chain is MIGRATED. Bits stay for as long as the table does. | `insert` announces the key first; `fill` adds those of all that it moves; `migrate` saturates before it marks; a replace stays in its slot | `LateFilter`: `lookup_overflow`; `EmptyFilter`: `halve_lookup_overflow`; `OpenFilter`: `window_insert` |
//! | I18 | Before a chain is MIGRATED all slots and overflow words of it are FROZEN, and they stay so. | `migrate` freezes its sources before it fills the targets; I2 | `FreezeBySight`: `start_insert_insert`; `NoFreezeOverflow`: `overflow_start`; that a glance follows frozen words with a second look only, `NoSecondLook`: `window_lookup`; committed words that are not frozen: `committed_words_are_not_frozen` |
//!
//! # 6. Orderings
//!
//! | | atomic | operation | ordering | partner and reason |
//! |---|---|---|---|---|
//! | O1 | slot, overflow | publish, link / load | AcqRel / Acquire | carries the entry's fields, the bucket's words |
//! | O2 | slot, overflow | publish, link / loads of a pass (a model: the fence before it) | SeqCst | the same of every rival: store buffering |
//! | O3 | slot | commit, kill, replace, remove / load | AcqRel / Acquire | release sequences carry the entry |
//! | O4 | slot, overflow | freeze | AcqRel | one word decides against publish, commit, link |
//! | O5 | target words | fill / load | AcqRel / Acquire | a reader acquires the word itself |
//! | O6 | overflow | MIGRATED / load of a reader before the slots or, of a glance, after them; chunk bits, count of chunks | AcqRel / Acquire | completes the fill; slot loads stay on their side of it, being Acquire themselves, or in assembly as section 2 has it |
//! | O7 | root, next, arena | CAS / load | AcqRel / Acquire | the table's header; the root is loaded after the pin |
//! | O8 | `was_committed` | set / read | Relaxed | the CAS after it releases it; the load of what that CAS wrote acquires |
//! | O9 | member slot | store / scan | Relaxed | ordered by the primary's CAS for those it matters to; any other value yields nothing |
//! | O10 | bitmap | claim, clear, close / load | AcqRel / Acquire | one winner for a bit |
//! | O11 | `live`, `count` | all | AcqRel | the modification order of one word decides |
//! | O12 | chunk pointer, segments, top | publish / load | AcqRel / Acquire | the chunk's words; the end of the array, raised before a chunk is linked |
//! | O13 | entry count | up / down | Relaxed / Release, then an Acquire load at zero | as `Arc` |
//! | O14 | batch flag | raise / poll | Release / Acquire | pinned reads before the free |
//! | O15 | shelf | put / take | Release / Acquire | its contents |
//! | O16 | note of a resize (feature `tracing`) | note / take | Release / Acquire | the note, and those before it |
//! | O17 | filter | announce, add (both by an exchange that keeps bits), saturate (a store of all bits: there is none to lose) / first load of a reader | Relaxed / Acquire | before the publication (O1) or MIGRATED (O6), which release: a load that comes after what those made known sees the bits, by the order of one word |
//! | O18 | pin | `refresh`, after the epoch was stored (crossbeam's `repin` has no fence) / the seal of a batch, before it loads the epoch | SeqCst fences | a read after the first sees what was unlinked before the second, or the batch is of that epoch or a later one (I8) |
//! | O19 | deadline index | an entry was published or unpublished, and the index is read next / an item was filed or taken off, and the entry is read next | SeqCst fences | the index as the one left it, or the entry as the other did; `NoDeadlineFence`: `deadline_comes_again` |
//!
//! # 7. Linearization points
//!
//! | | operation | where |
//! |---|---|---|
//! | L1 | a lookup that hits | the load of its slot; of a frozen word whose chain is MIGRATED by then, the instant before it was |
//! | | a miss that the filter shows | the load of the filter |
//! | | a miss that the first bucket shows | an instant between the first load of a slot and the last |
//! | | any other miss | the load of the chain's first overflow word, or later |
//! | L2 | a replace: `insert` over an entry, `update`, `rebind`, `bulk_*`, `compute` | its compare-and-swap |
//! | L3 | a removal: `delete`, `delete_if`, `retain`, `remove_node`, `purge_expired`, the end of a `Registration` | its compare-and-swap |
//! | L4 | an insert of an absent id | the commit of its slot word, by itself or a helper. (Where the filter shows that the id is absent, the insert does not look for it before its own scan.) |
//! | L5 | a write that changes nothing | the load that showed it what is there (L1) |
//! | L6 | a lookup of what has expired | the second load of the slot, after the clock was read |
//! | L7 | an entry returned by a query | the last load of its slot word by the probe, or by the walk |
//! | L8 | `len` and its kind | none: exact when nobody writes |
//! | L9 | `share` | none: it changes no state of the registry |
//!
//! # 8. Expiry
//!
//! An operation that begins after an entry's deadline sees it absent, swept or not. The clock is read
//! only for entries that have one, which their words tell (I16). A reader that finds a passed deadline
//! loads the slot again **after** it has read the clock: unchanged → absent; changed → it starts over.
//! Of a frozen word, unchanged means also that its chain is not MIGRATED yet: until then no writer
//! works in the successor. Writers read the clock last before their compare-and-swap, and one that
//! would answer "absent" because of a passed deadline removes the entry by compare-and-swap, which
//! fails if somebody has renewed it in time.
//!
//! The deadline index (scc's `TreeIndex`, on no hot path: only entries with a deadline touch it) holds
//! items, each a deadline that an incarnation had once. For every entry with a deadline there is an item no
//! later than it, or somebody is about to file one:
//!
//! - a write that sets a deadline where there was none, or an earlier one, files it afterwards; a renewal to a
//!   later one leaves the index alone;
//! - a write that ends an incarnation, takes its deadline away or makes it earlier takes the item of the old
//!   deadline off afterwards, and a sweep takes off what is due;
//! - whoever has taken an item off looks at the entry **again** and files what deadline it has by then;
//! - whoever has filed an item looks again, too, and takes it off if nobody wants it any more.
//!
//! Consider an incarnation that nobody is at work on. After the last time that an item of it was taken off,
//! some version of it was seen and filed; every later version has a deadline no earlier than the one before,
//! or was filed as well. And an item whose filer saw it wanted is met by the write that makes it unwanted.
//! "Afterwards" is a matter of O19: an insert of an item that is there only reads, as does a look at the
//! entry. `tests/deadline_protocol.rs` is a model of the rules; it tries every order of the steps of up to three
//! writers and sweeps, and catches rules that look too early or not at all.
