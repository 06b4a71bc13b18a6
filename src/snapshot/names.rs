//! Ids, nodes and tags as plain strings.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::{ChildId, Node, Tag};

/// Reads a name of one of the three types.
struct Name<T> {
    what: &'static str,
    makes: PhantomData<fn() -> T>,
}

impl<T: From<String> + for<'s> From<&'s str>> Visitor<'_> for Name<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
        Ok(T::from(name))
    }

    fn visit_string<E: Error>(self, name: String) -> Result<T, E> {
        Ok(T::from(name))
    }
}

macro_rules! plain_string {
    ($name:ident, $what:literal) => {
        /// As the string that it is.
        impl Serialize for $name {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        /// From any string.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Name { what: $what, makes: PhantomData })
            }
        }
    };
}

plain_string!(ChildId, "the id of a child, a string");
plain_string!(Node, "the name of a node, a string");
plain_string!(Tag, "a tag, a string");
