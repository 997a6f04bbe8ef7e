//! The rules of the house that a machine can keep: imports that go down, names, sizes, headers, SQL in its place, and
//! settings that are documented.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Imports that the floors forbid, each with its reason.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("state", "session", "and who is in which project"),
    ("state", "room", "the state of a server holds its rooms"),
    ("text", "error", "a text that is refused is refused with the one error"),
    ("text", "limits", "limits are for everybody, and have no floor of their own"),
];

/// Statements outside of `sql.rs`, each with its reason.
const STATEMENTS: [(&str, &str, &str); 4] = [
    ("src/db.rs", "select current_setting($1)", "Postgres is asked for its settings before it is used"),
    ("src/db.rs", "select 1", "the ping"),
    ("src/db.rs", "select exists (select from pg_tables", "whether a server has stored anything there"),
    ("src/db.rs", "begin ", "transactions are begun here"),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 12] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "service", "services", "ops",
    "inner",
];

/// Lines of a file at most.
const LINES: usize = 500;

#[test]
fn imports_go_down() {
    let floors = floors();
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for (path, text) in sources("src", "rs") {
        let module = module_of(&path);
        let floor = floors[&module];
        for used in imports(&text) {
            let Some(&below) = floors.get(&used) else {
                faults.push(format!("{path}: {used} is not in src/lib.rs"));
                continue;
            };
            if used == module || below < floor {
                continue;
            }
            if EXCEPTIONS.iter().any(|(from, to, _)| *from == module && *to == used) {
                needed.insert((module.clone(), used));
            } else {
                faults.push(format!("{path}: {module} (floor {floor}) uses {used} (floor {below})"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(needed.len(), EXCEPTIONS.len(), "an exception is no longer needed; needed are {needed:?}");
}

#[test]
fn every_module_of_the_library_has_its_line_and_its_folder() {
    let floors = floors();
    let modules: BTreeSet<String> = sources("src", "rs").iter().map(|(path, _)| module_of(path)).collect();
    let listed: BTreeSet<String> = floors.into_keys().collect();
    assert_eq!(modules, listed);
}

#[test]
fn statements_are_in_sql_rs() {
    let mut faults = Vec::new();
    for (path, text) in sources("src", "rs") {
        if path.ends_with("/sql.rs") {
            continue;
        }
        for literal in literals(&text) {
            let statement = literal.trim_start();
            let begins = ["select ", "insert into ", "delete from ", "create table ", "begin ", "with "];
            let updates = statement.starts_with("update ") && statement.contains(" set ");
            if !updates && !begins.iter().any(|begin| statement.starts_with(begin)) {
                continue;
            }
            if !STATEMENTS.iter().any(|(file, begin, _)| *file == path && statement.starts_with(begin)) {
                faults.push(format!("{path}: {statement:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_have_names_headers_and_an_end() {
    let mut faults = Vec::new();
    let ours = [
        ("src", "rs"),
        ("tests/it", "rs"),
        ("client-sdk/src", "ts"),
        ("client-sdk/app", "ts"),
        ("client-sdk/app", "svelte"),
    ];
    for (folder, extension) in ours {
        for (path, text) in sources(folder, extension) {
            let parts = Path::new(&path).with_extension("");
            for part in parts.iter().filter_map(|part| part.to_str()) {
                if EMPTY_NAMES.contains(&part.to_lowercase().as_str()) {
                    faults.push(format!("{path}: {part} says nothing about what is inside"));
                }
            }
            let lines = text.lines().count();
            if lines > LINES {
                faults.push(format!("{path}: {lines} lines, more than {LINES}"));
            }
            if extension == "rs" && !text.starts_with("//! ") {
                faults.push(format!("{path}: does not say at its top what it is"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_setting_is_in_the_readme() {
    let parts = sources("src", "rs").into_iter().filter(|(path, _)| module_of(path) == "config");
    let config: String = parts.map(|(_, text)| text).collect();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let settings: Vec<&str> = config.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(settings.len() >= 6, "{settings:?}");
    for setting in settings {
        assert!(readme.contains(&format!("`{setting}`")), "README.md does not say what {setting} is");
    }
}

#[test]
fn the_environment_is_read_in_one_place() {
    for (path, text) in sources("src", "rs") {
        assert!(path == "src/config.rs" || !text.contains("env::var"), "{path} reads the environment");
    }
}

#[test]
fn every_mutant_still_applies_and_its_test_is_there() {
    let mutants = sources("tests/mutants", "patch");
    assert!(mutants.len() >= 7, "{} mutants", mutants.len());
    let mut faults = Vec::new();
    for (path, text) in mutants {
        let applies = Command::new("git").args(["apply", "--check", &path]).current_dir(root()).output().unwrap();
        if !applies.status.success() {
            faults.push(format!("{path} does not apply: {}", String::from_utf8_lossy(&applies.stderr)));
        }
        let test = text.lines().find_map(|line| line.strip_prefix("Killed by: ")).unwrap_or_default();
        let (file, name) = test.rsplit_once("::").unwrap_or_default();
        let file = root().join("tests/it").join(file.replace("::", "/")).with_extension("rs");
        if !fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}()"))) {
            faults.push(format!("{path}: there is no test {test:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder with this extension: its path from the root, and its text.
pub fn sources(folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap();
            if path.is_dir() && !["node_modules", "dist"].contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "no {extension} in {folder}");
    found.sort();
    found
}

/// `room` for `src/room/machine/mod.rs`.
fn module_of(path: &str) -> String {
    let inside = path.strip_prefix("src/").expect("a source file");
    inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

/// The floor of each module as `lib.rs` says; the program itself stands above.
fn floors() -> BTreeMap<String, u32> {
    let table = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let mut floor = None;
    let mut floors = BTreeMap::from([("lib".to_owned(), u32::MAX), ("main".to_owned(), u32::MAX)]);
    for line in table.lines() {
        if let Some(number) = line.strip_prefix("// floor ") {
            let number = number.parse().unwrap();
            assert!(floor < Some(number), "floors go up");
            floor = Some(number);
        } else if let Some(rest) = line.split("mod ").nth(1) {
            floors.insert(rest.trim_end_matches(';').to_owned(), floor.expect("a module stands on a floor"));
        }
    }
    floors
}

/// The modules that a file names after `crate::`. The macros of `db` are at the root.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => {
                found.insert(word(rest));
            }
            Some(group) => {
                let mut depth = 0;
                let mut at_start = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => at_start = true,
                        c if at_start && !c.is_whitespace() => {
                            found.insert(word(&group[at..]));
                            at_start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found.into_iter().map(|name| if name == "on_pool" || name == "on_tx" { "db".to_owned() } else { name }).collect()
}

/// The texts between quotes, near enough.
fn literals(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}
