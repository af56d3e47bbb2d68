//! How a service starts, and how it ends.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::process::Signal;
use tokio::net::TcpStream;
use undertone_circuit::Ending;
use undertone_wire::{account::Account, channel::Channel, circuit::Code};

use crate::process::{Data, Service, channel, run, soon};

#[tokio::test]
async fn a_service_keeps_its_files_to_itself_and_leaves_them_whole() {
    let data = Data::new();
    let service = Service::start(&data).await;
    assert!(service.text.starts_with("undertone:127.0.0.1:") && service.link.account.is_none());
    service.must_serve().await;
    let mode = |name: &str| fs::metadata(data.path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["service.keys", "accounts.db", "channels.db", "blobs.db", "admin.sock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    service.terminate().await;
    let mut left: Vec<_> = fs::read_dir(&data.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["accounts.db", "blobs.db", "channels.db", "service.keys", "service.parameters"],
        "a log was left, or the socket"
    );
}

#[tokio::test]
async fn a_second_service_on_the_same_data_is_refused() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let path = data.path.to_str().unwrap();
    let second = run(["serve", "--listen", "127.0.0.1:0", "--data", path]).await;
    assert_eq!((second.code, second.stdout.as_str()), (Some(1), ""));
    assert!(second.stderr.contains("another process serves"), "{}", second.stderr);
    service.must_serve().await;
    service.terminate().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_said() {
    let data = Data::new();
    let path = data.path.to_str().unwrap();
    let service = Service::start(&data).await;
    let other = Data::new();
    let other = other.path.to_str().unwrap();
    let taken = run(["serve", "--listen", service.endpoint(), "--data", other]).await;
    assert_eq!(taken.code, Some(1));
    assert!(taken.stderr.contains("--listen"), "{}", taken.stderr);
    service.terminate().await;

    fs::write(data.path.join("accounts.db"), vec![b'x'; 8_192]).unwrap();
    let damaged = run(["serve", "--listen", "127.0.0.1:0", "--data", path]).await;
    assert_eq!(damaged.code, Some(1));
    assert!(damaged.stderr.contains("accounts.db") && damaged.stderr.contains("backup"), "{}", damaged.stderr);

    fs::remove_file(data.path.join("service.keys")).unwrap();
    let keyless = run(["serve", "--listen", "127.0.0.1:0", "--data", path]).await;
    assert_eq!(keyless.code, Some(1));
    assert!(keyless.stderr.contains("service.keys is missing"), "{}", keyless.stderr);

    for arguments in [
        &["serve", "--data", path][..],
        &["serve", "--data", path, "--listen", "localhost"],
        &["serve", "--data", path, "--listen", "127.0.0.1:0", "--registration", "phone"],
        &["serve", "--data", path, "--listen", "127.0.0.1:0", "--domain", "https://chat.example"],
    ] {
        assert_eq!(run(arguments).await.code, Some(2));
    }
}

#[tokio::test]
async fn a_killed_service_comes_back_under_its_link() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let (text, endpoint) = (service.text.clone(), service.endpoint().to_owned());
    let made = channel([7; 16]);
    assert!(service.create_channel(&made).await.is_none());
    service.kill().await;
    for _ in 0..3 {
        let service = Service::listen(&data, &endpoint).await;
        assert_eq!(service.text, text);
        assert!(service.create_channel(&made).await.is_none(), "what was acknowledged is there");
        assert!(service.create_channel(&channel([7; 16])).await == Some(Code::Conflict));
        service.kill().await;
    }
}

#[tokio::test]
async fn a_service_that_goes_away_tells_its_circuits() {
    let data = Data::new();
    for signal in [Signal::TERM, Signal::INT] {
        let service = Service::start(&data).await;
        let account = soon(service.connect::<Account>()).await.unwrap();
        let channel = soon(service.connect::<Channel>()).await.unwrap();
        service.signal(signal);
        assert_eq!((soon(account.closed()).await, soon(channel.closed()).await), (Ending::Drained, Ending::Drained));
        let (status, ..) = service.ended().await;
        assert!(status.success());
    }
}

/// The client's runtime stands still, so that its circuit never answers the service's farewell.
#[test]
fn a_second_signal_ends_it_at_once() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, test) = (runtime(), runtime());
    let data = Data::new();
    let service = test.block_on(Service::start(&data));
    let circuit = client.block_on(service.connect::<Channel>()).unwrap();
    service.signal(Signal::TERM);
    test.block_on(soon(async {
        // Once nobody listens any more, the first signal was heard.
        while TcpStream::connect(service.endpoint()).await.is_ok() {}
    }));
    service.signal(Signal::TERM);
    let (status, _, stderr) = test.block_on(service.ended());
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("before all circuits were closed"), "{stderr}");
    drop(circuit);
}
