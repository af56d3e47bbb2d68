//! `profile`: from what was typed to what is said, with the image read here.

use std::{fs::File, io::Read as _, path::Path};

use data_encoding::BASE64;
use undertone_wire::limits::AVATAR_BYTES_MAX;

use crate::{
    cli,
    command::{Command, Said},
    failure::{Failure, Kind},
};

/// To show a profile, or to change one's own.
pub fn command(profile: cli::Profile) -> Result<Command, Failure> {
    let cli::Profile { who, name, about, avatar, clear } = profile;
    let shows = name.is_none() && about.is_none() && avatar.is_none() && !clear;
    if shows {
        return Ok(Command::Profile { who });
    }
    let avatar = avatar.map(|file| read(&file)).transpose()?;
    Ok(Command::SetProfile(Said { name, about, avatar: avatar.map(|bytes| BASE64.encode(&bytes)), clear }))
}

/// An image, as long as it is not too large: then the home says so.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = AVATAR_BYTES_MAX as u64 + 1;
    File::open(file)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Failure::io("the image cannot be read", &error))?;
    if bytes.len() > AVATAR_BYTES_MAX {
        let message = format!("an image can have {AVATAR_BYTES_MAX} bytes, and this one has more; make it smaller");
        return Err(Failure::new(Kind::Usage, message));
    }
    Ok(bytes)
}
