//! Serves the API: bounds on connections and times, nothing of what is said.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::error::UserError;

/// How many connections are open at most.
const CONNECTIONS_MAX: usize = 256;
/// A request line and its headers arrive within this time.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// A request is answered within this time, its body's arrival included; longer than a compilation may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Pause after a failed accept, as at the bound of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens for the API.
///
/// # Errors
/// The address is in use.
pub(super) fn listen(address: SocketAddr) -> Result<std::net::TcpListener, UserError> {
    let listener = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|error| {
        UserError::outside(format!("cannot listen on {address} for HTTP")).because(error).help(format!(
            "`ss -lntp 'sport = :{}'` shows what listens there; stop it, or set another `http`",
            address.port()
        ))
    })
}

/// Answers requests until the program ends.
pub(super) async fn serve(listener: std::net::TcpListener, api: Router) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let api = api.layer(middleware::from_fn(in_time));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let api = api.clone();
                tokio::spawn(async move {
                    if let Err(error) = connection(stream, api).await {
                        debug!(%peer, %error, "HTTP connection ended");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, api: Router) -> Result<(), hyper::Error> {
    let service = TowerToHyperService::new(api);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let what = "the request took too long";
            let body =
                json!({ "error": { "code": "CW-0307", "what": what, "cause": [], "hint": "try again" } });
            (StatusCode::REQUEST_TIMEOUT, Json(body)).into_response()
        }
    }
}
