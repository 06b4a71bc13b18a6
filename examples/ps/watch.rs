//! Whether the id and the tag the user asked for have been there at all.

use crate::Failure;
use crate::options::Options;
use crate::scan::List;

#[derive(Debug)]
pub(crate) struct Watch<'a> {
    tag: Wanted<'a>,
    id: Wanted<'a>,
}

#[derive(Debug)]
struct Wanted<'a> {
    name: Option<&'a str>,
    seen: bool,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        let tag = options.tag.as_deref();
        Self {
            tag: Wanted {
                name: tag,
                // A state exists whether or not a process is in it.
                seen: tag.is_some_and(|tag| tag.starts_with("state:")),
            },
            id: Wanted { name: options.id.as_deref(), seen: false },
        }
    }

    pub(crate) fn look(&mut self, list: &List) {
        if let Some(tag) = self.tag.name
            && !self.tag.seen
        {
            self.tag.seen =
                list.values().any(|process| process.tags().iter().any(|carried| carried == tag));
        }
        if let Some(id) = self.id.name
            && !self.id.seen
        {
            self.id.seen = resolve(list, id).is_some();
        }
    }

    pub(crate) fn verdict(&self) -> Result<(), Failure> {
        if let Some(tag) = self.tag.name
            && !self.tag.seen
        {
            return Err(Failure::usage(format_args!("unknown tag `{tag}`: no process carries it")));
        }
        if let Some(id) = self.id.name
            && !self.id.seen
        {
            return Err(Failure::usage(format_args!(
                "unknown id `{id}`: there is no such process"
            )));
        }
        Ok(())
    }
}

/// The child id meant by `id`, which may be a bare pid.
pub(crate) fn resolve<'l>(list: &'l List, id: &str) -> Option<&'l str> {
    if let Some((known, _)) = list.get_key_value(id) {
        return Some(known);
    }
    let pid: u32 = id.parse().ok()?;
    list.iter().find(|(_, process)| process.pid == pid).map(|(known, _)| known.as_str())
}
