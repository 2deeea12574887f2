//! A local web site, and what is worse.

use std::future::Future;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body as Sent;
use axum::http::{HeaderMap, Response, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Serves what `answer` says; the port.
pub async fn serve<F>(answer: F) -> u16
where
    F: Fn(&str, &HeaderMap) -> Response<Sent> + Clone + Send + Sync + 'static,
{
    let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        let response = answer(uri.path_and_query().map_or("/", |path| path.as_str()), &headers);
        async move { response }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    port
}

/// An answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Sent>) -> Response<Sent> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// A page.
pub fn page(body: impl Into<Sent>) -> Response<Sent> {
    answer(200, &[("content-type", "text/html; charset=utf-8")], body)
}

/// Nothing there.
pub fn missing() -> Response<Sent> {
    answer(404, &[], "no such page")
}

/// Answers each connection by hand, after its request's head has been read (and is given).
pub async fn by_hand<F, Fut>(answer: F) -> u16
where
    F: Fn(String, TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            // Nobody has written rules for it.
            if head.starts_with("GET /robots.txt") {
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
                continue;
            }
            tokio::spawn(answer(head, stream));
        }
    });
    port
}

/// Listens where nobody may come.
pub struct Canary {
    listener: TcpListener,
    /// Where.
    pub address: SocketAddr,
}

impl Canary {
    pub async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// How many connections there were: all that come before one of our own, which the queue keeps in order.
    pub async fn connections(&self) -> usize {
        let own = TcpStream::connect(self.address).await.unwrap();
        let mut others = 0;
        loop {
            let (_, peer) = self.listener.accept().await.unwrap();
            if peer == own.local_addr().unwrap() {
                return others;
            }
            others += 1;
        }
    }
}
