//! The table of `docs/protocol.md`, held against what the program does: every line, by everybody, to everybody, under every
//! rule and with everything that may follow. What is expected is read from the document; nothing here knows the program's
//! own table.

use std::collections::BTreeSet;

use bytes::Bytes;
use undertone_credentials::group::{
    Action, Allowed, AttributeKind, Follows, Link, Pseudonym, Record, Role, Rules, Standing, Who, table::Act,
};
use undertone_wire::group;

use crate::records::{bytes, change, entry, record};

const DOCUMENT: &str = include_str!("../../../../docs/protocol.md");
const STANDINGS: [&str; 8] = ["owner", "admin", "member", "reader", "invited", "requesting", "banned", "nobody"];
const FOLLOWS: [(&str, Follows); 5] = [
    ("", Follows::Nothing),
    ("commit", Follows::Commit),
    ("entrance", Follows::Entrance),
    ("generation", Follows::Generation),
    ("restart", Follows::Restart),
];
const ADMINS: &str = "make or unmake an admin";

const ACTOR: u8 = 1;
const TARGET: u8 = 2;
const OWNER: u8 = 9;
const BYSTANDER: u8 = 8;

/// A line: what, to whom, each standing's cell, what follows.
struct Line {
    name: &'static str,
    to: Vec<&'static str>,
    cells: Vec<&'static str>,
    follows: &'static str,
}

fn lines() -> Vec<Line> {
    let (_, section) = DOCUMENT.split_once("\n### Who may do what\n").unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 11, "{line}");
        cells
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows[0][2..10], STANDINGS);
    let line = |cells: &Vec<&'static str>| Line {
        name: cells[0],
        to: cells[1].split(", ").filter(|to| !to.is_empty()).collect(),
        cells: cells[2..10].to_vec(),
        follows: cells[10],
    };
    rows[2..].iter().map(line).collect()
}

/// What the world is like in which something is tried.
#[derive(Clone, Copy)]
struct World {
    actor: usize,
    target: usize,
    rules: Rules,
    link: Link,
    /// Nobody is a member but actor and target, where these are.
    alone: bool,
    /// The actor has invited the target, if he is invited.
    own: bool,
}

impl World {
    fn all() -> Vec<Self> {
        let who = [Who::Admins, Who::Members];
        let mut all = Vec::new();
        for (actor, target) in (0..8).flat_map(|actor| (0..8).map(move |target| (actor, target))) {
            for bits in 0..8 {
                let who = |bit: usize| who[(bits >> bit) & 1];
                let rules = Rules { add: who(0), edit: who(1), post: who(2) };
                for link in [Link::Off, Link::Join([5; 32]), Link::Ask([5; 32])] {
                    for (alone, own) in [(false, false), (false, true), (true, false)] {
                        // Where these make a difference.
                        if (!alone || actor == 0) && (!own || STANDINGS[target] == "invited") {
                            all.push(Self { actor, target, rules, link, alone, own });
                        }
                    }
                }
            }
        }
        all
    }

    /// None: there is no such group, as with two owners.
    fn record(&self) -> Option<Record> {
        let mut says = group::Record::default();
        let mut put = |number: u8, standing: &str, by: u8| match standing {
            "invited" => says.invited.push(group::Invited { entry: bytes(number), role: 3, by: bytes(by) }),
            "requesting" => says.requesting.push(bytes(number)),
            "banned" => says.banned.push(bytes(number)),
            "nobody" => {}
            role => {
                let role = 1 + STANDINGS.iter().position(|standing| *standing == role).unwrap() as i32;
                says.members.push(group::Member { entry: bytes(number), role });
            }
        };
        put(ACTOR, STANDINGS[self.actor], OWNER);
        put(TARGET, STANDINGS[self.target], if self.own { ACTOR } else { OWNER });
        if self.actor != 0 && self.target != 0 {
            put(OWNER, "owner", OWNER);
        }
        if !self.alone {
            put(BYSTANDER, "member", OWNER);
        }
        let who = |who| if who == Who::Members { 1 } else { 0 };
        let Rules { add, edit, post } = self.rules;
        says.rules = Some(group::Rules { add: who(add), edit: who(edit), post: who(post) });
        says.link = Some(match self.link {
            Link::Off => group::Link { mode: 0, secret_hash: Bytes::new() },
            Link::Join(hash) => group::Link { mode: 1, secret_hash: Bytes::copy_from_slice(&hash) },
            Link::Ask(hash) => group::Link { mode: 2, secret_hash: Bytes::copy_from_slice(&hash) },
        });
        record(says)
    }

    /// How many are members.
    fn members(&self) -> usize {
        let others = usize::from(!self.alone) + usize::from(self.actor != 0 && self.target != 0);
        others + usize::from(self.actor < 4) + usize::from(self.target < 4)
    }

