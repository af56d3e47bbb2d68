//! What was answered outlives the process, however it ends. This test starts itself again as the process to be killed.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tempfile::TempDir;
use tokio::task::JoinSet;
use undertone_store::{
    Append, AppendOutcome, Channels, NewChannel, NewEntry, StoreError, StoredChannel, sqlite::SqliteChannels,
};
use undertone_wire::{
    ChannelId, Day, IdempotencyId, Position,
    chain::{Chain, Digest},
    channel::EntryKind,
};

const CHANNEL: ChannelId = ChannelId::new([1; 16]);
const TODAY: Day = Day(20_800);
/// Tells the child which file to write; a test run by hand has none, and its child's part passes.
const FILE: &str = "UNDERTONE_TEST_FILE";
const WRITERS: u64 = 8;

fn append(number: u64) -> Append {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let entry = NewEntry {
        installs: None,
        countersignature: None,
        slot_hash: None,
        kind: EntryKind::Message,
        position: Position::default(),
        expiry_day: TODAY,
        body: number.to_be_bytes().repeat(64).into(),
        id: IdempotencyId::new(id),
    };
    Append { channel: CHANNEL, generation: 0, entries: vec![entry], record: None, slot: None, bytes_max: u64::MAX }
}

async fn open(path: &Path) -> Arc<SqliteChannels> {
    let channels = SqliteChannels::open(path).unwrap();
    assert!(
        channels.create(NewChannel { channel: CHANNEL, read_key: [0; 32], write_key: [0; 32] }, TODAY).await.unwrap()
    );
    Arc::new(channels)
}

fn child(part: &str, path: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", part, "--nocapture", "--test-threads=1"]).env(FILE, path).stdout(Stdio::piped());
    command
}

/// Lines of the child that are its own, not the test harness's.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let output = BufReader::new(child.stdout.take().unwrap());
    output.lines().map_while(Result::ok).filter_map(|line| Some(line.strip_prefix("> ")?.to_owned()))
}

fn say(line: impl std::fmt::Display) {
    // In one write, so that a kill leaves no half line behind.
    let mut output = std::io::stdout().lock();
    output.write_all(format!("\n> {line}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}

/// The child: several writers append without end, and tell what was answered.
#[tokio::test]
async fn child_appends_without_end() {
    let Some(path) = env::var_os(FILE) else { return };
    let channels = open(Path::new(&path)).await;
    let from = channels.channel(CHANNEL).await.unwrap().unwrap().seq * WRITERS;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let channels = channels.clone();
        writers.spawn(async move {
            for number in (from + writer..).step_by(WRITERS as usize) {
                match channels.append(append(number)).await.unwrap() {
                    AppendOutcome::Appended { first_seq, fresh: true, .. } => say(format!("{first_seq} {number}")),
                    _ => panic!("not appended"),
                }
            }
        });
    }
    writers.join_next().await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_answered_outlives_a_kill() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("channels.db");
    let mut answered = BTreeMap::new();
    for round in 1..=4 {
        let mut child = child("child_appends_without_end", &path).spawn().unwrap();
        let mut lines = lines(&mut child);
        let mut note = |line: String| {
            let (seq, number) = line.split_once(' ').unwrap();
            assert!(answered.insert(seq.parse::<u64>().unwrap(), number.parse::<u64>().unwrap()).is_none());
        };
        lines.by_ref().take(150 * round).for_each(&mut note);
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(&mut note);

        let channels = open(&path).await;
        let log = channels.read_after(CHANNEL, 0, u32::MAX, usize::MAX, TODAY).await.unwrap().unwrap();
        let StoredChannel { seq, chain, .. } = channels.channel(CHANNEL).await.unwrap().unwrap();
        assert!(log.iter().map(|entry| entry.seq).eq(1..=seq));
        let digests = log.iter().map(|entry| Digest::of(entry).unwrap());
        assert!(digests.fold(Chain::start(CHANNEL), |chain, digest| chain.then(&digest)) == chain);
        for (seq, number) in &answered {
            assert!(log[*seq as usize - 1].body == append(*number).entries[0].body);
            let again = channels.append(append(*number)).await.unwrap();
            assert!(matches!(again, AppendOutcome::Appended { first_seq, fresh: false, .. } if first_seq == *seq));
        }
    }
    assert!(answered.len() >= 1_500);
}

/// The child: appends until that fails, which must leave it alive and answering.
#[tokio::test]
async fn child_appends_until_the_file_may_not_grow() {
    let Some(path) = env::var_os(FILE) else { return };
    let channels = open(Path::new(&path)).await;
    let mut failures = 0;
    for number in 0.. {
        match channels.append(append(number)).await {
            Ok(AppendOutcome::Appended { first_seq, .. }) => say(format!("{first_seq} {number}")),
            Ok(_) => panic!("not appended"),
            Err(StoreError::NotApplied | StoreError::Unknown) => failures += 1,
            Err(error) => panic!("{error}"),
        }
        assert!(channels.channel(CHANNEL).await.unwrap().is_some());
        if failures == 20 {
            say("alive");
            return;
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_grow_loses_nothing_answered() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("channels.db");
    let this = child("child_appends_until_the_file_may_not_grow", &path);
    // A limit on the size of files, and writes beyond it fail instead of killing.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 6000; exec \"$0\" \"$@\""]).arg(this.get_program());
    limited.args(this.get_args()).env(FILE, &path).stdout(Stdio::piped());
    let mut child = limited.spawn().unwrap();
    let mut told: Vec<_> = lines(&mut child).collect();
    child.wait().unwrap();
    assert_eq!(told.pop().as_deref(), Some("alive"));
    assert!(told.len() > 100);

    let channels = open(&path).await;
    for line in told {
        let (seq, number) = line.split_once(' ').unwrap();
        let again = channels.append(append(number.parse().unwrap())).await.unwrap();
        let AppendOutcome::Appended { first_seq, fresh: false, .. } = again else { panic!("lost") };
        assert_eq!(first_seq, seq.parse::<u64>().unwrap());
    }
}
