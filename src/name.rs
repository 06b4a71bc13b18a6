//! The strings of a registry: ids of children, names of nodes, tags.

use std::borrow::{Borrow, Cow};
use std::convert::Infallible;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use equivalent::Equivalent;
use smol_str::SmolStr;

/// Defines one string type. The three are alike and yet three, so that a tag is never taken for a
/// node.
macro_rules! string_type {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(SmolStr);

        impl $name {
            #[doc = concat!("Makes a `", stringify!($name), "` of a string that lives for ever.")]
            ///
            /// Copies and allocates nothing, whatever the length, and can fill a constant.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use process_registry::", stringify!($name), ";")]
            ///
            #[doc = concat!(
                "const NAME: ", stringify!($name), " = ", stringify!($name),
                "::from_static(\"known when the program is compiled\");"
            )]
            /// assert_eq!(NAME, "known when the program is compiled");
            /// ```
            #[must_use]
            pub const fn from_static(name: &'static str) -> Self {
                Self(SmolStr::new_static(name))
            }

            /// The string itself.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("use process_registry::", stringify!($name), ";")]
            ///
            #[doc = concat!("let name = ", stringify!($name), "::from(\"alpha\");")]
            /// assert_eq!(name.as_str(), "alpha");
            /// ```
            #[inline]
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl Deref for $name {
            type Target = str;

            #[inline]
            fn deref(&self) -> &str {
                self.as_str()
            }
        }

        impl AsRef<str> for $name {
            #[inline]
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            #[inline]
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        // `Borrow<str>` promises the hash of `str`, so this one is not left to another crate.
        impl Hash for $name {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.as_str(), f)
            }
        }

        impl From<&str> for $name {
            #[inline]
            fn from(name: &str) -> Self {
                Self(SmolStr::new(name))
            }
        }

        impl From<String> for $name {
            #[inline]
            fn from(name: String) -> Self {
                Self(SmolStr::from(name))
            }
        }

        impl From<&String> for $name {
            #[inline]
            fn from(name: &String) -> Self {
                Self(SmolStr::new(name))
            }
        }

        impl From<Cow<'_, str>> for $name {
            #[inline]
            fn from(name: Cow<'_, str>) -> Self {
                match name {
                    Cow::Borrowed(name) => Self::from(name),
                    Cow::Owned(name) => Self::from(name),
                }
            }
        }

        impl From<Box<str>> for $name {
            fn from(name: Box<str>) -> Self {
                Self(SmolStr::from(name))
            }
        }

        /// Shares a long name instead of copying it.
        impl From<Arc<str>> for $name {
            fn from(name: Arc<str>) -> Self {
                Self(SmolStr::from(name))
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(name: &str) -> Result<Self, Infallible> {
                Ok(Self::from(name))
            }
        }

        /// A cheap clone.
        impl From<&$name> for $name {
            #[inline]
            fn from(name: &$name) -> Self {
                name.clone()
            }
        }

        impl From<$name> for String {
            #[inline]
            fn from(name: $name) -> Self {
                Self::from(name.as_str())
            }
        }

        impl PartialEq<str> for $name {
            #[inline]
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            #[inline]
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl PartialEq<String> for $name {
            #[inline]
            fn eq(&self, other: &String) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl PartialEq<$name> for str {
            #[inline]
            fn eq(&self, other: &$name) -> bool {
                self == other.as_str()
            }
        }

        impl PartialEq<$name> for &str {
            #[inline]
            fn eq(&self, other: &$name) -> bool {
                *self == other.as_str()
            }
        }

        impl PartialEq<$name> for String {
            #[inline]
            fn eq(&self, other: &$name) -> bool {
                self.as_str() == other.as_str()
            }
        }
    };
}

string_type! {
    /// The id of a child: a compact, immutable string.
    ///
    /// Up to 23 bytes lie inline and cost no allocation; a longer id is shared by its clones, so
    /// that cloning is always cheap. It hashes and compares exactly as the `str` it holds,
    /// therefore `&str`, `&String` and `&ChildId` all serve for a lookup.
    ///
    /// It is the default id type of a registry; any other that is `Hash`, `Eq` and `Clone` does
    /// as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::ChildId;
    ///
    /// let id = ChildId::from("session-42");
    /// assert_eq!(id, "session-42");
    /// assert!(id.starts_with("session"));
    /// assert_eq!(ChildId::from(format!("session-{}", 42)), id);
    /// ```
    ChildId
}

string_type! {
    /// The name of a node: one of the machines, or runtimes, on which children run.
    ///
    /// Up to 23 bytes lie inline; a longer name is shared by its clones. Wherever one is asked for,
    /// a plain `&str` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Child, Node};
    ///
    /// let node = Node::from("node-a");
    /// let child = Child::new("spec").on(&node, 4711).on("node-b", 4712);
    /// assert_eq!(child.bindings()[0].0, node);
    /// assert_eq!(child.bindings()[1].0, "node-b");
    /// ```
    Node
}

string_type! {
    /// A tag: a name that any number of children carry and are found by.
    ///
    /// Up to 23 bytes lie inline; a longer tag is shared by its clones. Wherever one is asked for,
    /// a plain `&str` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{Child, Tag};
    ///
    /// let child = Child::new("spec").on("node-a", 4711).tag("db");
    /// assert_eq!(child.tags(), [Tag::from("db")]);
    /// ```
    Tag
}

impl Node {
    /// The string in the form the indexes keep.
    pub(crate) fn name(&self) -> &SmolStr {
        &self.0
    }

    /// The node of a name read back from an index.
    pub(crate) fn from_name(name: SmolStr) -> Self {
        Self(name)
    }
}

impl Tag {
    /// The string in the form the indexes keep.
    pub(crate) fn name(&self) -> &SmolStr {
        &self.0
    }

    /// The tag of a name read back from an index.
    pub(crate) fn from_name(name: SmolStr) -> Self {
        Self(name)
    }
}

// `str` and `ChildId` are covered by `Borrow`; a `&String` would otherwise have to be spelled
// `as_str()`.
impl Equivalent<ChildId> for String {
    #[inline]
    fn equivalent(&self, key: &ChildId) -> bool {
        self.as_str() == key.as_str()
    }
}

/// What can become the id of a child.
///
/// Operations that store an id take `impl IntoId<K>`, so that an id of the registry's own type is
/// always accepted, whatever that type is, and strings besides where the id is a string.
///
/// | from | to |
/// |---|---|
/// | `K` | `K` |
/// | `&str`, `String`, `&String`, `Cow<str>`, `Box<str>`, `Arc<str>`, `&ChildId` | [`ChildId`] |
/// | `&str`, `&String`, `Cow<str>` | `String` |
///
/// # Examples
///
/// ```
/// use process_registry::{ChildId, IntoId};
///
/// fn id<K>(id: impl IntoId<K>) -> K {
///     id.into_id()
/// }
///
/// assert_eq!(id::<ChildId>("x"), ChildId::from("x"));
/// assert_eq!(id::<String>("x"), "x");
/// assert_eq!(id::<u64>(42), 42);
/// assert_eq!(id::<(u8, u8)>((1, 2)), (1, 2));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot become an id of type `{K}`",
    label = "not an id of this registry"
)]
pub trait IntoId<K> {
    /// Makes the id.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::{ChildId, IntoId};
    ///
    /// let id: ChildId = "session-42".into_id();
    /// assert_eq!(id, "session-42");
    /// ```
    fn into_id(self) -> K;
}

