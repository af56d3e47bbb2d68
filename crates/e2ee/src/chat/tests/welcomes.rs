use super::*;
use crate::{Invitation, Welcomes};

/// Each device needs its own share of a Welcome, and that is the one at the place where the commit has added it.
#[test]
fn each_joins_by_his_own_share() {
    let (ana, bo) = pair();
    let others: Vec<_> = (10..15).map(Person::new).collect();
    let packages: Vec<_> = others.iter().map(|other| other.key_package(false)).collect();
    let plan = Plan {
        adds: others.iter().zip(&packages).map(|(other, package)| (&other.list, package)).collect(),
        lists: others.iter().map(|other| &other.list).collect(),
        ..Plan::default()
    };
    let before = lists(&[&ana, &bo]).and_newcomers(others.iter().map(Person::account));
    let committed = ana.commit(&plan, &before).unwrap();
    let change = ana.merge(&committed, &before);
    bo.merge(&committed, &before);
    let Invitation { welcome, tree } = committed.invitation.unwrap();
    let everybody: Vec<_> = [&ana, &bo].into_iter().chain(&others).collect();
    let after = lists(&everybody);

    let welcomes = Welcomes::parse(&welcome).unwrap();
    assert_eq!(welcomes.count(), others.len());
    assert!(welcomes.of(0..others.len()).unwrap() == welcome);
    assert!(welcomes.of([others.len()]).is_err());
    for (place, member) in change.added.iter().enumerate() {
        let joiner = others.iter().find(|other| other.member() == *member).unwrap();
        let share = |place| Invitation { welcome: welcomes.of([place]).unwrap(), tree: tree.clone() };
        assert_eq!(joiner.join(&share((place + 1) % others.len()), &after).err(), Some(E2eeError::KeyGone));
        assert!(share(place).welcome.len() < welcome.len() / 3);
        joiner.join(&share(place), &after).unwrap();
    }
    all_talk(&everybody, &after);
    for cut in [0, 5, 6, 7, 20, welcome.len() / 2] {
        assert!(Welcomes::parse(&welcome[..cut]).is_err(), "{cut}");
    }
}
