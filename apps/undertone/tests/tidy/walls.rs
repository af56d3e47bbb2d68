//! Walls between the crates: who may use whom, who may open a socket, who may know what.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use crate::house::{Package, code, kept, names, packages, parts, root_table, sources};

/// The arrows between our crates. Everything may be used by the binaries, `undertone`, `sim` and `fuzz`.
const ARROWS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("credentials", &["wire"]),
    ("e2ee", &["credentials", "wire"]),
    ("discovery", &["credentials", "wire"]),
    ("circuit", &["wire"]),
    ("store", &["wire"]),
    ("service", &["credentials", "discovery", "store", "wire"]),
    ("client", &["circuit", "credentials", "discovery", "e2ee", "wire"]),
    ("undertone", &["circuit", "client", "credentials", "discovery", "e2ee", "service", "store", "wire"]),
    ("sim", &["circuit", "client", "credentials", "discovery", "e2ee", "service", "store", "wire"]),
    ("fuzz", &["circuit", "client", "credentials", "discovery", "e2ee", "service", "store", "wire"]),
];

/// Arrows that only tests may use, besides those above.
const TEST_ARROWS: &[(&str, &[&str])] = &[("client", &["service", "store"])];

/// Libraries that only some crates may use, because a promise hangs on it.
const OWNERS: &[(&str, &[&str], &str)] = &[
    ("anyhow", &["undertone", "sim"], "a library's errors are its own enum"),
    ("clap", &["undertone", "sim", "fuzz"], "the command line is the binaries'"),
    ("openmls", &["e2ee"], "MLS is hidden behind e2ee"),
    ("snow", &["circuit"], "the Noise session is hidden behind circuit"),
    (
        "rusqlite",
        &["client", "store", "sim"],
        "SQL is hidden behind the storage traits and the client's database; sim reads files as a thief does",
    ),
];

/// What a service must not be able to do, however it is changed: nothing that decrypts is linked into it.
const NEVER_IN_SERVICE: &[&str] =
    &["undertone-e2ee", "undertone-client", "undertone-circuit", "openmls", "hpke", "chacha20poly1305", "snow"];

const SOCKETS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "TcpSocket",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "std::net",
    "tokio::net",
    "rustix::net",
];

const ADDRESSES: &[&str] = &[
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "SocketAddr",
    "SocketAddrV4",
    "SocketAddrV6",
    "ToSocketAddrs",
    "std::net",
    "tokio::net",
];

fn allowed(arrows: &[(&str, &'static [&'static str])], package: &str) -> &'static [&'static str] {
    arrows.iter().find(|(from, _)| *from == package).map_or(&[], |(_, to)| to)
}

fn house_dependencies(package: &Package, table: &str) -> Vec<String> {
    let names = package.dependencies(table).into_keys();
    names.filter_map(|name| name.strip_prefix("undertone-").map(str::to_owned)).collect()
}

#[test]
fn crates_use_each_other_along_the_arrows() {
    let mut broken = Vec::new();
    for package in packages() {
        if !ARROWS.iter().any(|(from, _)| *from == package.name) {
            broken.push(format!("{}: is in no row of ARROWS", package.path));
        }
        for table in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for used in house_dependencies(&package, table) {
                let tests = table == "dev-dependencies" && allowed(TEST_ARROWS, &package.name).contains(&&*used);
                if !tests && !allowed(ARROWS, &package.name).contains(&&*used) {
                    broken.push(format!("{}: [{table}] has undertone-{used}", package.path));
                }
            }
        }
    }
    kept("A crate uses another of the house only along ARROWS (ARCHITECTURE.md says why).", &broken);
}

#[test]
fn libraries_stay_with_their_owners() {
    let mut broken = Vec::new();
    for package in packages() {
        for (library, owners, reason) in OWNERS {
            if package.dependencies("dependencies").contains_key(*library) && !owners.contains(&&*package.name) {
                broken.push(format!("{}: {library} ({reason})", package.path));
            }
        }
    }
    kept("These libraries belong to the crates named in OWNERS.", &broken);
}

