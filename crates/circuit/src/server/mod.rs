//! The service's end of circuits. It listens nowhere and knows no address: it is handed tunnels.

mod accept;
mod pushing;
mod running;
mod serve;

pub use accept::{Accepted, Incoming, ServerHello, accept};
