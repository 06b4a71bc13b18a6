//! The arm without the feature `tracing`: nothing is told.

use std::any::Any;
use std::time::Duration;

use crate::hooks::HookKey;
use crate::name::Node;
use crate::state::Registry;

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    #[inline(always)]
    pub(crate) fn tell_resizes(&self) {}

    #[inline(always)]
    pub(crate) fn tell_purge(&self, _: usize) {}
}

#[inline(always)]
pub(crate) fn handler_panicked(_: &str, _: HookKey, _: &(dyn Any + Send)) {}

pub(crate) struct Log;

impl Log {
    #[inline(always)]
    pub(crate) fn new(_: &Node) -> Self {
        Log
    }

    #[inline(always)]
    pub(crate) fn began(&self, _: Duration) {}

    #[inline(always)]
    pub(crate) fn swept(&self, _: usize) {}

    #[inline(always)]
    pub(crate) fn panicked(&self, _: &str) {}

    #[inline(always)]
    pub(crate) fn ended(&self) {}
}
