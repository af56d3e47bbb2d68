use std::{
    io::{Read, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
};

use super::Chance;

/// A connection that is cut is so after this many bytes, at most: from the middle of a handshake to some pages later.
const BYTES_MAX: usize = 200_000;
/// Bytes that pass at once.
const CHUNK_BYTES: usize = 4_096;

/// A bad way to a service: in bad times every other connection through it is cut, somewhere.
pub struct Proxy {
    address: SocketAddr,
    bad: Arc<AtomicBool>,
}

impl Proxy {
    /// A way to whoever listens at this address, now or later. What is cut, chance chooses.
    pub fn to(service: SocketAddr, chance: Chance) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, bad) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (chance, cuts) = (Mutex::new(chance), bad.clone());
        // Both end with the story's process; a connection that fails is one more that was cut.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut chance = chance.lock().unwrap();
                let cut = chance.below(2) == 0;
                let bytes = if cut { chance.below(BYTES_MAX) as i64 } else { i64::MAX };
                if let Ok(service) = TcpStream::connect(service) {
                    let left = Arc::new(AtomicI64::new(bytes));
                    pump(&client, &service, &left, &cuts);
                    pump(&service, &client, &left, &cuts);
                }
            }
        });
        Self { address, bad }
    }

    /// Where it is entered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins or ends bad times.
    pub fn set_bad(&self, bad: bool) {
        self.bad.store(bad, Ordering::Relaxed);
    }
}

fn pump(from: &TcpStream, to: &TcpStream, left: &Arc<AtomicI64>, cuts: &Arc<AtomicBool>) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (left, cuts) = (left.clone(), cuts.clone());
    thread::spawn(move || {
        let mut chunk = [0; CHUNK_BYTES];
        while let Ok(bytes @ 1..) = from.read(&mut chunk) {
            let is_cut = left.fetch_sub(bytes as i64, Ordering::Relaxed) < bytes as i64 && cuts.load(Ordering::Relaxed);
            if is_cut || to.write_all(&chunk[..bytes]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
