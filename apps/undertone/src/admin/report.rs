//! Letters that their recipients have reported: a file with one `objects.Report` a line, in base64url.
//!
//! A letter is signed by its sender's device together with its recipient, and the sender's device list, which comes with it,
//! proves his account id. So nobody can report what was not written, and no service has to be believed.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use data_encoding::BASE64URL_NOPAD;
use undertone_credentials::{CredentialError, DeviceList, verify_letter};
use undertone_wire::{
    AccountId, Message as _,
    content::{Content, Letter, content},
    ladder, objects,
};

use super::line::{Report, Said};
use crate::{
    failure::{Failure, Kind},
    output,
};

/// All letters that an inbox holds would be more; nobody reads so many.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Reads and checks a file of reports. One that does not check makes the whole file worth nothing.
pub fn check(file: &Path) -> Result<Vec<Report>, Failure> {
    let text = read(file).map_err(|error| Failure::io("the report cannot be read", &error))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let reports = lines.map(|line| check_one(line).ok_or_else(not_believed)).collect::<Result<Vec<_>, _>>()?;
    if reports.is_empty() { Err(not_believed()) } else { Ok(reports) }
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    match file.as_os_str() == "-" {
        true => io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)?,
        false => File::open(file)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?,
    };
    Ok(text)
}

fn not_believed() -> Failure {
    Failure::new(Kind::Refused, "this proves nothing: it is no report of this release, or was not written as it says")
}

fn check_one(line: &str) -> Option<Report> {
    let report = objects::Report::decode(&BASE64URL_NOPAD.decode(line.as_bytes()).ok()?[..]).ok()?;
    let (sender, recipient) = verify(&report).ok()?;
    let letter = Letter::decode(report.letter).ok()?;
    Some(Report {
        from: sender.account().to_hex(),
        device: report.device,
        to: recipient.to_hex(),
        name: letter.invitation.map(|invitation| invitation.name),
        messages: letter.contents.iter().map(|content| said(content)).collect(),
    })
}

fn verify(report: &objects::Report) -> Result<(DeviceList, AccountId), CredentialError> {
    if report.version != ladder::OBJECTS {
        return Err(CredentialError::Newer);
    }
    let recipient = AccountId::try_from(&report.recipient[..]).map_err(|_| CredentialError::Malformed)?;
    let sender = DeviceList::verify(&report.device_list)?;
    verify_letter(&sender, report.device, recipient, &report.letter, &report.signature)?;
    Ok((sender, recipient))
}

/// What a message of the letter says; one that does not parse says nothing, but stands there.
fn said(content: &[u8]) -> Said {
    let content = Content::decode(content).unwrap_or_default();
    let body = match content.kind {
        Some(content::Kind::Text(text)) => Some(text.body),
        _ => None,
    };
    Said { sent_at: output::rfc3339(content.sent_at_ms), body }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use undertone_credentials::{Device, DeviceKey, IdentityKey, RecoveryKey, sign_letter};
    use undertone_wire::content::{Invitation, Text};

    use super::*;

    const RECIPIENT: AccountId = AccountId::new([7; 16]);

    fn report(text: &str) -> objects::Report {
        let (identity, device) = (IdentityKey::from_seed(&[1; 32]), DeviceKey::from_seed(&[2; 32]));
        let devices = vec![Device { number: 1, key: device.public(), features: vec![] }];
        let recovery = RecoveryKey::from_seed(&[3; 32]).public();
        let list = DeviceList::first(&recovery, &identity, devices).ok().unwrap();
        let kind = Some(content::Kind::Text(Text { body: text.to_owned() }));
        let content = Content { sent_at_ms: 1_795_341_522_045, kind, ..Content::default() };
        let letter = Letter {
            invitation: Some(Invitation { name: "mallory".into(), ..Invitation::default() }),
            contents: vec![content.encode_to_vec().into()],
            ..Letter::default()
        };
        let letter = letter.encode_to_vec();
        objects::Report {
            version: ladder::OBJECTS,
            recipient: RECIPIENT.into(),
            device_list: list.encoded().clone(),
            device: 1,
            signature: sign_letter(&device, RECIPIENT, &letter).to_vec().into(),
            letter: letter.into(),
        }
    }

    fn checked(reports: &[objects::Report]) -> Result<Vec<Report>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report");
        let lines = reports.iter().map(|report| BASE64URL_NOPAD.encode(&report.encode_to_vec()) + "\n");
        fs::write(&file, lines.collect::<String>()).unwrap();
        check(&file)
    }

    #[test]
    fn a_report_tells_who_wrote_what_and_when() {
        let reports = checked(&[report("pay me"), report("now")]).unwrap();
        let [first, second] = &reports[..] else { panic!("two reports") };
        assert_eq!(first.from.len(), 32);
        assert_eq!((&first.from, first.to.as_str()), (&second.from, RECIPIENT.to_hex().as_str()));
        assert_eq!((first.device, first.name.as_deref()), (1, Some("mallory")));
        let [Said { sent_at, body }] = &first.messages[..] else { panic!("one message") };
        assert_eq!((sent_at.as_str(), body.as_deref()), ("2026-11-22T09:58:42.045Z", Some("pay me")));
    }

    #[test]
    fn what_was_not_written_so_proves_nothing() {
        let changed = |change: fn(&mut objects::Report)| {
            let mut report = report("pay me");
            change(&mut report);
            checked(&[report]).err().map(|failure| failure.exit_code())
        };
        assert_eq!(changed(|_| ()), None);
        assert_eq!(changed(|report| report.letter = b"hello".to_vec().into()), Some(4));
        assert_eq!(changed(|report| report.recipient = vec![8; 16].into()), Some(4));
        assert_eq!(changed(|report| report.device = 2), Some(4));
        assert_eq!(changed(|report| report.device_list = vec![1, 2].into()), Some(4));
        assert_eq!(changed(|report| report.version = 2), Some(4));
        assert_eq!(checked(&[]).err().map(|failure| failure.exit_code()), Some(4));
        let nowhere = check(Path::new("/nowhere/report")).err().map(|failure| failure.exit_code());
        assert_eq!(nowhere, Some(1));
    }
}
