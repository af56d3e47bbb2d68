//! Whatever bytes come, the service goes on serving others.

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::process::{Data, Service, admin, soon};

/// A preamble's beginning: length of the rest, version, type.
const KEY_REQUEST: [u8; 4] = [0, 2, 1, 1];
const HANDSHAKE_1: [u8; 4] = [9, 18, 1, 3];

/// Says something, and waits until the service hangs up.
async fn say(service: &Service, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(service.endpoint()).await.unwrap();
    // The service may have heard enough before all is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn hostile_bytes_leave_it_serving() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let mut rng = StdRng::seed_from_u64(1);
    for length in [0, 1, 2, 3, 4, 5, 100, 2_324, 2_325, 10_000, 1 << 20] {
        let mut garbage = vec![0; length];
        for beginning in [&[][..], &KEY_REQUEST, &HANDSHAKE_1, &[0, 2, 99, 1], &[255, 255, 1, 3]] {
            rng.fill_bytes(&mut garbage);
            soon(say(&service, &[beginning, &garbage].concat())).await;
        }
    }
    let keys = soon(say(&service, &KEY_REQUEST)).await;
    assert_eq!(keys.len(), 4 + 32 + 1_184, "who asks for the keys gets them");
    service.must_serve().await;
    service.terminate().await;
}

#[tokio::test]
async fn half_open_handshakes_leave_room_for_others() {
    let data = Data::new();
    let service = Service::start(&data).await;
    let mut half_open = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(service.endpoint()).await.unwrap();
        let beginning = [&[][..], &[0], &KEY_REQUEST, &HANDSHAKE_1][n % 4];
        stream.write_all(beginning).await.unwrap();
        half_open.push(stream);
    }
    service.must_serve().await;
    service.terminate().await;
}

#[tokio::test]
async fn a_thousand_quick_connections_leave_it_serving() {
    let data = Data::new();
    let service = Service::start(&data).await;
    for n in 0..1_000 {
        let stream = TcpStream::connect(service.endpoint()).await.unwrap();
        if n % 2 == 0 {
            // Closed with a reset.
            stream.set_zero_linger().unwrap();
        }
    }
    service.must_serve().await;
    let stats = admin(&data.path, &["stats", "--json"]).await.json();
    assert_eq!((&stats["circuits"]["account"], &stats["circuits"]["channel"]), (&0.into(), &0.into()));
    service.terminate().await;
}
