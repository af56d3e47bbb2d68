//! The service as a process: its data folder, its listener, its signals. What it answers is decided in
//! `undertone-service`.
//!
//! ```text
//!   TCP ──► listener ──► gate (limits) ──► circuits ──► sessions of the two planes ──► SQLite
//!           accepts      who may come,     handshake,
//!                        how often         by kind
//! ```
//!
//! Addresses end at the gate: what lies behind it is handed a tunnel and a pass that names nobody. In the data folder:
//!
//! ```text
//!   service.keys             what the link pins; without it no client comes back         keys.rs
//!   service.parameters       which list of public parameters was shown last              parameters.rs
//!   accounts.db, channels.db the two planes, one file each                               planes.rs
//!   blobs.db                 what is too large for their logs                            planes.rs
//!   admin.sock               the operator's way in while the service runs                ../admin/
//! ```

mod circuits;
mod codes;
mod directory;
mod expiry;
mod folder;
mod gate;
mod keys;
mod limits;
mod listener;
mod parameters;
mod planes;

use std::{net::SocketAddr, path::PathBuf, pin::pin, sync::Arc};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rustix::fs::Mode;
use tokio::{net::TcpListener, sync::watch};
use undertone_service::{Issuer, Registration};
use undertone_wire::{
    limits::TOKEN_BATCHES_A_WEEK,
    link::{Link, Pin, Scheme},
};

pub use self::{
    circuits::{Circuits, OpenCircuits},
    folder::DataFolder,
    keys::Keys,
    planes::{Planes, Rules},
};
use self::{codes::CodesBy, listener::Listener};
use crate::{
    admin,
    clock::now,
    failure::{Failure, Kind},
    output, signals,
};

/// What blobs may take up unless the operator says otherwise: a fifth of the smallest disk that is rented out.
const BLOB_BYTES: u64 = 4 << 30;

/// The service's arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the service's keys and databases; it is made if need be
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Who may make an account
    #[arg(long, value_enum, default_value_t = Registering::Invite)]
    registration: Registering,
    /// How many batches of tokens an account may have in a week
    #[arg(long, value_name = "N", default_value_t = TOKEN_BATCHES_A_WEEK)]
    token_batches: u32,
    /// How phone numbers and mail addresses are verified: codes go to the `console`, or to a URL, as JSON by POST; otherwise
    /// only usernames can be listed
    #[arg(long, value_name = "console|URL")]
    codes: Option<CodesBy>,
    /// How many bytes attachments may take up, all together
    #[arg(long, value_name = "BYTES", default_value_t = BLOB_BYTES)]
    blob_bytes: u64,
    /// Name under which clients reach this machine, for the link
    #[arg(long, value_name = "NAME", value_parser = domain)]
    domain: Option<String>,
}

/// Who may make an account.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Registering {
    /// Who has an invite: `undertone admin invite`
    Invite,
    /// Everyone
    Open,
}

/// Runs the service until a signal ends it.
pub async fn run(args: Args) -> anyhow::Result<()> {
    // Whatever is created from here on, databases and socket too, is closed to other users.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let lock = DataFolder::new(args.data).own()?;
    let folder = lock.folder();
    let Keys { circuit: keys, head, issuing } = Keys::load_or_create(folder, &mut rand::rng())?;
    let pin = keys.pin();
    let issuer = Issuer::new(issuing, rand::make_rng::<StdRng>()).with_budget(args.token_batches);
    let rules = Rules {
        registration: args.registration.into(),
        codes: args.codes.map(CodesBy::codes),
        blob_bytes: args.blob_bytes,
    };
    let planes = Planes::open(folder, rules, head, issuer).await?;
    let hello = parameters::hello(folder, &planes, now())?;

    let tcp = TcpListener::bind(args.listen).await.with_context(|| {
        format!("{} cannot be listened on: choose another address or port with --listen", args.listen)
    })?;
    let link = link(tcp.local_addr()?, args.domain, pin)?;
    let admin = admin::listen(folder)?;

    let circuits = Arc::new(Circuits::new(keys, planes.clone(), hello));
    let desk = admin::Desk::new(planes.clone(), Some(circuits.clone()));
    let (drain, draining) = watch::channel(false);
    let work = async {
        tokio::join!(
            Listener::new(tcp, circuits.clone()).run(draining.clone()),
            admin::serve(admin, desk, draining.clone()),
            expiry::run(&planes, draining.clone()),
            directory::run(&planes, draining.clone()),
            parameters::run(folder, &planes, &circuits, draining.clone()),
        )
    };
    until_ended(work, &drain, &link.to_text()).await?;
    drop(circuits);
    planes.close().await;
    lock.folder().remove_socket();
    Ok(())
}

