use super::*;

fn names<P: Copy, S, M>(child: &Child<S, P, M>) -> Vec<(&str, P)> {
    let bindings = child.bindings().iter();
    bindings.map(|(node, pid)| (node.as_str(), *pid)).collect()
}

#[test]
fn a_node_twice_keeps_the_first_place_and_the_last_pid() {
    let child = Child::new(()).on("a", 1).on("b", 2).on("c", 3).on("b", 4).on("a", 5);
    assert_eq!(names(&child), [("a", 5), ("b", 4), ("c", 3)]);
}

#[test]
fn bind_returns_what_it_replaced() {
    let mut child = Child::new(()).on("a", 1);
    assert_eq!(child.bind("b", 2), None);
    assert_eq!(child.bind("a", 3), Some(1));
    assert_eq!(child.bind(String::from("b"), 4), Some(2));
    assert_eq!(names(&child), [("a", 3), ("b", 4)]);
}

#[test]
fn unbind_keeps_the_order_of_the_rest() {
    let mut child = Child::new(()).on("a", 1).on("b", 2).on("c", 3);
    assert_eq!(child.unbind("x"), None);
    assert_eq!(child.unbind("a"), Some(1));
    assert_eq!(names(&child), [("b", 2), ("c", 3)]);
    assert_eq!(child.unbind("b"), Some(2));
    assert_eq!(child.bind("b", 9), None);
    assert_eq!(names(&child), [("c", 3), ("b", 9)]);
    assert_eq!(child.unbind_all(), [("c".into(), 3), ("b".into(), 9)]);
    assert_eq!(child.unbind_all(), []);
    assert_eq!(child.bindings(), []);
}

#[test]
fn a_tag_occurs_once_and_keeps_its_first_place() {
    let mut child = Child::<_, u8>::new(()).tagged(["a", "b", "a"]).tag("c").tag("b");
    assert_eq!(child.tags(), ["a", "b", "c"]);
    assert!(!child.add_tag("c"));
    assert!(child.remove_tag("a"));
    assert!(!child.remove_tag("a"));
    assert!(!child.has_tag("a") && child.has_tag("b"));
    assert!(child.add_tag("a"));
    assert_eq!(child.tags(), ["b", "c", "a"]);
    child.clear_tags();
    assert_eq!(child.tags(), [] as [Tag; 0]);
}

#[test]
fn metadata_changes_the_type_and_nothing_else() {
    let before = Child::new("s").on("a", 1).tag("t").ttl(Duration::from_secs(1));
    let mut child = before.clone().metadata(String::from("m"));
    assert_eq!(child.get_metadata(), "m");
    child.metadata_mut().push('n');
    assert_eq!(child.set_metadata(String::new()), "mn");
    assert_eq!(child.metadata(()), before);
}

#[test]
fn the_lifetime_is_the_last_one_said() {
    let second = Duration::from_secs(1);
    let child = Child::<_, u8>::new(());
    assert_eq!(child.lifetime, Lifetime::Keep);
    assert_eq!(child.clone().ttl(second).lifetime, Lifetime::For(second));
    assert_eq!(child.clone().permanent().lifetime, Lifetime::Permanent);
    assert_eq!(child.clone().ttl(second).permanent(), child.clone().permanent());
    assert_eq!(child.clone().permanent().ttl(second), child.clone().ttl(second));
    assert_ne!(child.clone().permanent(), child);
}

#[test]
fn spec_is_edited_in_place() {
    let mut child = Child::<_, u8>::new(vec![1]);
    child.spec_mut().push(2);
    assert_eq!(child.set_spec(vec![]), [1, 2]);
    assert!(child.spec().is_empty());
}

#[test]
fn equality_sees_every_part() {
    let child = Child::new(1).on("a", 1).tag("t").metadata(1);
    assert_eq!(child, child.clone());
    let different = [
        {
            let mut c = child.clone();
            c.set_spec(2);
            c
        },
        {
            let mut c = child.clone();
            c.bind("a", 2);
            c
        },
        {
            let mut c = child.clone();
            c.bind("b", 1);
            c
        },
        {
            let mut c = child.clone();
            c.add_tag("u");
            c
        },
        {
            let mut c = child.clone();
            c.set_metadata(2);
            c
        },
        {
            let mut c = child.clone();
            c.make_permanent();
            c
        },
    ];
    for other in different {
        assert_ne!(child, other);
    }
}

#[test]
fn pids_go_both_ways_and_stay_exhausted() {
    let child = Child::new(()).on("a", 1).on("b", 2).on("c", 3);
    let mut pids = child.pids();
    assert_eq!(format!("{pids:?}"), "[1, 2, 3]");
    assert_eq!((pids.next(), pids.next_back(), pids.len()), (Some(&1), Some(&3), 1));
    let rest = pids.clone();
    assert_eq!((pids.next(), pids.next(), pids.next_back()), (Some(&2), None, None));
    assert!(rest.eq(&[2]));
    assert_eq!(child.pid_on("b"), Some(&2));
    assert_eq!(child.pid_on("d"), None);
}

#[test]
fn parts_come_back() {
    let child = Child::new("s").on("a", 1).on("b", 2).tag("t").metadata('m');
    let (spec, bindings, tags, metadata) = child.into_parts();
    assert_eq!((spec, metadata), ("s", 'm'));
    assert_eq!(bindings, [("a".into(), 1), ("b".into(), 2)]);
    assert_eq!(tags, ["t"]);
}

#[test]
fn handles_need_nothing() {
    struct Plain;
    let mut child = Child::new(Plain).on("a", Plain).metadata(Plain);
    assert!(child.bind("a", Plain).is_some());
    assert_eq!(child.pids().len(), 1);

    fn shared<T: Send + Sync>(_: &T) {}
    shared(&child);
}
