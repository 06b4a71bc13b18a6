//! The user's command: started, reaped, and ended with everything it started.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, Signal, System};

#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Running {
    /// Starts the command, `argv` not being empty. Its output goes to stderr, for stdout belongs
    /// to the report.
    pub(crate) fn start(argv: &[OsString]) -> Result<Self, String> {
        let (program, args) = argv.split_first().ok_or("there is no command to run")?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .spawn()
            .map_err(|error| format!("cannot run `{}`: {error}", program.to_string_lossy()))?;
        Ok(Self { child, ended: None })
    }

    /// Collects the command if it has ended, so that it does not stay as a zombie.
    pub(crate) fn reap(&mut self) {
        if self.ended.is_none() {
            // An error would mean that it cannot be waited for; `stop` says so.
            self.ended = self.child.try_wait().ok().flatten();
        }
    }

    /// Ends the command if it is still running, and says how it ended.
    pub(crate) fn stop(&mut self) -> String {
        self.reap();
        if let Some(status) = self.ended {
            return format!("ended with {status}");
        }
        self.kill_family();
        // Also where there were no descendants to kill, or no permission to look for them.
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => {
                self.ended = Some(status);
                "still running, killed".to_owned()
            }
            Err(error) => format!("still running, cannot be waited for: {error}"),
        }
    }

    /// Kills the command and its descendants. They are stopped first, each as it is found, until
    /// a look finds no new one: what is stopped starts no others.
    fn kill_family(&self) {
        let Ok(mut system) = System::new() else {
            return;
        };
        let root = Pid::from_u32(self.child.id());
        let mut family = HashSet::new();
        loop {
            system.refresh_processes_specifics(
                ProcessesToUpdate::All,
                true,
                ProcessRefreshKind::nothing().without_tasks(),
            );
            let mut grown = false;
            for pid in descendants(&system, root) {
                if family.insert(pid) {
                    grown = true;
                    if let Some(process) = system.process(pid) {
                        process.kill_with(Signal::Stop);
                    }
                }
            }
            if !grown {
                break;
            }
        }
        for pid in family {
            if let Some(process) = system.process(pid) {
                process.kill();
            }
        }
    }
}

impl Drop for Running {
    /// A failure elsewhere must not leave the command behind.
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.stop();
        }
    }
}

/// `root`, if it is there, and all whose line of parents leads to it.
fn descendants(system: &System, root: Pid) -> Vec<Pid> {
    let mut family: Vec<Pid> = system.process(root).map(|_| root).into_iter().collect();
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        next += 1;
        for (pid, process) in system.processes() {
            // Looked up, as a list read while pids are used again may show a circle.
            if process.parent() == Some(parent) && !family.contains(pid) {
                family.push(*pid);
            }
        }
    }
    family
}
