//! The list of processes, as the operating system shows it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::sync::Arc;

use sysinfo::{
    Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, ThreadKind, Uid, UpdateKind,
    Users,
};

/// The processes of one scan by child id, `pid@starttime`.
pub(crate) type List = BTreeMap<String, Process>;

/// The names a `state:` tag can have.
pub(crate) const STATES: [&str; 14] = [
    "running",
    "sleeping",
    "disk-sleep",
    "idle",
    "stopped",
    "traced",
    "zombie",
    "dead",
    "parked",
    "waking",
    "wakekill",
    "blocked",
    "suspended",
    "unknown",
];

/// What runs in a process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Empty where it cannot be read: kernel threads, other users' processes.
    pub(crate) executable: String,
    pub(crate) command_line: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) user: Arc<str>,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) program: Arc<Program>,
}

impl Process {
    /// The tags of this process, one of each kind and always in this order.
    pub(crate) fn tags(&self) -> [String; 3] {
        [
            format!("user:{}", self.user),
            format!("comm:{}", self.name),
            format!("state:{}", self.state),
        ]
    }
}

/// Reads the process list; remembers the names of users.
#[derive(Debug)]
pub(crate) struct Scanner {
    accounts: Users,
    users: HashMap<Uid, Arc<str>>,
    unknown_user: Arc<str>,
}

impl Scanner {
    pub(crate) fn new() -> Result<Self, String> {
        let accounts = Users::new_with_refreshed_list()
            .map_err(|error| format!("cannot read the users of this machine: {error}"))?;
        Ok(Self { accounts, users: HashMap::new(), unknown_user: Arc::from("unknown") })
    }

    /// Reads the list; `known` is the previous one, from which the programs of unchanged
    /// processes are taken.
    ///
    /// Every scan starts from a new `System`: one that is refreshed never sees that a process it
    /// knows has changed its name, which is what an `exec` does. Executable and command line, the
    /// expensive part, are read in a second pass over the few processes that need it.
    pub(crate) fn scan(&mut self, known: &List) -> Result<List, String> {
        let mut system = System::new()
            .map_err(|error| format!("cannot read the processes of this machine: {error}"))?;
        let base =
            ProcessRefreshKind::nothing().without_tasks().with_user(UpdateKind::OnlyIfNotSet);
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, base);

        let unread: Vec<Pid> = system
            .processes()
            .iter()
            .filter(|(_, process)| {
                known_program(known, &child_id(process), process).is_none() && !is_thread(process)
            })
            .map(|(pid, _)| *pid)
            .collect();
        if !unread.is_empty() {
            // One that has ended meanwhile stays in the list as the first pass saw it; the next
            // scan removes it.
            system.refresh_processes_specifics(
                ProcessesToUpdate::Some(&unread),
                false,
                base.with_exe(UpdateKind::Always).with_cmd(UpdateKind::Always),
            );
        }

        let mut list = List::new();
        for process in system.processes().values().filter(|p| !is_thread(p)) {
            let id = child_id(process);
            let program =
                known_program(known, &id, process).unwrap_or_else(|| Arc::new(program_of(process)));
            let process = Process {
                pid: process.pid().as_u32(),
                user: self.user_name(process.user_id()),
                name: text(process.name()),
                state: state_name(process.status()),
                program,
            };
            list.insert(id, process);
        }
        Ok(list)
    }

    fn user_name(&mut self, id: Option<&Uid>) -> Arc<str> {
        let Some(id) = id else {
            return Arc::clone(&self.unknown_user);
        };
        if let Some(name) = self.users.get(id) {
            return Arc::clone(name);
        }
        let name: Arc<str> = match self.accounts.get_user_by_id(id) {
            Some(user) => Arc::from(user.name()),
            None => Arc::from(id.to_string()),
        };
        self.users.insert(id.clone(), Arc::clone(&name));
        name
    }
}

/// The program of a process that needs no second look: known under the same name, and not caught
/// in the middle of an `exec`, when its command line is empty.
fn known_program(known: &List, id: &str, process: &sysinfo::Process) -> Option<Arc<Program>> {
    let before = known.get(id)?;
    let has_command_line = process.thread_kind() != Some(ThreadKind::Kernel)
        && process.status() != ProcessStatus::Zombie;
    let unread = has_command_line && before.program.command_line.is_empty();
    (before.name == process.name().to_string_lossy() && !unread)
        .then(|| Arc::clone(&before.program))
}

fn program_of(process: &sysinfo::Process) -> Program {
    Program {
        executable: process.exe().map_or_else(String::new, |path| text(path.as_os_str())),
        command_line: process.cmd().iter().map(|arg| text(arg)).collect(),
    }
}

/// The start time has whole seconds: a pid that comes round again within one is the same id.
fn child_id(process: &sysinfo::Process) -> String {
    format!("{}@{}", process.pid(), process.start_time())
}

/// A thread of a process; kernel threads are processes of their own.
fn is_thread(process: &sysinfo::Process) -> bool {
    process.thread_kind() == Some(ThreadKind::Userland)
}

fn text(raw: &OsStr) -> String {
    raw.to_string_lossy().into_owned()
}

fn state_name(status: ProcessStatus) -> &'static str {
    match status {
        ProcessStatus::Run => "running",
        ProcessStatus::Sleep => "sleeping",
        ProcessStatus::UninterruptibleDiskSleep => "disk-sleep",
        ProcessStatus::Idle => "idle",
        ProcessStatus::Stop => "stopped",
        ProcessStatus::Tracing => "traced",
        ProcessStatus::Zombie => "zombie",
        ProcessStatus::Dead => "dead",
        ProcessStatus::Parked => "parked",
        ProcessStatus::Waking => "waking",
        ProcessStatus::Wakekill => "wakekill",
        ProcessStatus::LockBlocked => "blocked",
        ProcessStatus::Suspended => "suspended",
        ProcessStatus::Unknown(_) => "unknown",
    }
}