    /// Whether a cell says yes here; `oneself` is that something is done to its actor.
    fn holds(&self, cell: &str, oneself: bool) -> bool {
        let members = |who| who == Who::Members;
        match cell {
            "" => false,
            "yes" => true,
            "add" => members(self.rules.add),
            "edit" => members(self.rules.edit),
            "post" => members(self.rules.post),
            "join" => matches!(self.link, Link::Join(_)),
            "ask" => matches!(self.link, Link::Ask(_)),
            "link" => self.link != Link::Off,
            "own" => self.own && STANDINGS[self.target] == "invited" && !oneself,
            "last" => self.members() == 1,
            other => panic!("{other}: no such cell"),
        }
    }
}

/// The actions of a line, with the role that each gives.
fn actions(name: &str, whom: Pseudonym) -> Vec<(Action, Option<Role>)> {
    let in_roles = |action: fn(Pseudonym, Role) -> Action| {
        [Role::Admin, Role::Member, Role::Reader].map(|role| (action(whom, role), Some(role))).to_vec()
    };
    let plain = |action| vec![(action, None)];
    match name {
        "add" => in_roles(Action::Add),
        "invite" => in_roles(Action::Invite),
        "approve" => in_roles(Action::Approve),
        "set role" => in_roles(Action::SetRole),
        "accept" => plain(Action::Accept),
        "decline" => plain(Action::Decline),
        "revoke" => plain(Action::Revoke(whom)),
        "request" => plain(Action::Request),
        "join" => plain(Action::Join),
        "deny" => plain(Action::Deny(whom)),
        "remove" => plain(Action::Remove(whom)),
        "leave" => plain(Action::Leave),
        "ban" => plain(Action::Ban(whom)),
        "unban" => plain(Action::Unban(whom)),
        "set attribute" => plain(Action::SetAttribute(AttributeKind::Title, vec![1; 256].into())),
        "set rules" => plain(Action::SetRules(Rules::default())),
        "set link" => plain(Action::SetLink(Link::Join([1; 32]))),
        "hand over" => plain(Action::HandOver(whom)),
        "restart" => plain(Action::Restart),
        "close" => plain(Action::Close),
        _ => Vec::new(),
    }
}

fn act(name: &str) -> Option<Act> {
    Some(match name {
        "post" => Act::Post,
        "commit" => Act::Commit,
        "begin a generation" => Act::Begin,
        "reserve the next commit" => Act::Reserve,
        "read the record" => Act::ReadRecord,
        "read the head slot" => Act::ReadHeadSlot,
        _ => return None,
    })
}

/// As the document has it: a generation stands for a commit, and a restart for both; where nothing must follow, a member may
/// add a commit or a generation.
fn may_follow(needed: &str, given: &str, stays_member: bool) -> bool {
    match (needed, given) {
        ("", "") => true,
        ("", "commit" | "generation") => stays_member,
        ("commit", "commit" | "generation") => true,
        (needed, given) => needed == given,
    }
}

