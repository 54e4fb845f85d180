//! The CLI's side of the API: finds the token, speaks HTTP, and hands on the switch's own errors.

use std::fmt::{Display, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::http::Response;

use crate::cli::Remote;
use crate::error::{Exit, UserError};

/// Longer than a compilation may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 64 * 1024 * 1024;
/// What helps whoever has no token that is known.
const TOKEN_HELP: &str = "set CALLWRIGHT_TOKEN, or write it to a file of mode 0600 and name that with `--token-file FILE`; \
    `callwright token new` makes one";

/// The API of one switch for the holder of one token.
pub(crate) struct Client {
    agent: Agent,
    server: String,
    token: String,
}

impl Client {
    /// Speaks to `server` with a token that is known already.
    pub(crate) fn new(server: &str, token: &str) -> Self {
        // A token goes to the switch that was named, and through nobody else.
        let config =
            Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(TIMEOUT));
        let config = config.build();
        Self {
            agent: config.into(),
            server: server.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    /// Speaks to the switch and with the token that the command line means.
    ///
    /// # Errors
    /// There is no token, its file can be read by others, or what is named is no URL.
    pub(crate) fn of(remote: &Remote) -> Result<Self, UserError> {
        let server = &remote.server;
        if !["http://", "https://"].iter().any(|scheme| server.starts_with(scheme)) {
            return Err(UserError::wrong_use(format!("`{server}` is no URL of a switch"))
                .help(format!("write http://{server} in CALLWRIGHT_SERVER or behind `--server`")));
        }
        let token = match std::env::var("CALLWRIGHT_TOKEN") {
            Ok(token) if !token.is_empty() => token,
            Ok(_) | Err(_) => token_of_file(remote.token_file.as_deref())?,
        };
        Ok(Self::new(&remote.server, token.trim()))
    }

    /// Asks for a path under `/v1`.
    ///
    /// # Errors
    /// The switch is not there, refuses, or answers nonsense.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, UserError> {
        let sent = self.agent.get(self.url(path)).header("authorization", self.bearer()).call();
        self.answer(sent)
    }

    /// Asks for a path under `/v1` with a body.
    ///
    /// # Errors
    /// The switch is not there, refuses, or answers nonsense.
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, UserError> {
        let sent = self.agent.post(self.url(path)).header("authorization", self.bearer()).send_json(body);
        self.answer(sent)
    }

    /// Puts a document at a path under `/v1`.
    ///
    /// # Errors
    /// The switch is not there, refuses, or answers nonsense.
    pub(crate) fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, UserError> {
        let sent = self.agent.put(self.url(path)).header("authorization", self.bearer()).send_json(body);
        self.answer(sent)
    }

    /// Removes what is at a path under `/v1`.
    ///
    /// # Errors
    /// The switch is not there or refuses.
    pub(crate) fn delete(&self, path: &str) -> Result<(), UserError> {
        let sent = self.agent.delete(self.url(path)).header("authorization", self.bearer()).call();
        self.body(sent).map(drop)
    }

    /// The tenant that is meant: the one named, else the one that the token opens.
    ///
    /// # Errors
    /// As [`Client::get`]; an operator's token needs a name.
    pub(crate) fn tenant(&self, named: Option<&str>) -> Result<String, UserError> {
        #[derive(Deserialize)]
        struct Whoami {
            tenant: Option<String>,
        }
        if let Some(named) = named {
            return Ok(segment(named));
        }
        let Whoami { tenant } = self.get("/v1/token")?;
        let tenant = tenant.ok_or_else(|| {
            UserError::wrong_use("the operator's token opens every tenant")
                .help("name one with `--tenant NAME`")
        });
        Ok(segment(&tenant?))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn answer<T: DeserializeOwned>(
        &self,
        sent: Result<Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, UserError> {
        let body = self.body(sent)?;
        serde_json::from_slice(&body).map_err(|error| {
            UserError::new("CW-0202", Exit::Remote, format!("{} is no switch of this version", self.server))
                .because(error)
        })
    }

    /// The body of an answer that says yes.
    fn body(&self, sent: Result<Response<ureq::Body>, ureq::Error>) -> Result<Vec<u8>, UserError> {
        let unreachable = |error: ureq::Error| self.is_away(error);
        let mut response = sent.map_err(unreachable)?;
        let status = response.status();
        let body = response.body_mut().with_config().limit(ANSWER_MAX).read_to_vec().map_err(unreachable)?;
        if !status.is_success() {
            return Err(self.refusal(status.as_u16(), &body));
        }
        Ok(body)
    }

    /// The switch's own words, where there are any.
    fn refusal(&self, status: u16, body: &[u8]) -> UserError {
        #[derive(Deserialize)]
        struct Body {
            error: Refusal,
        }
        #[derive(Deserialize)]
        struct Refusal {
            code: String,
            what: String,
            cause: Vec<String>,
            hint: Option<String>,
        }
        match serde_json::from_slice(body) {
            Ok(Body { error: Refusal { code, what, cause, hint } }) => {
                // A rule that is refused is another matter than a person's extension.
                let exit = match (status, code.as_str()) {
                    (422, "CW-0311") => Exit::WrongUse,
                    (422, _) => Exit::Incompatible,
                    _ => Exit::Remote,
                };
                // What a program sends is not what a person writes.
                let hint = if status == 401 { Some(TOKEN_HELP.to_owned()) } else { hint };
                UserError { code: code.into(), what, cause, hint, exit }
            }
            // A proxy speaks for a switch that is not there (RFC 9110 §15.6).
            Err(_) if (502..=504).contains(&status) => self.is_away(format!("status {status} of a proxy")),
            Err(_) => {
                UserError::new("CW-0202", Exit::Remote, format!("the switch answered with status {status}"))
            }
        }
    }

    fn is_away(&self, why: impl Display) -> UserError {
        UserError::new("CW-0201", Exit::Remote, format!("no switch answers at {}", self.server))
            .because(why)
            .help("start one with `callwright serve --config FILE`, or name another with `--server URL`")
    }
}

/// A text as one segment of a path (RFC 3986 §3.3).
pub(crate) fn segment(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                segment.push(char::from(byte));
            }
            other => {
                // Writing to a String cannot fail.
                let _infallible = write!(segment, "%{other:02X}");
            }
        }
    }
    segment
}

