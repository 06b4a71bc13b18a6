//! What is said about the proofs is so: the matrix of all pairs of operations is complete and names
//! what exists, the table of the seeded bugs as well, what the source cites of the design page is on
//! it, and unsafe code cites the invariants that it rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

const OPERATIONS: [&str; 15] = [
    "insert new",
    "insert same key",
    "upsert",
    "compute",
    "remove",
    "update",
    "lookup",
    "match_tag",
    "walk",
    "get_many",
    "migrate",
    "rebuild",
    "halve",
    "remove_node",
    "expire",
];

/// What stands in a cell of the tables, what of it in the overview, and where its names are.
const KINDS: [(&str, &str, Names); 5] = [
    ("loom", "L", Names::Models),
    ("shuttle", "S", Names::Scenarios),
    ("history", "H", Names::In("tests/histories.rs")),
    ("apart", "·", Names::None),
    ("not covered", "?", Names::None),
];

#[derive(Clone, Copy)]
enum Names {
    Models,
    Scenarios,
    In(&'static str),
    None,
}

type Pair = (usize, usize);
/// By what, and what it says.
type Cells<'m> = BTreeMap<Pair, (&'m str, &'m str)>;
type Overview<'m> = BTreeMap<Pair, &'m str>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The models are no part of the published package.
fn has_models() -> bool {
    let there = root().join("loom-tests/Cargo.toml").exists();
    if !there {
        println!("no models here");
    }
    there
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust source below a path, or at it.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let Ok(inside) = fs::read_dir(path) else { return Vec::new() };
    let inside = inside.map(|entry| entry.expect("readable").path());
    let rust = inside.filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "rs"));
    let mut all: Vec<_> = rust.flat_map(|path| sources(&path)).collect();
    all.sort();
    all
}

/// Whether there is a function of that name at or below a path.
fn has_function(place: &str, name: &str) -> bool {
    let wanted = [format!("fn {name}("), format!("fn {name}<")];
    let has = |path: &PathBuf| wanted.iter().any(|wanted| read(path).contains(wanted));
    sources(&root().join(place)).iter().any(has)
}

/// What a list in the source of the models runs, by what it is called there, each with whether its
/// function is there.
fn listed(file: &str, list: &str) -> BTreeMap<String, bool> {
    let folder = Path::new(file).parent().and_then(Path::to_str).expect("a file in a folder");
    let source = read(file);
    let list = source.split_once(list).unwrap_or_else(|| panic!("no {list} in {file}")).1;
    let list = list.split_once("\n];").expect("its end").0;
    let one = |line: &str| {
        let (name, rest) = line.split_once("(\"")?.1.split_once("\", ")?;
        let (module, rest) = rest.split_once("::")?;
        let function = rest.split([',', ')']).next()?;
        Some((name.to_string(), has_function(&format!("{folder}/{module}.rs"), function)))
    };
    list.lines().filter(|line| !line.trim_start().starts_with("//")).filter_map(one).collect()
}

fn models() -> BTreeMap<String, bool> {
    listed("loom-tests/tests/models/main.rs", "const MODELS: &[Model] = &[")
}

fn scenarios() -> BTreeMap<String, bool> {
    listed("loom-tests/tests/registry/scenarios.rs", "const SCENARIOS: &[Scenario] = &[")
}

/// The rows of all tables in a text: what stands between the bars, trimmed.
fn row(line: &str) -> Option<Vec<&str>> {
    let inside = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn operation(name: &str) -> Option<usize> {
    OPERATIONS.iter().position(|operation| *operation == name)
}

fn pairs() -> impl Iterator<Item = Pair> {
    (0..OPERATIONS.len()).flat_map(|a| (a..OPERATIONS.len()).map(move |b| (a, b)))
}

/// The cells of the tables, one for each operation, and those of the overview.
fn cells(matrix: &str) -> (Cells<'_>, Overview<'_>) {
    let (mut cells, mut overview) = (BTreeMap::new(), BTreeMap::new());
    let mut section = "";
    for line in matrix.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
            continue;
        }
        let Some(row) = row(line) else { continue };
        match (operation(section), &row[..]) {
            (Some(a), [with, by, what]) => {
                let Some(b) = operation(with) else { continue };
                let twice = cells.insert((a.min(b), a.max(b)), (*by, *what));
                assert!(twice.is_none(), "{section} with {with} twice");
            }
            (None, [name, marks @ ..]) if section == "At a glance" => {
                let Some(a) = name.split_once(' ').and_then(|(_, name)| operation(name)) else {
                    continue;
                };
                assert_eq!(marks.len(), OPERATIONS.len(), "marks of {name}");
                overview.extend((a..).zip(&marks[a..]).map(|(b, mark)| ((a, b), *mark)));
            }
            _ => {}
        }
    }
    (cells, overview)
}

