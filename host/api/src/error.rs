//! Every error of the API in one form, and the status it goes out with.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use callwright_core::Kind;
use callwright_store::{DocumentError, FindError, RuleError, StoreError};
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use crate::switch::{ChangeError, Overloaded, TooOften, UploadError};

/// The stable codes; the CLI prints the same.
const UNAUTHORISED: &str = "CW-0301";
const NOT_FOUND: &str = "CW-0302";
const BAD_REQUEST: &str = "CW-0303";
const TOO_LARGE: &str = "CW-0304";
const RULE_REFUSED: &str = "CW-0305";
const CONFLICT: &str = "CW-0306";
const OVERLOADED: &str = "CW-0307";
const OUTSIDE: &str = "CW-0308";
const NO_ROOM: &str = "CW-0309";
const TOO_OFTEN: &str = "CW-0310";
const DOCUMENTS_REFUSED: &str = "CW-0311";
const FORBIDDEN: &str = "CW-0312";

/// What went wrong, where, and what to do next.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiError {
    #[serde(skip)]
    status: StatusCode,
    code: &'static str,
    what: String,
    cause: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Seconds until it is worth another try.
    #[serde(skip)]
    again_in_s: Option<u64>,
}

/// An error of any path.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failed {
    error: ApiError,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, what: impl Into<String>) -> Self {
        Self { status, code, what: what.into(), cause: Vec::new(), hint: None, again_in_s: None }
    }

    /// No token, or one that opens nothing.
    pub(crate) fn unauthorised(what: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, UNAUTHORISED, what)
            .help("send `Authorization: Bearer …`; `callwright token new` makes a token")
    }

    /// Not there, or not for this token.
    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, NOT_FOUND, what)
    }

    /// The request itself is wrong.
    pub(crate) fn bad_request(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, BAD_REQUEST, what)
    }

    /// The token is known and may not do this.
    pub(crate) fn forbidden(what: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, FORBIDDEN, what)
    }

    /// The path is right and the method is not.
    pub(crate) fn wrong_method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, BAD_REQUEST, "this path does not take that method")
    }

    /// Adds what to do next.
    pub(crate) fn help(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds where or why; several where there are several.
    fn because(mut self, cause: impl IntoIterator<Item = String>) -> Self {
        self.cause.extend(cause);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, again_in_s) = (self.status, self.again_in_s);
        let mut response = (status, Json(Failed { error: self })).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = again_in_s {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Overloaded> for ApiError {
    fn from(error: Overloaded) -> Self {
        let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, OVERLOADED, error.to_string());
        Self { again_in_s: Some(1), ..busy.help("try again in a second") }
    }
}

impl From<TooOften> for ApiError {
    fn from(error: TooOften) -> Self {
        let seconds = error.again_in.as_secs().saturating_add(1);
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, TOO_OFTEN, error.to_string());
        let hint = format!("try again in {seconds} s; a component that is kept already is taken at once");
        Self { again_in_s: Some(seconds), ..refused.help(hint) }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        warn!(error = %error, "the store failed a request");
        if matches!(error, StoreError::Full) {
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, NO_ROOM, error.to_string())
                .help("free room on the disk of the data folder; calls go on meanwhile");
        }
        let source = std::error::Error::source(&error).map(ToString::to_string);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, OUTSIDE, error.to_string())
            .because(source)
            .help("look at the switch's log and at the room on its disk")
    }
}

impl From<FindError> for ApiError {
    fn from(error: FindError) -> Self {
        let what = error.to_string();
        match error {
            FindError::Unknown(_) => Self::not_found(what),
            FindError::Ambiguous { .. } => Self::bad_request(what).help("write more of the id"),
            FindError::Store(error) => error.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, OUTSIDE, other.to_string()),
        }
    }
}

impl From<RuleError> for ApiError {
    fn from(error: RuleError) -> Self {
        let what = error.to_string();
        let conflict = |what| Self::new(StatusCode::CONFLICT, CONFLICT, what);
        match error {
            RuleError::NoSuchVersion { .. } => {
                Self::not_found(what).help("`callwright rule versions NAME` lists what is there")
            }
            RuleError::Unusable { .. } => conflict(what).help("upload the component again"),
            RuleError::NothingBefore(rule) => {
                conflict(what).help(format!("`callwright rule deactivate {rule}` switches it off"))
            }
            RuleError::NotActive(_) | RuleError::TooManyVersions { .. } | RuleError::TooManyRules { .. } => {
                conflict(what)
            }
            RuleError::Store(error) => error.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, OUTSIDE, other.to_string()),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let what = error.to_string();
        match error {
            UploadError::Refused(problems) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, RULE_REFUSED, what).because(problems)
            }
            UploadError::Unusable { .. } => {
                Self::new(StatusCode::CONFLICT, CONFLICT, what).help("upload the component again")
            }
            UploadError::Overloaded(error) => error.into(),
            UploadError::TooOften(error) => error.into(),
            UploadError::Store(error) => error.into(),
            UploadError::Outside(why) => {
                warn!(error = why, "the outside failed an upload");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, OUTSIDE, what)
            }
        }
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let what = error.to_string();
        let conflict = |what| Self::new(StatusCode::CONFLICT, CONFLICT, what);
        match error {
            ChangeError::Refused(problems) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, DOCUMENTS_REFUSED, what)
                    .because(problems)
                    .help("nothing was changed; `docs/people.md` lists every key")
            }
            ChangeError::InUse { kind, by, problems, .. } => {
                let has_phones =
                    kind == Kind::User && by.iter().any(|it| it.starts_with(Kind::Device.word()));
                let phones = if has_phones { "; `--with-devices` removes a user's phones too" } else { "" };
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, DOCUMENTS_REFUSED, what)
                    .because(problems)
                    .help(format!("nothing was changed: change those first that use it{phones}"))
            }
            ChangeError::OfFile(_) => {
                conflict(what).help("its people are changed there, and taken over with SIGHUP")
            }
            ChangeError::Exists { .. } => conflict(what).help("change it, or choose another name"),
            ChangeError::Stale { .. } => {
                conflict(what).help("look at it again, and send your change once more")
            }
            ChangeError::NotThere { .. } => Self::not_found(what),
            ChangeError::Documents(DocumentError::Store(error)) => error.into(),
            ChangeError::Documents(DocumentError::Nothing { .. }) => Self::not_found(what),
            ChangeError::Documents(_) => conflict(what),
            ChangeError::Overloaded(error) => error.into(),
            ChangeError::Outside(why) => {
                warn!(error = why, "the outside failed a change");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, OUTSIDE, what)
            }
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE, "the body is too long");
        }
        Self::bad_request("the body is not what this path takes").because([rejection.body_text()])
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request("the query is not what this path takes").because([rejection.body_text()])
    }
}