fn token_of_file(named: Option<&Path>) -> Result<String, UserError> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => default_file().ok_or_else(no_token)?,
    };
    let metadata = std::fs::metadata(&path).map_err(|error| match named {
        Some(_) => {
            UserError::wrong_use(format!("cannot read the token file `{}`", path.display())).because(error)
        }
        None => no_token().because(format!("`{}`: {error}", path.display())),
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(UserError::wrong_use(format!(
            "others can read the token file `{path}`: its mode is {mode:04o}"
        ))
        .help(format!("run `chmod 600 {path}`")));
    }
    std::fs::read_to_string(&path).map_err(|error| {
        UserError::wrong_use(format!("cannot read the token file `{}`", path.display())).because(error)
    })
}

/// `~/.config/callwright/token`, or where `XDG_CONFIG_HOME` says.
fn default_file() -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("callwright/token"))
}

fn no_token() -> UserError {
    UserError::wrong_use("there is no token").help(TOKEN_HELP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "cw_secret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_token_file_that_others_can_read_is_refused_with_the_command_to_run() {
        let (_folder, path) = file(0o644);
        let error = token_of_file(Some(&path)).unwrap_err();
        assert_eq!(error.hint, Some(format!("run `chmod 600 {}`", path.display())));
        assert!(error.what.contains("0644"), "{error}");
    }

    #[test]
    fn a_token_file_of_its_owner_is_read() {
        let (_folder, path) = file(0o600);
        assert_eq!(token_of_file(Some(&path)).unwrap(), "cw_secret\n");
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("a/../b ?#"), "a%2F..%2Fb%20%3F%23");
    }

    #[test]
    fn the_switchs_own_words_are_handed_on() {
        let body =
            br#"{"error":{"code":"CW-0305","what":"the rule is refused","cause":["a","b"],"hint":null}}"#;
        let client = Client::new("http://switch", "cw_secret");
        let error = client.refusal(422, body);
        assert_eq!((error.code.as_ref(), error.exit), ("CW-0305", Exit::Incompatible));
        assert_eq!(error.cause, ["a", "b"]);
        let body = br#"{"error":{"code":"CW-0301","what":"no token","cause":[],"hint":"send `Authorization: Bearer`"}}"#;
        assert_eq!(client.refusal(401, body).hint.as_deref(), Some(TOKEN_HELP));
        let of_a_proxy = client.refusal(502, b"<html>");
        assert_eq!((of_a_proxy.code.as_ref(), of_a_proxy.may_pass()), ("CW-0201", true));
        assert_eq!(client.refusal(500, b"<html>").code, "CW-0202");
    }
}
