//! Homes and a service as former releases left them (apps/undertone/tests/fixtures/README.md): opened by this one at the
//! moment of their recording, they go on as if nothing had happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use rand::rngs::StdRng;
use support::{Home, Setup, assert_same_history, befriend, folder, has};
use tempfile::TempDir;
use tokio::sync::watch;
use undertone_circuit::{Accepted, MemoryDialer, ServerHello, ServiceKeys, accept, memory};
use undertone_client::{Clock, Pace, Rungs};
use undertone_credentials::{HeadKey, IssuingKey};
use undertone_service::{AccountPlane, ChannelPlane, Issuer, Registration, TicketKey, VisitorSession};
use undertone_store::sqlite::{SqliteAccounts, SqliteChannels};
use undertone_wire::Now;

const RELEASES: [&str; 4] = ["0.1", "0.2", "0.3", "0.4"];

/// What one of them left, and the service of it.
struct Recorded {
    left: PathBuf,
    clock: Arc<Since>,
    dialer: MemoryDialer,
    _service: TempDir,
}

/// Goes on from the moment of the recording.
struct Since {
    recorded: Now,
    started: Instant,
}

impl Clock for Since {
    fn now(&self) -> Now {
        self.recorded.plus_ms(u64::try_from(self.started.elapsed().as_millis()).unwrap())
    }
}

impl Recorded {
    fn of(release: &str) -> Self {
        let left = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../apps/undertone/tests/fixtures").join(release);
        let recorded = Now(fs::read_to_string(left.join("recorded_ms")).unwrap().trim().parse().unwrap());
        let clock = Arc::new(Since { recorded, started: Instant::now() });
        let service = copy(&left.join("service"));
        let dialer = serve(service.path(), clock.clone());
        Self { left, clock, dialer, _service: service }
    }

    fn setup(&self) -> Setup {
        let dialer = Arc::new(self.dialer.clone());
        Setup { pace: Pace::eager(), clock: self.clock.clone(), dialer, rungs: Rungs::of_this_release() }
    }

    fn home(&self, person: &str) -> Home {
        Home::open(copy(&self.left.join(person)), self.setup())
    }

    /// Somebody who comes to the service with this release.
    async fn newcomer(&self, name: &str) -> Home {
        let folder = folder();
        let link = fs::read_to_string(self.left.join("link")).unwrap();
        let engine = self.setup().open(&folder).unwrap();
        engine.register(&link, None, name).await.unwrap();
        drop(engine);
        Home::open(folder, self.setup())
    }
}