/// What is wrong with the matrix.
fn faults(matrix: &str) -> Vec<String> {
    let (cells, overview) = cells(matrix);
    let (models, scenarios) = (models(), scenarios());
    let mut faults = Vec::new();
    let mut counts = KINDS.map(|_| 0);
    for (a, b) in pairs() {
        let pair = format!("{} with {}", OPERATIONS[a], OPERATIONS[b]);
        let Some((by, what)) = cells.get(&(a, b)) else {
            faults.push(format!("{pair}: no cell"));
            continue;
        };
        let Some(kind) = KINDS.iter().position(|kind| kind.0 == *by) else {
            faults.push(format!("{pair}: by {by}?"));
            continue;
        };
        counts[kind] += 1;
        let (_, mark, names) = KINDS[kind];
        if overview.get(&(a, b)) != Some(&mark) {
            faults.push(format!("{pair}: {by} in its table, another mark in the overview"));
        }
        if what.is_empty() || matches!(names, Names::None) == what.contains('`') {
            faults.push(format!("{pair}: {by}, and says {what:?}"));
        }
        for name in quoted(what) {
            let there = match names {
                Names::Models => models.get(name) == Some(&true),
                Names::Scenarios => scenarios.get(name) == Some(&true),
                Names::In(place) => has_function(place, name),
                Names::None => true,
            };
            if !there {
                faults.push(format!("{pair}: {by} has no {name}"));
            }
        }
    }
    // What the text around the tables names.
    for name in quoted(matrix).filter(|name| !name.contains(['/', '.'])) {
        let there = models.contains_key(name) || scenarios.contains_key(name);
        if !there && !has_function("tests", name) {
            faults.push(format!("there is no {name}"));
        }
    }
    for ((kind, mark, _), count) in KINDS.iter().zip(counts) {
        // The legend says how many there are of each kind.
        let legend = matrix.lines().filter_map(row).find(|row| row[..2] == [*mark, *kind]);
        if legend.and_then(|row| row.last()?.parse().ok()) != Some(count) {
            faults.push(format!("{kind}: there are {count}, the legend says otherwise"));
        }
    }
    faults
}