/// Works until the first signal, and then until all is done or the second one comes.
async fn until_ended<T>(work: impl Future<Output = T>, drain: &watch::Sender<bool>, link: &str) -> Result<(), Failure> {
    let mut work = pin!(work);
    tokio::select! {
        // First, so that nobody who has read `ready` can send a signal that is not handled yet.
        biased;
        () = signals::ended() => {}
        failed = async {
            match output::print(&format!("ready {link}")) {
                Ok(()) => {
                    (&mut work).await;
                    Failure::new(Kind::Failed, "the service stopped by itself")
                }
                Err(failure) => failure,
            }
        } => return Err(failed),
    }
    tracing::info!("going away");
    drain.send_replace(true);
    tokio::select! {
        biased;
        () = signals::ended() => Err(Failure::new(Kind::Failed, "ended before all circuits were closed")),
        _ = &mut work => Ok(()),
    }
}

/// What friends need to reach this service, and to know it.
fn link(listening: SocketAddr, domain: Option<String>, pin: Pin) -> Result<Link, Failure> {
    let endpoint = match domain {
        Some(name) => format!("{name}:{}", listening.port()),
        None if listening.ip().is_unspecified() => {
            output::note("the link works on this machine alone; name the machine for others with --domain NAME");
            format!("localhost:{}", listening.port())
        }
        None => listening.to_string(),
    };
    let link = Link { scheme: Scheme::Tcp, endpoint, pin, account: None };
    match Link::parse(&link.to_text()) {
        Ok(parsed) if parsed == link => Ok(link),
        _ => Err(Failure::new(Kind::Usage, "no link can be made of this --domain: give the bare name of a machine")),
    }
}

/// A name as it stands in a link.
fn domain(name: &str) -> Result<String, String> {
    let label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let ipv6 = address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    if ipv6 || (!name.is_empty() && name.chars().all(label)) {
        return Ok(name.to_owned());
    }
    Err("a name has letters, digits, hyphens and dots; other scripts are written in their xn-- form".to_owned())
}

/// Ends once the service goes away.
async fn going_away(mut draining: watch::Receiver<bool>) {
    // Without its sender the service is gone already.
    let _ = draining.wait_for(|draining| *draining).await;
}

impl From<Registering> for Registration {
    fn from(registering: Registering) -> Self {
        match registering {
            Registering::Invite => Self::Invite,
            Registering::Open => Self::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(listening: &str, domain: Option<&str>) -> Option<String> {
        let link = link(listening.parse().unwrap(), domain.map(str::to_owned), Pin::new([1; 32]));
        link.ok().map(|link| link.endpoint)
    }

    #[test]
    fn the_link_names_a_machine() {
        let named = |text: &str| Some(text.to_owned());
        assert_eq!(endpoint("127.0.0.1:4433", None), named("127.0.0.1:4433"));
        assert_eq!(endpoint("[::1]:4433", None), named("[::1]:4433"));
        assert_eq!(endpoint("0.0.0.0:4433", None), named("localhost:4433"));
        assert_eq!(endpoint("0.0.0.0:4433", Some("chat.example")), named("chat.example:4433"));
        assert_eq!(endpoint("[::]:4433", Some("[2001:db8::1]")), named("[2001:db8::1]:4433"));
    }

    #[test]
    fn a_domain_is_a_bare_name() {
        for name in ["localhost", "chat.example", "xn--bcher-kva.example", "192.0.2.1", "[2001:db8::1]"] {
            assert!(domain(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "a\nb", "a#b", "a/b", "https://a", "a:1", "2001:db8::1", "[a]", "bücher.example"] {
            assert!(domain(name).is_err(), "{name}");
        }
    }
}
