//! A chat server and its clients, with a registry as the table of connections.
//!
//! A few thousand clients are connected over the loopback interface to a server of four nodes. They enter
//! rooms, change rooms, speak to a room and to each other, vanish and come back; a node is drained; one
//! client does not read what it is sent. What it shows about the registry:
//!
//! - **Sessions as children** (`table.rs`): by id, by user and room as tags, and by node, with the queue of
//!   the connection as the pid. All of it changes in single steps: who changes rooms (`session.rs`) is never
//!   in both, nor in none.
//! - **Leases in tasks** (`session.rs`): each connection's task holds its `Registration` across `.await`;
//!   however the connection ends, its child goes, and no list has to be kept for cleaning up.
//! - **Broadcast by tag** (`table.rs`): one pin, borrowed entries, a `try_send` for each. Queues are bounded.
//!   A client that does not read has its connection dropped when its queue is full. The alternatives are
//!   worse: to wait for it would hold up the room, to queue without bound would fill the memory, to leave
//!   notices out would deceive the client.
//! - **Draining a node** (`server.rs`): `children_on` finds whom to tell, `remove_node` takes all of them out
//!   of the table; `OwnedEntry`s are held across `.await` while they are told.
//!
//! It is checked as it goes (`stages.rs`, `client.rs`). The stages are separated by quiet points, at which
//! everything that was sent has been heard. So it is known who is in which room during a round, and each
//! broadcast has to be heard by all of them, by each once, and by nobody else; at each quiet point the table
//! is compared with the clients' own view, by id, by tag and by node.
//!
//! ```text
//! cargo run --release -p examples-async --bin sessions
//! cargo run --release -p examples-async --bin sessions -- --connections 200
//! ```
//!
//! Exit status: 0 all is as it should be, 1 something differs, 2 bad option.

mod client;
mod latency;
mod lines;
mod options;
mod plan;
mod protocol;
mod server;
mod session;
mod stages;
mod table;

use std::process::ExitCode;
use std::thread;

use examples_async::terminal::{complain, say};
use tokio::runtime;

use crate::options::Request;

fn main() -> ExitCode {
    let usage = |message: String| {
        complain(format_args!("sessions: {message}; try --help"));
        ExitCode::from(2)
    };
    let options = match options::parse(std::env::args_os()) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            say(format_args!("{}", options::USAGE.trim_end()));
            return ExitCode::SUCCESS;
        }
        Err(message) => return usage(message),
    };
    // Where it cannot be raised, what there is has to do.
    let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(0);
    let connections = match options::connections(options.connections, open_files) {
        Ok(connections) => connections,
        Err(message) if options.connections.is_some() => return usage(message),
        Err(message) => {
            complain(format_args!("sessions: {message}"));
            return ExitCode::FAILURE;
        }
    };
    // More than one thread on any machine, so that the tasks do run at the same time.
    let threads = thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(stages::run(connections, &options)),
        Err(error) => Err(format!("cannot start the runtime: {error}")),
    };
    outcome.unwrap_or_else(|fault| {
        say(format_args!("sessions: {fault}"));
        say(format_args!("sessions: FAILED"));
        ExitCode::FAILURE
    })
}