#[test]
fn every_pair_of_operations_has_its_cell_and_the_cell_names_what_exists() {
    if !has_models() {
        return;
    }
    let faults = faults(&read("loom-tests/MATRIX.md"));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_missing_cell_and_a_stale_name_are_noticed() {
    if !has_models() {
        return;
    }
    let matrix = read("loom-tests/MATRIX.md");
    let without = |part: &str| {
        let lines = matrix.lines().filter(|line| !line.contains(part));
        lines.collect::<Vec<_>>().join("\n")
    };
    let stale = |name: &str| matrix.replace(name, "no_such_name");
    assert!(faults(&without("`table_retired`")).iter().any(|fault| fault.ends_with("no cell")));
    assert!(faults(&stale("table_retired")).iter().any(|fault| fault.contains("no_such_name")));
    assert!(faults(&stale("all_operations")).iter().any(|fault| fault.contains("no_such_name")));
    assert!(faults(&matrix.replace("| · ", "| L ")).iter().any(|fault| fault.contains("another")));
}

/// The names of the seeded bugs, in their order.
fn mutants() -> Vec<String> {
    let source = read("src/sync/mutants.rs");
    let all = source.split_once("enum Mutant {").expect("the bugs").1;
    let all = all.split_once('}').expect("their end").0;
    let name = |line: &str| line.trim().trim_end_matches(',').split(' ').next().map(str::to_string);
    let lines = all.lines().filter(|line| !line.trim().starts_with("//"));
    lines.filter_map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_tables_of_the_seeded_bugs_are_complete_and_name_models() {
    if !has_models() {
        return;
    }
    let (readme, models) = (read("loom-tests/README.md"), models());
    let catches = read("loom-tests/tests/models/main.rs");
    let mutants = mutants();
    assert!(mutants.len() > 14, "{mutants:?}");
    for table in ["## Seeded bugs", "### Which tool catches which"] {
        let part = readme.split_once(table).unwrap_or_else(|| panic!("no {table}")).1;
        let rows = part.lines().skip_while(|line| row(line).is_none()).map_while(row).skip(2);
        let (mut found, mut all): (Vec<_>, _) = (rows.map(|row| row[0]).collect(), mutants.clone());
        found.sort_unstable();
        all.sort_unstable();
        assert_eq!(found, all, "{table}");
    }
    for mutant in mutants {
        let row = readme.lines().filter_map(row).find(|row| row[0] == mutant).expect("its row");
        let named = row[1].split(", ").filter_map(|name| name.split(' ').next());
        for name in named.filter(|name| *name != "also") {
            assert!(models.contains_key(name), "{mutant}: no model {name}");
            let catch = format!("catch(\"{mutant}\", \"{name}\"");
            assert!(catches.contains(&catch), "{mutant} is not run against {name}");
        }
    }
}

/// `I1`, `O12`, `L3` and the like in a text, where they stand by themselves.
fn citations(text: &str) -> BTreeSet<&str> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_one = |word: &&str| {
        let number = word.strip_prefix(['I', 'O', 'L']);
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.split(|c| !part(c)).filter(is_one).collect()
}

#[test]
fn what_the_source_cites_is_on_the_design_page() {
    let design = read("src/design.rs");
    let rows = design.lines().filter_map(|line| row(line.strip_prefix("//! ")?));
    let defined: Vec<_> = rows.map(|row| row[0].to_string()).collect();
    let mut cited = BTreeSet::new();
    for path in sources(&root().join("src")) {
        let source = read(&path);
        for line in source.lines() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            for citation in citations(comment) {
                let rows = defined.iter().filter(|name| *name == citation).count();
                assert_eq!(rows, 1, "{} cites {citation}: {}", path.display(), line.trim());
                if !path.ends_with("design.rs") {
                    cited.insert(citation.to_string());
                }
            }
        }
    }
    assert!(cited.len() > 20, "only {cited:?}");
}

/// The names of the invariants on the design page.
fn invariants() -> Vec<String> {
    let design = read("src/design.rs");
    let rows = design.lines().filter_map(|line| row(line.strip_prefix("//! ")?));
    rows.map(|row| row[0].to_string()).filter(|name| name.starts_with('I')).collect()
}

/// A file by its path from the root.
fn name_of(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("below the root");
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The files with unsafe code, each by its path from the root, and its text.
fn unsafe_sources() -> Vec<(String, String)> {
    let all = sources(&root().join("src")).into_iter().map(|path| (name_of(&path), read(&path)));
    all.filter(|(_, source)| source.contains("// SAFETY:")).collect()
}

/// The lines of each `SAFETY` comment, to the end of the comment.
fn safety_comments(lines: &[&str]) -> Vec<Range<usize>> {
    let is_comment = |line: &&&str| line.trim_start().starts_with("//");
    let starts = (0..lines.len()).filter(|&at| lines[at].contains("// SAFETY:"));
    starts.map(|at| at..at + lines[at..].iter().take_while(is_comment).count()).collect()
}

/// The only unsafe block that rests on no invariant.
const RESTS_ON_NONE: (&str, &str) = ("src/raw/prefetch.rs", "rests on no invariant");

/// The `SAFETY` comments of a file that cite no invariant that there is.
fn uncited(file: &str, source: &str, invariants: &[String]) -> Vec<String> {
    let lines: Vec<_> = source.lines().collect();
    let mut faults = Vec::new();
    for comment in safety_comments(&lines) {
        let (line, text) = (comment.start + 1, lines[comment].join(" "));
        let cited = citations(&text);
        let on_none = file == RESTS_ON_NONE.0 && text.contains(RESTS_ON_NONE.1);
        if !on_none && !invariants.iter().any(|name| cited.contains(name.as_str())) {
            faults.push(format!("{file}:{line}: {}", text.trim()));
        }
    }
    faults
}

#[test]
fn every_safety_comment_cites_an_invariant() {
    let invariants = invariants();
    let mut faults = Vec::new();
    for (file, source) in unsafe_sources() {
        faults.extend(uncited(&file, &source, &invariants));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn a_safety_comment_that_loses_its_citation_is_noticed() {
    let invariants = invariants();
    let mut lost = 0;
    for (file, source) in unsafe_sources() {
        let lines: Vec<_> = source.lines().collect();
        for comment in safety_comments(&lines) {
            let text = lines[comment.clone()].join(" ");
            let cited = citations(&text);
            if cited.is_empty() {
                assert!(text.contains(RESTS_ON_NONE.1), "{text}");
                continue;
            }
            let place = format!("{file}:{}:", comment.start + 1);
            for instead in ["as above", "I99"] {
                // From the last in the alphabet on, for one name may begin another.
                let replaced = |line: &str| {
                    let names = cited.iter().rev();
                    names.fold(line.to_string(), |line, name| line.replace(name, instead))
                };
                let mut altered: Vec<_> = lines.iter().map(ToString::to_string).collect();
                altered[comment.clone()].iter_mut().for_each(|line| *line = replaced(line));
                let faults = uncited(&file, &altered.join("\n"), &invariants);
                assert!(faults.len() == 1 && faults[0].starts_with(&place), "{place} {faults:#?}");
            }
            lost += 1;
        }
    }
    assert!(lost > 100, "only {lost}");
    let elsewhere = format!("// SAFETY: {}.", RESTS_ON_NONE.1);
    assert_eq!(uncited("src/raw/table.rs", &elsewhere, &invariants).len(), 1);
}

/// Where unsafe code is allowed, and how often: it is denied everywhere else. `src/raw` is one module, and all
/// of it may have some; the others are single items.
const ALLOWS: [(&str, usize); 3] =
    [("src/raw/mod.rs", 1), ("src/sync/model.rs", 2), ("test-support/src/lib.rs", 1)];

/// The lines that let unsafe code in.
fn allowances(source: &str) -> usize {
    let lets = |line: &&str| {
        let line = line.trim_start();
        let attribute = line.starts_with("#[") || line.starts_with("#![");
        let lowers = ["allow(", "warn(", "expect("].iter().any(|level| line.contains(level));
        attribute && lowers && line.contains("unsafe_code")
    };
    source.lines().filter(lets).count()
}

#[test]
fn unsafe_code_is_allowed_where_it_is_and_nowhere_else() {
    assert!(read("Cargo.toml").contains("unsafe_code = \"deny\""));
    assert!(read("Cargo.toml").contains("[lints]\nworkspace = true"));
    let folders = ["src", "tests", "examples", "examples-async", "test-support", "xtask"];
    let mut found = Vec::new();
    for path in folders.iter().flat_map(|folder| sources(&root().join(folder))) {
        let source = read(&path);
        let name = name_of(&path);
        let count = allowances(&source);
        if count > 0 {
            found.push((name.clone(), count));
        }
        // No attribute of several lines either.
        let mentions = source.lines().filter(|line| line.contains("unsafe_code")).count();
        assert!(mentions == count || name == "tests/matrix.rs", "{name}");
    }
    let expected = ALLOWS.map(|(file, count)| (file.to_string(), count));
    assert_eq!(found, expected);
}

#[test]
fn every_invariant_says_which_check_fails_without_it() {
    if !has_models() {
        return;
    }
    let (design, mutants, models) = (read("src/design.rs"), mutants(), models());
    let rows = design.lines().filter_map(|line| row(line.strip_prefix("//! ")?));
    let invariants: Vec<_> = rows.filter(|row| row[0].starts_with('I')).collect();
    assert_eq!(invariants.len(), 18);
    for row in invariants {
        let fails = row[3];
        assert!(row.len() == 4 && quoted(fails).count() > 0, "{}: {fails}", row[0]);
        for name in quoted(fails) {
            let there = mutants.iter().any(|mutant| mutant == name)
                || models.contains_key(name)
                || has_function("tests", name)
                || has_function("src", name);
            assert!(there, "{}: no {name}", row[0]);
        }
    }
}
