//! Many homes in one group, all of which want something of it at the same time, through a network that cuts their
//! connections, while they and the service are killed. In the end all see the same.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    process::Stdio,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Chance, Home, Listener, PATIENCE, Proxy, Running, Service};

/// So many, or as `UNDERTONE_HOMES` says.
const HOMES: usize = 16;
const ROUNDS: usize = 6;
/// Commands of a round that take longer are killed, if as many others have ended as are waited for.
const ROUND: Duration = Duration::from_secs(2);
/// Those who may do what admins may, besides the first.
const ADMINS: usize = 5;
/// Homes that are killed in a round, at most.
const KILLS_MAX: usize = 4;
const TITLE: &str = "Lighthouse";

/// Everybody, and how the crowd is brought together and apart.
struct Crowd {
    service: Service,
    proxy: Proxy,
    chance: Chance,
    homes: Vec<Home>,
    /// Each home's own process, which does all that others ask of that home.
    ears: Vec<Listener>,
    accounts: Vec<String>,
    /// Those whom somebody has wanted out at any time: they need not have all that was said.
    shaken: BTreeSet<usize>,
}

/// Does something with all of these at the same time.
fn at_once<T: Sync, R: Send>(all: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let running: Vec<_> = all.iter().map(|one| scope.spawn(|| act(one))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// What a home shows of the group; null while it knows none.
fn shown(home: &Home) -> Value {
    let groups = home.run(&["group", "list"]).must();
    groups.into_iter().next().unwrap_or_default()
}

/// What of it all members have to agree on.
fn seen(group: &Value) -> Value {
    let same = ["title", "description", "pinned", "revision", "record_hash", "incarnation", "epoch", "rules", "link"];
    let people = |list: &str| -> Value {
        group[list].as_array().into_iter().flatten().map(|who| json!([who["account"], who["role"]])).collect()
    };
    let lists = ["members", "invited", "requesting", "banned"].map(people);
    let said = same.map(|field| group[field].clone());
    said.into_iter().chain(lists).collect()
}

fn is_in(group: &Value) -> bool {
    group["state"] == json!("open") && !group["role"].is_null() && group["trouble"].is_null()
}

fn may_post(group: &Value) -> bool {
    let members_post = group["rules"]["post"] == json!("members");
    match group["role"].as_str() {
        Some("owner" | "admin") => true,
        Some("member") => members_post,
        _ => false,
    }
}

/// What a home has of what was said, without what it could not say itself.
fn said(home: &Home) -> Vec<Value> {
    let history = home.history(TITLE).into_iter().filter(|entry| !entry["seq"].is_null());
    history.map(|entry| json!([entry["id"], entry["from"], entry["body"], entry["seq"]])).collect()
}

impl Crowd {
    fn gather(homes: usize) -> Self {
        let (service, mut chance) = (Service::open(), Chance::of_seed());
        let (_, rest) = service.link().split_once(':').unwrap();
        let (address, key) = rest.split_once('#').unwrap();
        let proxy = Proxy::to(address.parse::<SocketAddr>().unwrap(), chance.branch());
        let link = format!("undertone:{}#{key}", proxy.address());
        let homes: Vec<_> = (0..homes).map(|_| Home::new()).collect();
        let numbered: Vec<_> = homes.iter().enumerate().collect();
        at_once(&numbered, |(number, home)| {
            home.run(&["register", "--service", &link, "--name", &format!("N{number}")]).must();
        });
        let accounts = at_once(&homes, Home::account);
        let ears = homes.iter().map(Home::listen).collect();
        Self { service, proxy, chance, homes, ears, accounts, shaken: BTreeSet::new() }
    }

    /// The first makes a group of all, and gives some of them a say in it.
    fn begin(&self) {
        let mut command = vec!["group", "create", TITLE, "--edit", "members", "--add", "members"];
        command.extend(self.accounts.iter().skip(1).flat_map(|account| ["--member", account]));
        assert_eq!(self.homes[0].run(&command).one()["queued"], json!(false));
        for account in &self.accounts[1..=ADMINS] {
            self.homes[0].run(&["group", "role", TITLE, account, "admin"]).one();
        }
        self.agree();
    }

    /// What somebody wants in one round, whether he may or not: the arguments of a command.
    fn wish(&mut self, round: usize, by: usize) -> Vec<String> {
        let whom = self.chance.below(self.homes.len());
        // Few are taken out: of the others all is expected.
        let few = self.homes.len() - 1 - self.chance.below(self.homes.len() / 5);
        let word = format!("{round} of {by}");
        let (who, gone) = (self.accounts[whom].clone(), self.accounts[few].clone());
        let group = |act: &str, rest: &[&str]| -> Vec<String> {
            ["group", act, TITLE].iter().chain(rest).map(|&word| word.to_owned()).collect()
        };
        let role = ["admin", "member", "member", "reader"][self.chance.below(4)];
        match self.chance.below(16) {
            0 => group("set", &["description", &word]),
            1 => group("set", &["pinned", &word]),
            2 => group("rules", &["--post", "members"]),
            3..=5 => group("role", &[&who, role]),
            6 => group("role", &[&who, "member"]),
            7 => group("add", &[&gone]),
            8 => group("invite", &[&gone]),
            9 => group("invite-link", &["ask"]),
            10 if by != 0 => {
                self.shaken.insert(few);
                group("remove", &[&gone])
            }
            11 if by == few => {
                self.shaken.insert(few);
                group("leave", &[])
            }
            _ => ["send", TITLE, &word].iter().map(|&word| word.to_owned()).collect(),
        }
    }

    /// Everybody wants something at once, and some are killed over it.
    fn live(&mut self, round: usize) {
        self.proxy.set_bad(true);
        let wishes: Vec<_> = (0..self.homes.len()).map(|by| self.wish(round, by)).collect();
        let (sender, ended) = channel();
        let asked = self.homes.iter().zip(&wishes).map(|(home, wish)| {
            let wish: Vec<_> = wish.iter().map(String::as_str).collect();
            let mut command = home.command(&wish);
            let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let (mut child, sender) = (command.spawn().unwrap(), sender.clone());
            let mut stdout = child.stdout.take().unwrap();
            thread::spawn(move || sender.send(std::io::copy(&mut stdout, &mut std::io::sink()).is_ok()));
            Running(child)
        });
        let asked: Vec<_> = asked.collect();
        let some_end = |some: usize| (0..some).all(|_| ended.recv_timeout(ROUND).is_ok());
        some_end(self.chance.below(self.homes.len() / 2));
        for _ in 0..=self.chance.below(KILLS_MAX) {
            let whose = self.chance.below(self.homes.len());
            self.ears.remove(whose).kill();
            self.ears.insert(whose, self.homes[whose].listen());
        }
        if self.chance.below(2) == 0 {
            self.service.kill();
            self.service.restart();
        }
        some_end(self.homes.len() / 2);
        // Whoever still waits for an answer is killed over it: what he wanted is kept.
        drop(asked);
    }

    /// Waits until all who are in the group see the same of it, and nobody else thinks that he is.
    fn agree(&self) -> Vec<Value> {
        self.until(|_, views| {
            let far = |view: &&Value| [&view["incarnation"], &view["epoch"], &view["revision"]].map(Value::as_u64);
            let newest = views.iter().filter(|view| is_in(view)).max_by_key(far).ok_or((0, "nobody is in it"))?;
            let members = newest["members"].as_array().unwrap();
            for (number, (view, account)) in views.iter().zip(&self.accounts).enumerate() {
                let belongs = members.iter().any(|member| member["account"] == json!(account));
                if view["state"] == json!("invited") {
                    let _ = self.homes[number].run(&["group", "accept", TITLE]);
                    return Err((number, "was only just invited"));
                }
                if belongs != is_in(view) {
                    return Err((number, "thinks otherwise of who is in it"));
                }
                if belongs && seen(view) != seen(newest) {
                    return Err((number, "sees something else"));
                }
            }
            Ok(())
        })
    }

    /// Waits until something holds of what all show.
    fn until(&self, holds: impl Fn(&Self, &[Value]) -> Result<(), (usize, &'static str)>) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let views = at_once(&self.homes, shown);
            let Err((whose, why)) = holds(self, &views) else { return views };
            if begun.elapsed() > PATIENCE {
                let stand = |view: &Value| {
                    let [state, trouble, revision, epoch] =
                        ["state", "trouble", "revision", "epoch"].map(|field| &view[field]);
                    format!("{state} {trouble} at revision {revision}, epoch {epoch}\n")
                };
                panic!("{whose} {why}:\n{}", views.iter().map(stand).collect::<String>());
            }
            // Something may come to him.
            self.homes[whose].run(&["receive", "--wait", "1"]);
        }
    }

    /// The bad times end, and everybody says something more.
    fn end(&self) {
        self.proxy.set_bad(false);
        let views = self.agree();
        let here: Vec<_> = (0..self.homes.len()).filter(|number| is_in(&views[*number])).collect();
        let homes = &self.homes;
        let last: BTreeSet<_> = at_once(&here, |number| {
            let text = format!("the end of {number}");
            let sent = homes[*number].run(&["send", TITLE, &text]);
            assert_eq!(sent.code == 0, may_post(&views[*number]), "{}", sent.errors);
            (sent.code == 0).then_some(text)
        })
        .into_iter()
        .flatten()
        .collect();
        assert!(!last.is_empty());
        let all = self.until(|crowd, _| {
            let histories = at_once(&here, |number| said(&homes[*number]));
            for (number, history) in here.iter().zip(&histories) {
                let texts: BTreeSet<_> = history.iter().filter_map(|entry| entry[2].as_str()).collect();
                if !last.iter().all(|text| texts.contains(text.as_str())) {
                    return Err((*number, "lacks what was said last"));
                }
                let whole = !crowd.shaken.contains(number);
                if whole && *history != histories[0] {
                    return Err((*number, "has another history"));
                }
                // Whoever was out for a while has what he has in the same order.
                let same: Vec<_> = histories[0].iter().filter(|entry| history.contains(entry)).collect();
                if !history.iter().eq(same) {
                    return Err((*number, "has something else, or otherwise"));
                }
            }
            Ok(())
        });
        let [revision, epoch] = ["revision", "epoch"].map(|field| &all[here[0]][field]);
        println!("{} of {} homes are in, at revision {revision}, epoch {epoch}", here.len(), homes.len());
    }
}

#[test]
fn many_homes_see_the_same_whatever_they_want_at_once() {
    let homes = std::env::var("UNDERTONE_HOMES").ok().and_then(|homes| homes.parse().ok()).unwrap_or(HOMES);
    let mut crowd = Crowd::gather(homes);
    crowd.begin();
    for round in 0..ROUNDS {
        crowd.live(round);
    }
    crowd.end();
}