fn copy(from: &Path) -> TempDir {
    let to = folder();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

/// The service of a data folder, behind a tunnel in memory.
fn serve(data: &Path, clock: Arc<Since>) -> MemoryDialer {
    // magic (8) || version (1) || circuit keys (97) || head key's seed (32)
    //           || since version 2: issuing key's seed (32) || public halves
    let keys = fs::read(data.join("service.keys")).unwrap();
    let head_key = HeadKey::from_seed(&keys[106..138].try_into().unwrap());
    let issuer = if keys[8] == 1 { [5; 32] } else { keys[138..170].try_into().unwrap() };
    let issuer = IssuingKey::from_seed(&issuer);
    let keys = Arc::new(ServiceKeys::from_bytes(&keys[9..106]).unwrap());
    // magic (8) || version (1) || revision of the parameters (8) || their hash (32), if any were shown. This release shows
    // other ones.
    let revision = fs::read(data.join("service.parameters"))
        .map_or(1, |shown| u64::from_be_bytes(shown[9..17].try_into().unwrap()) + 1);
    let accounts = SqliteAccounts::open(&data.join("accounts.db")).unwrap();
    let channels = SqliteChannels::open(&data.join("channels.db")).unwrap();
    let issuer = Arc::new(Issuer::new(issuer, rand::make_rng::<StdRng>()));
    let accounts = Arc::new(AccountPlane::new(accounts, Registration::Open, issuer.clone()));
    let tickets = TicketKey::generate(&mut rand::make_rng::<StdRng>());
    let channels = Arc::new(ChannelPlane::new(channels, head_key, tickets, issuer));
    let hello = Arc::new(ServerHello {
        parameters: channels.parameters(),
        signed_parameters: channels.signed_parameters(clock.now(), revision),
        ..ServerHello::default()
    });
    let (dialer, mut listener) = memory(1 << 16);
    tokio::spawn(async move {
        while let Some(tunnel) = listener.accept().await {
            let (keys, hello, clock) = (keys.clone(), hello.clone(), clock.clone());
            let (accounts, channels) = (accounts.clone(), channels.clone());
            tokio::spawn(async move {
                let (_drain, draining) = watch::channel(false);
                let clock = || clock.now();
                match accept(tunnel, &keys, &hello, &mut rand::make_rng::<StdRng>()).await {
                    Ok(Accepted::Account(circuit)) => {
                        let session = accounts.session(circuit.handshake_hash());
                        circuit.serve(Arc::new(session), clock, draining).await;
                    }
                    Ok(Accepted::Visitor(circuit)) => {
                        circuit.serve(Arc::new(VisitorSession::new(accounts, channels)), clock, draining).await;
                    }
                    Ok(Accepted::Channel(circuit)) => {
                        let session = channels.session(circuit.handshake_hash());
                        circuit.serve(Arc::new(session), clock, draining).await;
                    }
                    Ok(Accepted::Blob(_) | Accepted::Directory(_)) | Err(_) => {}
                }
            });
        }
    });
    dialer
}

/// Real time, for the stores have threads of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_go_on() {
    for release in RELEASES {
        let recorded = Recorded::of(release);
        let (ana, bo, cy) = (recorded.home("ana"), recorded.home("bo"), recorded.home("cy"));
        // What was under way arrives, once.
        ana.expect(&bo, "fetched, not shown").await;
        ana.expect(&bo, "not fetched yet").await;
        bo.expect(&ana, "written unseen").await;
        bo.expect(&ana, "from the outbox").await;
        cy.expect(&bo, "a letter in the inbox").await;
        ana.until("acknowledged", |engine| !engine.waits().unwrap()).await;
        assert_eq!(ana.texts("Ana"), ["buy milk", "buy bread"]);

        they_talk(&ana, &bo).await;
        ana.engine.accept("Cy").unwrap();
        they_talk(&ana, &cy).await;
        cy.engine.accept("Bo").unwrap();
        they_talk(&bo, &cy).await;
        let blocked = bo.engine.chats().unwrap().into_iter().find(|chat| chat.name == "Zoe").unwrap();
        assert_eq!((blocked.state, blocked.unshown), ("blocked", 0));

        if recorded.left.join("tablet").exists() {
            // Whose other device has heard nothing of this.
            let tablet = recorded.home("tablet");
            has(&tablet, &bo.account(), ana.history("Bo").len()).await;
            has(&tablet, &cy.account(), ana.history("Cy").len()).await;
            let profile = bo.engine.profile_of("Ana").unwrap();
            assert_eq!(profile.about, "I keep bees");
            tablet.send(&bo.account(), "from the other device").await;
            bo.expect(&ana, "from the other device").await;
            ana.until("it is here too", |_| ana.texts("Bo").iter().any(|text| text == "from the other device")).await;
            assert_eq!(tablet.history("Bo"), ana.history("Bo"));
        }

        if !ana.engine.groups().unwrap().is_empty() {
            cy.engine.group_accept("Bees").await.unwrap();
            cy.send("Bees", "so has Cy").await;
            for home in [&ana, &bo] {
                home.expect(&cy, "so has Cy").await;
                assert_eq!(home.texts("Bees"), ["Bo has bees", "so has Cy"]);
            }
        }

        // Whoever is new gets to know them, and is got to know.
        let dan = recorded.newcomer("Dan").await;
        befriend(&dan, &ana).await;
        befriend(&bo, &dan).await;

        let (ana, bo) = (ana.reopen().await, bo.reopen().await);
        they_talk(&bo, &ana).await;
        for home in [&ana, &bo, &cy, &dan] {
            assert!(home.take_new().is_none());
            assert!(home.engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none()));
        }
    }
}

/// Both ways, and by turns.
async fn they_talk(one: &Home, other: &Home) {
    for turn in ["one", "two"] {
        one.send(&other.account(), turn).await;
        other.expect(one, turn).await;
        other.send(&one.account(), turn).await;
        one.expect(other, turn).await;
    }
    assert_same_history(one, other);
}