#[test]
fn every_action_by_everybody_to_everybody_under_every_rule() {
    let lines = lines();
    let admins = lines.iter().find(|line| line.name == ADMINS).unwrap();
    let mut allowed = BTreeSet::new();
    let mut tried = 0u32;
    for world in World::all() {
        let Some(record) = world.record() else { continue };
        for oneself in [false, true] {
            let whom = entry(if oneself { ACTOR } else { TARGET });
            let standing = STANDINGS[if oneself { world.actor } else { world.target }];
            let names: BTreeSet<_> = lines.iter().map(|line| line.name).collect();
            for (name, (action, role)) in
                names.iter().flat_map(|name| actions(name, whom).into_iter().map(move |action| (*name, action)))
            {
                let line =
                    lines.iter().find(|line| line.name == name && (line.to.is_empty() || line.to.contains(&standing)));
                let targeted = line.is_some_and(|line| !line.to.is_empty());
                let unmakes = targeted && standing == "admin" && name != "hand over";
                let of_admins = role == Some(Role::Admin) || unmakes;
                let expected = line.filter(|line| {
                    world.holds(line.cells[world.actor], oneself)
                        && (!of_admins || world.holds(admins.cells[world.actor], oneself))
                });
                for (given, follows) in FOLLOWS {
                    let stays = world.actor < 4 && name != "leave";
                    let expected = expected.is_some_and(|line| may_follow(line.follows, given, stays));
                    let got = record.apply(&change(&record, entry(ACTOR), vec![action.clone()], follows)).is_ok();
                    assert_eq!(
                        got, expected,
                        "{name} by {} to {standing} ({role:?}) with {given:?}: {:?}, alone {}, own {}",
                        STANDINGS[world.actor], world.rules, world.alone, world.own
                    );
                    if got {
                        allowed.insert((name, standing, STANDINGS[world.actor]));
                    }
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 300_000, "{tried}");
    let never: Vec<_> = lines
        .iter()
        .filter(|line| !["settle", ADMINS].contains(&line.name) && act(line.name).is_none())
        .filter(|line| !allowed.iter().any(|(name, _, _)| *name == line.name))
        .map(|line| line.name)
        .collect();
    assert!(never.is_empty(), "never done: {never:?}");
}

#[test]
fn what_changes_nothing_of_the_record() {
    let lines = lines();
    let rest: Vec<_> = lines.iter().filter_map(|line| Some((line, act(line.name)?))).collect();
    assert_eq!(rest.len(), 6);
    for world in World::all() {
        let Some(record) = world.record() else { continue };
        for (line, act) in &rest {
            let cell = line.cells[world.actor];
            let expected = match (world.holds(cell, true), cell) {
                (false, _) => Allowed::No,
                (true, "join" | "ask" | "link") => Allowed::WithLink,
                (true, _) => Allowed::Yes,
            };
            assert_eq!(record.standing(&entry(ACTOR)), Standing::ALL[world.actor]);
            assert_eq!(record.allows(Standing::ALL[world.actor], *act), expected, "{}", line.name);
        }
    }
}

/// The lines are those of the program, no more and no fewer.
#[test]
fn every_line_is_a_line_of_the_program() {
    let lines = lines();
    assert_eq!(lines.len(), undertone_credentials::group::table::TABLE.len());
    let known =
        |name| !actions(name, entry(TARGET)).is_empty() || act(name).is_some() || ["settle", ADMINS].contains(&name);
    assert!(lines.iter().all(|line| known(line.name)));
}

/// Settling needs somebody who has left, and then nothing else goes but to leave too.
#[test]
fn who_has_left_is_settled_first() {
    let lines = lines();
    let settle = lines.iter().find(|line| line.name == "settle").unwrap();
    for world in World::all() {
        let Some(calm) = world.record() else { continue };
        let mut says = crate::records::says(&calm);
        says.left.push(bytes(6));
        let owed = record(says).unwrap();
        assert!(owed.is_owed() && !calm.is_owed());
        let apply = |record: &Record, actions: Vec<Action>, follows| {
            record.apply(&change(record, entry(ACTOR), actions, follows)).is_ok()
        };
        for (given, follows) in FOLLOWS {
            let expected =
                world.holds(settle.cells[world.actor], true) && may_follow(settle.follows, given, world.actor < 4);
            assert_eq!(apply(&owed, vec![Action::Settle], follows), expected);
            assert!(!apply(&calm, vec![Action::Settle], follows), "nobody has left");
            for line in lines.iter().filter(|line| line.name != "leave") {
                for (action, _) in actions(line.name, entry(TARGET)) {
                    assert!(!apply(&owed, vec![action.clone()], follows), "{} while somebody is owed", line.name);
                    // Behind the settling, in one change, goes what goes without.
                    if follows == Follows::Generation {
                        let calm = apply(&calm, vec![action.clone()], follows);
                        assert_eq!(apply(&owed, vec![Action::Settle, action], follows), calm && expected);
                    }
                }
            }
        }
        assert_eq!(
            apply(&owed, vec![Action::Leave], Follows::Nothing),
            apply(&calm, vec![Action::Leave], Follows::Nothing)
        );
        let standing = Standing::ALL[world.actor];
        for act in [Act::Post, Act::Commit, Act::Begin] {
            assert_eq!(owed.allows(standing, act), Allowed::No);
        }
        for act in [Act::Reserve, Act::ReadRecord, Act::ReadHeadSlot] {
            assert_eq!(owed.allows(standing, act), calm.allows(standing, act));
        }
    }
}

#[test]
fn a_closed_group_is_only_read() {
    for world in World::all() {
        let Some(open) = world.record() else { continue };
        let mut says = crate::records::says(&open);
        says.closed = true;
        let closed = record(says).unwrap();
        for line in lines() {
            for (action, _) in actions(line.name, entry(TARGET)) {
                for (_, follows) in FOLLOWS {
                    assert!(closed.apply(&change(&closed, entry(ACTOR), vec![action.clone()], follows)).is_err());
                }
            }
            let Some(act) = act(line.name) else { continue };
            let standing = Standing::ALL[world.actor];
            let expected = if line.name.starts_with("read") { open.allows(standing, act) } else { Allowed::No };
            assert_eq!(closed.allows(standing, act), expected);
        }
    }
}
