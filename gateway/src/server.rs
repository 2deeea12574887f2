//! Connections: taken, served, and brought to an end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::{App, router};

/// Request line and headers together.
const HEADER_OCTETS: usize = 64 << 10;
/// After the last answer is ready: how long it may take to reach the caller.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves until `shutdown`. From then on `/readyz` is false and nothing new is recorded, while what is under way is finished;
/// only then nobody is let in any more.
pub async fn serve(listener: TcpListener, app: Arc<App>, shutdown: CancellationToken) {
    let router = router(Arc::clone(&app));
    let sockets = Arc::new(Semaphore::new(app.limits.sockets));
    let leave = CancellationToken::new();
    let mut connections = JoinSet::new();
    let drained = async {
        shutdown.cancelled().await;
        app.drain().await;
    };
    tokio::pin!(drained);
    loop {
        tokio::select! {
            () = &mut drained => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &sockets) => {
                let Some((stream, socket)) = accepted else { continue };
                let (router, leave, header_time) = (router.clone(), leave.clone(), app.limits.header_time);
                connections.spawn(async move {
                    converse(stream, router, header_time, leave).await;
                    drop(socket);
                });
            }
        }
    }
    drop(listener);
    leave.cancel();
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, ended).await.is_err() {
        tracing::debug!("a caller did not take his answer");
    }
}

/// The next caller, as soon as there is room for one.
async fn accept(listener: &TcpListener, sockets: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let socket = Arc::clone(sockets).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, socket)),
        Err(error) => {
            // Out of file descriptors, most likely: it passes when callers leave.
            tracing::debug!(%error, "a caller could not be let in");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn converse(stream: TcpStream, router: Router, header_time: Duration, leave: CancellationToken) {
    // Answers are small and whole.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .max_buf_size(HEADER_OCTETS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = leave.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}
