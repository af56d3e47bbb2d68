//! Signals that ask a process to end. Each function catches them from its call on, not only once it is waited for.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends at SIGINT or SIGTERM.
pub fn ended() -> impl Future<Output = ()> {
    first([SignalKind::interrupt(), SignalKind::terminate()])
}

/// Ends at those, or when the terminal goes away (SIGHUP): for a process that has others to end.
pub fn ended_or_hung_up() -> impl Future<Output = ()> {
    let (ended, hung_up) = (ended(), first([SignalKind::hangup()]));
    async {
        tokio::select! {
            () = ended => {}
            () = hung_up => {}
        }
    }
}

fn first<const N: usize>(kinds: [SignalKind; N]) -> impl Future<Output = ()> {
    let signals: io::Result<Vec<Signal>> = kinds.into_iter().map(signal).collect();
    async {
        match signals {
            Ok(mut signals) => {
                std::future::poll_fn(|context| {
                    let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
                    if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                })
                .await;
            }
            // What cannot be caught ends the process by itself.
            Err(_) => std::future::pending().await,
        }
    }
}
