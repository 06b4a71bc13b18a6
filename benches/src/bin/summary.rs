//! `summary FOLDER`: one table of all the results that are in a folder, and the plots of them.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use process_registry_benches::plot;
use process_registry_benches::report::{Row, read, table};

const USAGE: &str = "\
Prints one table of the results (*.csv) in a folder and puts plots beside them.

usage: summary FOLDER

Exit status: 0 done, 1 no results or unreadable ones, 2 not one folder.
";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [folder] = arguments.as_slice() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    if folder == "--help" || folder == "-h" {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match summarize(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("summary: {error}");
            ExitCode::FAILURE
        }
    }
}

fn summarize(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    for file in results(folder)? {
        rows.extend(read(&file).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    if rows.is_empty() {
        return Err(format!("{} holds no results", folder.display()).into());
    }
    print!("{}", table(&rows));

    let mut plots: BTreeMap<(&str, &str), Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        plots.entry((&row.group, &row.allocator)).or_default().push(row);
    }
    for ((group, allocator), rows) in plots {
        let title = format!("{group}, allocator {allocator}");
        let name = file_name(&format!("{group} {allocator}"));
        write(folder, &name, &plot::ratios(&title, &rows))?;
        if let Some(svg) = plot::latencies(&title, &rows) {
            write(folder, &format!("{name}-latencies"), &svg)?;
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, svg: &str) -> Result<(), String> {
    let path = folder.join(format!("{name}.svg"));
    fs::write(&path, svg).map_err(|error| format!("{}: {error}", path.display()))
}

/// The files with results, in the order of their names.
fn results(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let of_folder = |error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(of_folder)? {
        let path = entry.map_err(of_folder)?.path();
        if path.extension() == Some(OsStr::new("csv")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Words as the name of a file: whatever is neither letter nor digit becomes a hyphen.
fn file_name(words: &str) -> String {
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}
