use undertone_wire::link::{Link, Scheme};

use super::opening;
use crate::{
    cli::{Options, Register},
    failure::{Failure, Kind},
    home::Opening,
    output::{self, Line},
    signals,
};

/// Makes an account in a new home. The words that come of it are shown here, and never pass through a socket: so this
/// waits for the home's lock instead of being anybody's guest.
pub async fn register(options: &Options, args: &Register) -> Result<(), Failure> {
    reachable(&args.service)?;
    let opening = opening(options)?;
    tokio::select! {
        result = make_account(&opening, args) => result,
        () = signals::ended() => Err(Failure::interrupted()),
    }
}

/// That a link leads to a service in a way that this release knows.
pub fn reachable(link: &str) -> Result<(), Failure> {
    let link = Link::parse(link).map_err(|error| Failure::new(Kind::Usage, error.to_string()))?;
    if link.scheme == Scheme::Https {
        let message = "this release reaches services by `undertone:` links only; ask the operator for one";
        return Err(Failure::new(Kind::Usage, message));
    }
    Ok(())
}

async fn make_account(opening: &Opening, args: &Register) -> Result<(), Failure> {
    opening.folder.prepare()?;
    let _lock = opening.lock().await?;
    let engine = opening.engine()?;
    let registered = engine.register(&args.service, args.invite.as_deref(), &args.name).await?;
    output::print(&Line::from(registered).render(opening.json))
}
