//! How codes reach those whose identifiers are to be verified: by this terminal, or by the operator's own gateway.

use std::{pin::Pin, str::FromStr, time::Duration};

use rand::rngs::StdRng;
use serde::Serialize;
use tokio::task::spawn_blocking;
use undertone_service::{CodeSender, Codes};
use undertone_wire::Identifier;

use crate::output;

/// A gateway that has not taken a code by then is down.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where codes go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CodesBy {
    /// To whoever runs the service, who tells them himself.
    Console,
    /// To this URL.
    Webhook(String),
}

impl CodesBy {
    /// What sends them.
    pub fn codes(self) -> Codes {
        let sender: Box<dyn CodeSender> = match self {
            Self::Console => Box::new(Console),
            Self::Webhook(url) => Box::new(Webhook { url }),
        };
        Codes::new(sender, rand::make_rng::<StdRng>())
    }
}

impl FromStr for CodesBy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "console" {
            return Ok(Self::Console);
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Self::Webhook(text.to_owned()));
        }
        Err("codes go to the `console`, or to a URL that begins with https:// or http://")
    }
}

struct Console;

impl CodeSender for Console {
    fn send<'a>(&'a self, to: &'a Identifier, code: &'a str) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        // This is what the operator has asked for, on the terminal and never in the log.
        output::note(&format!("code for {}: {code}", to.text()));
        Box::pin(std::future::ready(true))
    }
}

struct Webhook {
    url: String,
}

/// What the gateway gets, as JSON.
#[derive(Serialize)]
struct Message<'a> {
    kind: &'static str,
    identifier: &'a str,
    code: &'a str,
}

impl CodeSender for Webhook {
    fn send<'a>(&'a self, to: &'a Identifier, code: &'a str) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let kind = match to {
            Identifier::Phone(_) => "phone",
            Identifier::Email(_) => "email",
            Identifier::Username(_) => "username",
        };
        let message = serde_json::to_string(&Message { kind, identifier: to.text(), code }).unwrap_or_default();
        let url = self.url.clone();
        Box::pin(async move {
            match spawn_blocking(move || post(&url, &message)).await {
                Ok(Ok(())) => true,
                Ok(Err(why)) => {
                    tracing::error!(why, "the gateway for codes has not taken one");
                    false
                }
                Err(_) => false,
            }
        })
    }
}

/// Why it failed, without a word of what was posted, or where.
fn post(url: &str, message: &str) -> Result<(), &'static str> {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).build();
    let sent = ureq::Agent::new_with_config(config).post(url).content_type("application/json").send(message);
    match sent {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(_) => Err("it redirects; name the place itself"),
        Err(ureq::Error::StatusCode(_)) => Err("it answers with an error"),
        Err(ureq::Error::Timeout(_)) => Err("it does not answer in time"),
        Err(ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Io(_)) => {
            Err("it cannot be reached")
        }
        Err(_) => Err("it cannot be asked: check the URL and its certificate"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_place_for_codes_is_the_console_or_a_url() {
        assert_eq!("console".parse(), Ok(CodesBy::Console));
        assert_eq!("http://127.0.0.1:9/x".parse(), Ok(CodesBy::Webhook("http://127.0.0.1:9/x".to_owned())));
        for refused in ["", "sms", "ftp://example.org", "127.0.0.1:9"] {
            assert!(refused.parse::<CodesBy>().is_err());
        }
    }

    /// A gateway for one message: gives its body, and answers with this status.
    fn gateway(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/codes", listener.local_addr().unwrap());
        let gateway = std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                    length = said.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            String::from_utf8(body).unwrap()
        });
        (url, gateway)
    }

    #[tokio::test]
    async fn a_gateway_gets_the_code_and_may_fail() {
        let ana = Identifier::phone("+41791234567").unwrap();
        let (url, got) = gateway("200 OK");
        assert!(Webhook { url }.send(&ana, "012345").await);
        assert_eq!(got.join().unwrap(), r#"{"kind":"phone","identifier":"+41791234567","code":"012345"}"#);
        for status in ["500 Internal Server Error", "302 Found"] {
            let (url, got) = gateway(status);
            assert!(!Webhook { url }.send(&ana, "012345").await, "{status}");
            got.join().unwrap();
        }
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(!Webhook { url: format!("http://{nobody}/") }.send(&ana, "012345").await);
    }
}
