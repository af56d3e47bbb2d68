//! The service's end of the operator's socket. Its folder lets nobody in but its owner; what he sends is still held
//! against limits, since a script of his may be wrong.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    desk::Desk,
    protocol::{REQUEST_BYTES_MAX, Reply, Request, read_line, write_line},
};
use crate::{
    failure::{Failure, Kind},
    serve::DataFolder,
};

/// Operators at once; more wait in the system's queue.
const OPERATORS_MAX: usize = 16;
/// A program asks at once.
const ASK: Duration = Duration::from_secs(5);
/// And reads at once.
const ATTEND: Duration = Duration::from_secs(60);
/// After a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens, in place of whoever served this folder before.
pub fn listen(folder: &DataFolder) -> Result<UnixListener, Failure> {
    folder.remove_socket();
    let listener = UnixListener::bind(folder.socket()).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            let message = "the path of the data folder is too long for a socket in it: choose a shorter one";
            Failure::new(Kind::Usage, message)
        }
        _ => failed(&error),
    })?;
    // Until now the folder alone has kept others out.
    fs::set_permissions(folder.socket(), Permissions::from_mode(0o600)).map_err(|error| failed(&error))?;
    Ok(listener)
}

fn failed(error: &io::Error) -> Failure {
    Failure::io("the operator's socket cannot be opened", error)
}

/// Answers operators until the service goes away.
pub async fn serve(listener: UnixListener, desk: Desk, mut draining: watch::Receiver<bool>) {
    let desk = Arc::new(desk);
    let mut operators = JoinSet::new();
    loop {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => break,
            accepted = listener.accept(), if operators.len() < OPERATORS_MAX => match accepted {
                Ok((stream, _)) => {
                    operators.spawn(attend(stream, desk.clone()));
                }
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "the system gives no connection for an operator");
                    sleep(PAUSE).await;
                }
            },
            Some(_) = operators.join_next() => {}
        }
    }
    drop(listener);
    operators.shutdown().await;
}

async fn attend(stream: UnixStream, desk: Arc<Desk>) {
    let (reader, writer) = stream.into_split();
    match timeout(ATTEND, answer(BufReader::new(reader), writer, &desk)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(kind = ?error.kind(), "an operator went away"),
        Err(_) => tracing::debug!("an operator did not read his answer"),
    }
}

async fn answer(
    mut reader: BufReader<impl AsyncRead + Unpin>,
    mut writer: impl AsyncWrite + Unpin,
    desk: &Desk,
) -> io::Result<()> {
    let asked = match timeout(ASK, read_line(&mut reader, REQUEST_BYTES_MAX)).await {
        Ok(Ok(Some(line))) => Request::parse(&line),
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(format!("a question has at most {REQUEST_BYTES_MAX} bytes"))
        }
        Ok(Err(error)) => return Err(error),
        Err(_) => Err("nothing was asked in time".to_owned()),
    };
    let answered = match asked {
        Ok(ask) => desk.answer(&ask).await,
        Err(why) => Err(why),
    };
    let last = match answered {
        Ok(lines) => {
            for line in lines {
                write_line(&mut writer, &Reply::Line(line)).await?;
            }
            Reply::Done
        }
        Err(why) => Reply::Failed(why),
    };
    write_line(&mut writer, &last).await
}
