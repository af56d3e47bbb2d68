//! What an idle circuit costs the service in memory: opens many over loopback from another process, once fresh and
//! once after each has carried a request, and prints the growth of this process. Linux only.
//!
//! ```text
//! cargo run --release -p undertone-circuit --example idle -- 2000
//! ```

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    env,
    error::Error,
    fs,
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use tokio::{net::TcpListener, sync::watch, time::sleep};
use undertone_circuit::{Accepted, Circuit, ServerHello, ServiceKeys, TcpDialer, accept};
use undertone_wire::{
    Now,
    channel::{Channel, OpenRequest, Opening},
    circuit::Fault,
    rpc::{Answer, Dispatch, OpenPushes},
};

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let args: Vec<_> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["clients", endpoint, count] => clients(endpoint, count.parse()?).await,
        [count] => service(count.parse()?).await,
        _ => Err("usage: idle COUNT".into()),
    }
}

fn keys() -> ServiceKeys {
    ServiceKeys::generate(&mut ChaCha20Rng::seed_from_u64(0))
}

/// Answers everything with nothing.
struct Desk;

impl Dispatch<Channel> for Desk {
    async fn dispatch(&self, _: Now, _: u32, _: Bytes, _: OpenPushes) -> Result<Answer, Fault> {
        Ok(Answer::Reply(Bytes::new()))
    }
}

async fn service(count: u64) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = listener.local_addr()?.to_string();
    let (open, keys) = (Arc::new(AtomicU64::new(0)), Arc::new(keys()));
    let drain = watch::Sender::new(false);
    let (before, cpu) = (resident_kib()?, cpu_ticks()?);
    let mut others = Command::new(env::current_exe()?)
        .args(["clients", &endpoint, &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let accepting = async {
        while let Ok((tunnel, _)) = listener.accept().await {
            let (open, keys, drain) = (open.clone(), keys.clone(), drain.subscribe());
            tokio::spawn(async move {
                let mut rng = ChaCha20Rng::seed_from_u64(open.load(Ordering::Relaxed));
                let hello = ServerHello::default();
                if let Ok(Accepted::Channel(circuit)) = accept(tunnel, &keys, &hello, &mut rng).await {
                    open.fetch_add(1, Ordering::Relaxed);
                    circuit.serve(Arc::new(Desk), || Now(0), drain).await;
                }
            });
        }
    };
    let measuring = async {
        while open.load(Ordering::Relaxed) < count {
            sleep(Duration::from_millis(20)).await;
        }
        let spent = cpu_ticks()? - cpu;
        println!("new: {:.1} KiB a circuit", per(resident_kib()? - before, count));
        println!("CPU of the service: {:.0} us a connection", per(spent * 10_000, count));
        others.stdin.take().ok_or("no pipe")?.write_all(b"go")?;
        // The clients have written when all were answered.
        let mut told = [0; 1];
        let mut from = others.stdout.take().ok_or("no pipe")?;
        tokio::task::spawn_blocking(move || from.read_exact(&mut told)).await??;
        println!("after traffic: {:.1} KiB a circuit", per(resident_kib()? - before, count));
        Outcome::Ok(())
    };
    let outcome = tokio::select! { outcome = measuring => outcome, () = accepting => Err("cannot listen".into()) };
    others.kill()?;
    others.wait()?;
    outcome
}

async fn clients(endpoint: &str, count: u64) -> Outcome {
    let (dialer, keys) = (TcpDialer::new(endpoint), keys());
    let mut circuits = Vec::new();
    for seed in 0..count {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        circuits.push(Circuit::<Channel>::connect(&dialer, &keys.pin(), Some(keys.public()), &mut rng).await?);
    }
    let mut go = [0; 2];
    tokio::task::spawn_blocking(move || std::io::stdin().read_exact(&mut go)).await??;
    for circuit in &circuits {
        let opening = Opening { read_signature: vec![1; 64].into(), ..Opening::default() };
        circuit.call(OpenRequest { openings: vec![opening; 300] }).await?;
    }
    print!("!");
    std::io::stdout().flush()?;
    std::future::pending().await
}

fn per(total: u64, count: u64) -> f64 {
    total as f64 / count as f64
}

/// Resident memory of this process.
fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
}

/// CPU time of this process, in hundredths of a second.
fn cpu_ticks() -> Result<u64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().collect();
    let field = |at: usize| -> Result<u64, Box<dyn Error>> { Ok(fields.get(at).ok_or("no field")?.parse()?) };
    Ok(field(11)? + field(12)?)
}
