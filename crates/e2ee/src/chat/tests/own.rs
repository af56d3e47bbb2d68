//! What becomes of one's own commits and messages.

use super::*;

#[test]
fn a_lost_race_discards_the_loser() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let (lost, won) = (ana.self_update(&both), bo.self_update(&both));
    assert_eq!(ana.chat(|me, chat| chat.commit(me, &Plan::default(), &both, &seen(2))).err(), Some(E2eeError::Pending));
    bo.follow(&won, &both);
    ana.follow(&won, &both);
    assert!(!ana.chat(|_, chat| Ok(chat.has_pending())).unwrap());
    assert_eq!(bo.refusal(EntryKind::Commit, &lost, &both), Some(Flaw::Epoch.into()));

    let again = ana.self_update(&both);
    ana.follow(&again, &both);
    bo.follow(&again, &both);
    assert!(ana.authenticator() == bo.authenticator());
}

#[test]
fn a_pending_commit_outlives_the_process_and_an_invalid_entry() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let commit = ana.self_update(&both);
    let nonsense = changed(&bo.self_update(&both), |entry| entry.fork_tag = vec![0; 32].into());
    assert_eq!(ana.refusal(EntryKind::Commit, &nonsense, &both), Some(Flaw::Fork.into()));
    assert!(ana.chat(|_, chat| Ok(chat.has_pending())).unwrap());
    ana.follow(&commit, &both);
    bo.follow(&commit, &both);
    assert!(ana.authenticator() == bo.authenticator());
}

#[test]
fn the_own_commit_read_back_is_merged() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let commit = ana.self_update(&both);
    let mistagged = changed(&commit, |entry| entry.fork_tag = vec![0; 32].into());
    assert_eq!(ana.refusal(EntryKind::Commit, &mistagged, &both), Some(Flaw::Fork.into()));
    ana.follow(&commit, &both);
    bo.follow(&commit, &both);
    assert!(ana.authenticator() == bo.authenticator());
    assert_eq!(ana.refusal(EntryKind::Commit, &commit, &both), Some(Flaw::Epoch.into()));
}

#[test]
fn the_own_message_read_back_is_known_for_one() {
    let (ana, bo) = pair();
    let message = ana.encrypt("hello");
    assert!(matches!(ana.receive(EntryKind::Message, &message, &lists(&[&ana, &bo])), Ok(Received::Own)));
}

#[test]
fn who_discards_too_early_or_goes_back_is_left_behind() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let commit = ana.self_update(&both);
    ana.chat(|me, chat| chat.discard_pending(me)).unwrap();
    bo.follow(&commit, &both);
    assert_eq!(ana.refusal(EntryKind::Commit, &commit, &both), Some(E2eeError::Private));
}

#[test]
fn a_state_from_a_backup_shows_as_a_fork() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let backup = bo.memory.rows.borrow().clone();
    let commit = bo.self_update(&both);
    bo.follow(&commit, &both);
    ana.follow(&commit, &both);

    // Two histories of the same length: neither side takes the other's commit or message.
    bo.memory.edit(|rows| *rows = backup);
    let fork = bo.self_update(&both);
    bo.follow(&fork, &both);
    assert!(ana.authenticator() != bo.authenticator());
    assert_eq!(ana.refusal(EntryKind::Commit, &bo.self_update(&both), &both), Some(Flaw::Fork.into()));
    assert_eq!(ana.refusal(EntryKind::Message, &bo.encrypt("?"), &both), Some(Flaw::Ciphertext.into()));
    assert_eq!(bo.refusal(EntryKind::Commit, &ana.self_update(&both), &both), Some(Flaw::Fork.into()));
}

#[test]
fn who_lost_his_secrets_alone_cannot_follow() {
    let (ana, bo) = pair();
    let both = lists(&[&ana, &bo]);
    let commit = ana.self_update(&both);
    let epoch_keys = |key: &[u8]| key.starts_with(b"mls1/epoch keys/");
    bo.memory.edit(|rows| rows.retain(|key, _| !epoch_keys(key)));
    assert_eq!(bo.refusal(EntryKind::Commit, &commit, &both), Some(E2eeError::Private));
    // What nobody accepts, he does not accept either, and is not left behind by it.
    assert_eq!(bo.refusal(EntryKind::Commit, &commit, &lists(&[&bo])), Some(Flaw::Leaf.into()));
}