#[test]
fn the_service_links_nothing_that_decrypts() {
    let lock = root_table("Cargo.lock");
    let mut uses: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let dependencies = package.get("dependencies").and_then(Value::as_array);
        let used = dependencies.into_iter().flatten().map(|name| name.as_str().unwrap().split(' ').next().unwrap());
        uses.entry(package["name"].as_str().unwrap()).or_default().extend(used);
    }
    let mut reached = BTreeSet::new();
    let mut next = vec!["undertone-service"];
    while let Some(name) = next.pop() {
        if reached.insert(name) {
            next.extend(uses.get(name).into_iter().flatten());
        }
    }
    let broken: Vec<_> =
        NEVER_IN_SERVICE.iter().filter(|name| reached.contains(*name)).map(|name| (*name).to_owned()).collect();
    kept("undertone-service reaches none of these, not even through others or in tests (Cargo.lock).", &broken);
}

#[test]
fn only_circuit_and_the_binary_open_sockets() {
    never_named(SOCKETS, |package| !["circuit", "undertone"].contains(&package), "Only circuit and apps open sockets.");
}

#[test]
fn service_and_store_know_no_address() {
    never_named(ADDRESSES, |package| ["service", "store"].contains(&package), "An address stays at the door.");
}

#[test]
fn the_rules_have_no_clock() {
    never_named(
        &["SystemTime", "UNIX_EPOCH"],
        |package| ["wire", "credentials", "discovery", "e2ee", "store", "service"].contains(&package),
        "`now` is an argument.",
    );
}

fn never_named(words: &[&str], of: impl Fn(&str) -> bool, rule: &str) {
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| of(file.package())) {
        for (number, line) in code(file.product()) {
            let found = words.iter().filter(|word| names(line, word));
            broken.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
        }
    }
    kept(rule, &broken);
}

/// In service and store, the halves that must not know each other: (folder or file, its name, what it never says).
const PLANES: [(&str, &[&str]); 2] =
    [("account", &["ChannelId", "undertone_wire::channel"]), ("channel", &["AccountId", "undertone_wire::account"])];

#[test]
fn the_planes_never_meet() {
    let mut broken = Vec::new();
    for file in sources().iter().filter(|file| ["service", "store"].contains(&file.package())) {
        let parts: Vec<_> = file.path.trim_end_matches(".rs").split('/').skip(3).collect();
        for (plane, never) in PLANES {
            let own = [plane.to_owned(), format!("{plane}s")];
            let other = if plane == "account" { "channel" } else { "account" };
            if !parts.iter().any(|part| own.contains(&(*part).to_owned())) {
                continue;
            }
            for (number, line) in code(file.product()) {
                let found = never.iter().filter(|word| names(line, word));
                broken.extend(found.map(|word| format!("{}:{number}: {word}", file.path)));
            }
            let used = imports(file.product());
            if used.contains(other) || used.contains(&*format!("{other}s")) {
                broken.push(format!("{}: imports the other plane", file.path));
            }
        }
    }
    kept("No code of one plane imports the other, or has a type of its identifiers.", &broken);
}

/// First names after `crate::` and `super::`, in groups too.
fn imports(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for prefix in ["crate::", "super::"] {
        for (at, _) in text.match_indices(prefix) {
            let (_, rest) = text.split_at(at + prefix.len());
            match rest.strip_prefix('{') {
                Some(group) => found.extend(parts(group, ['{', '}']).into_iter().filter_map(first_name)),
                None => found.extend(first_name(rest)),
            }
        }
    }
    found
}

fn first_name(path: &str) -> Option<&str> {
    path.trim_start().split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

#[test]
fn imports_are_read_in_groups_too() {
    let text = "use crate::{a::b, c::{d, e}, f};\nuse super::g::h; crate::i";
    assert_eq!(imports(text), ["a", "c", "f", "g", "i"].into());
}