impl<K> IntoId<K> for K {
    #[inline]
    fn into_id(self) -> K {
        self
    }
}

/// Implements `IntoId<$id>` through `From`, for the given types.
macro_rules! into_id {
    ($id:ty: $($from:ty),+) => {$(
        impl IntoId<$id> for $from {
            #[inline]
            fn into_id(self) -> $id {
                <$id>::from(self)
            }
        }
    )+};
}

into_id!(ChildId: &str, String, &String, Cow<'_, str>, Box<str>, Arc<str>, &ChildId);
into_id!(String: &str, &String, Cow<'_, str>);

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    const LENGTHS: [usize; 7] = [0, 1, 22, 23, 24, 100, 5000];

    #[test]
    fn hashes_exactly_as_str() {
        let state = RandomState::new();
        for length in LENGTHS {
            let text = "x".repeat(length);
            let expected = state.hash_one(text.as_str());
            assert_eq!(state.hash_one(ChildId::from(&text)), expected);
            assert_eq!(state.hash_one(Node::from(&text)), expected);
            assert_eq!(state.hash_one(Tag::from(&text)), expected);
            assert_eq!(state.hash_one(&text), expected);
        }
    }

    #[test]
    fn all_ways_lead_to_the_same_name() {
        for length in LENGTHS {
            let text = "y".repeat(length);
            let name = Node::from(text.as_str());
            assert_eq!(name, Node::from(text.clone()));
            assert_eq!(name, Node::from(&text));
            assert_eq!(name, Node::from(Cow::Borrowed(text.as_str())));
            assert_eq!(name, Node::from(Cow::<str>::Owned(text.clone())));
            assert_eq!(name, Node::from(text.clone().into_boxed_str()));
            assert_eq!(name, Node::from(Arc::<str>::from(text.as_str())));
            assert_eq!(Ok(&name), text.parse().as_ref());
            assert_eq!(name, Node::from(&name));
            assert_eq!(name.as_str(), text);
            assert_eq!(name.len(), length);
            assert_eq!(String::from(name), text);
        }
    }

    #[test]
    fn compares_with_strings_both_ways() {
        let (tag, same, other) = (Tag::from("db"), String::from("db"), String::from("dc"));
        assert!(tag == *"db" && tag == "db" && tag == same);
        assert!(*"db" == tag && "db" == tag && same == tag);
        assert!(tag != *"dc" && tag != "dc" && tag != other);
        assert!(*"dc" != tag && "dc" != tag && other != tag);
    }

    #[test]
    fn maps_find_it_by_str_and_by_order() {
        let mut hashed = HashMap::new();
        let mut sorted = BTreeMap::new();
        for (i, length) in LENGTHS.into_iter().enumerate() {
            hashed.insert(ChildId::from("z".repeat(length)), i);
            sorted.insert(ChildId::from("z".repeat(length)), i);
        }
        for (i, length) in LENGTHS.into_iter().enumerate() {
            assert_eq!(hashed.get("z".repeat(length).as_str()), Some(&i));
            assert_eq!(sorted.get("z".repeat(length).as_str()), Some(&i));
        }
        assert!(sorted.into_values().eq(0..LENGTHS.len()));
    }

    #[test]
    fn equivalence_covers_borrowed_and_owned_strings() {
        fn same<Q: Hash + Equivalent<ChildId> + ?Sized>(query: &Q, id: &ChildId) -> bool {
            query.equivalent(id)
        }
        let id = ChildId::from("a");
        assert!(same("a", &id));
        assert!(same(&String::from("a"), &id));
        assert!(same(&id.clone(), &id));
        assert!(!same("b", &id));
        assert!(!same(&String::from("b"), &id));
        assert!(!same(&ChildId::from("b"), &id));
    }

    #[test]
    fn shows_itself_as_a_string_does() {
        let id = ChildId::from("a\"b");
        assert_eq!(format!("{id}"), "a\"b");
        assert_eq!(format!("{id:?}"), "\"a\\\"b\"");
        assert_eq!(format!("{:>5}|{:<5}|", Node::from("n"), Tag::from("t")), "    n|t    |");
    }

    #[test]
    fn into_id_is_the_identity_and_more_for_strings() {
        fn id<K>(id: impl IntoId<K>) -> K {
            id.into_id()
        }
        let expected = ChildId::from("x");
        assert_eq!(id::<ChildId>("x"), expected);
        assert_eq!(id::<ChildId>(String::from("x")), expected);
        assert_eq!(id::<ChildId>(&String::from("x")), expected);
        assert_eq!(id::<ChildId>(Cow::Borrowed("x")), expected);
        assert_eq!(id::<ChildId>(Box::<str>::from("x")), expected);
        assert_eq!(id::<ChildId>(Arc::<str>::from("x")), expected);
        assert_eq!(id::<ChildId>(&expected), expected);
        assert_eq!(id::<ChildId>(expected.clone()), expected);
        assert_eq!(id::<String>("x"), "x");
        assert_eq!(id::<String>(String::from("x")), "x");
        assert_eq!(id::<String>(&String::from("x")), "x");
        assert_eq!(id::<String>(Cow::Borrowed("x")), "x");
        assert_eq!(id::<&str>("x"), "x");
        assert_eq!(id::<u64>(7), 7);
        assert_eq!(id::<(u64, &str)>((1, "a")), (1, "a"));
    }

    #[test]
    fn index_names_go_round() {
        let node = Node::from("n");
        assert_eq!(Node::from_name(node.name().clone()), node);
        let tag = Tag::from("t");
        assert_eq!(Tag::from_name(tag.name().clone()), tag);
    }

    #[test]
    fn constants_need_no_copy() {
        const LONG: &str = "a name of a good deal more than twenty-three bytes";
        const NODE: Node = Node::from_static(LONG);
        assert!(std::ptr::eq(NODE.as_str(), LONG));
        assert_eq!(NODE, Node::from(LONG));
    }
}
