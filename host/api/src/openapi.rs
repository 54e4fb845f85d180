//! What the API says of itself to programs. A path and its description are one entry, so that no path is without one.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::{MethodRouter, get};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    HttpMethod, InfoBuilder, OpenApiBuilder, Paths, Ref, RefOr, Required, ResponseBuilder,
};
use utoipa::{IntoParams, ToSchema};

use crate::Handle;
use crate::error::Failed;

/// The name of the one way to prove a right.
const TOKEN: &str = "token";

/// One thing that a path does.
pub(crate) struct Does {
    method: HttpMethod,
    what: String,
    wants_token: bool,
    query: Option<fn() -> Vec<Parameter>>,
    takes: Option<fn() -> Named>,
    answers: Option<fn() -> Named>,
}

/// A schema under its name, with those that it refers to.
struct Named {
    name: String,
    all: Vec<(String, RefOr<Schema>)>,
}

impl Named {
    fn of<T: ToSchema>() -> Self {
        let mut all = Vec::new();
        T::schemas(&mut all);
        all.push((T::name().into_owned(), T::schema()));
        Self { name: T::name().into_owned(), all }
    }
}

impl Does {
    fn new(method: HttpMethod, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { method, what, wants_token: true, query: None, takes: None, answers: None }
    }

    pub(crate) fn get(what: impl Into<String>) -> Self {
        Self::new(HttpMethod::Get, what)
    }

    pub(crate) fn put(what: impl Into<String>) -> Self {
        Self::new(HttpMethod::Put, what)
    }

    pub(crate) fn post(what: impl Into<String>) -> Self {
        Self::new(HttpMethod::Post, what)
    }

    pub(crate) fn delete(what: impl Into<String>) -> Self {
        Self::new(HttpMethod::Delete, what)
    }

    /// It is there for everybody.
    pub(crate) fn without_token(self) -> Self {
        Self { wants_token: false, ..self }
    }

    /// It may be narrowed by a query.
    pub(crate) fn query<T: IntoParams>(self) -> Self {
        Self { query: Some(|| T::into_params(|| Some(ParameterIn::Query))), ..self }
    }

    /// It wants a body.
    pub(crate) fn takes<T: ToSchema>(self) -> Self {
        Self { takes: Some(Named::of::<T>), ..self }
    }

    /// It answers with this.
    pub(crate) fn answers<T: ToSchema>(self) -> Self {
        Self { answers: Some(Named::of::<T>), ..self }
    }

    fn operation(self, path: &str, schemas: &mut BTreeMap<String, RefOr<Schema>>) -> (HttpMethod, Operation) {
        let mut content = |named: fn() -> Named| {
            let Named { name, all } = named();
            schemas.extend(all);
            ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).build()
        };
        let mut good = ResponseBuilder::new().description("as asked for");
        if let Some(answers) = self.answers {
            good = good.content("application/json", content(answers));
        }
        let error = ResponseBuilder::new().description("what went wrong, where, and what to do next");
        let error = error.content("application/json", content(Named::of::<Failed>));
        let query = self.query.map(|query| query()).unwrap_or_default();
        let mut operation = OperationBuilder::new()
            .summary(Some(self.what))
            .parameters(Some(in_path(path).chain(query)))
            .response("2XX", good)
            .response("default", error);
        if let Some(takes) = self.takes {
            let body = RequestBodyBuilder::new().content("application/json", content(takes));
            operation = operation.request_body(Some(body.required(Some(Required::True)).build()));
        }
        if self.wants_token {
            operation = operation.security(SecurityRequirement::new(TOKEN, [""; 0]));
        }
        (self.method, operation.build())
    }
}

/// The parameters that a path names in braces.
fn in_path(path: &str) -> impl Iterator<Item = Parameter> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name| {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
        parameter.required(Required::True).schema(Some(<String as utoipa::PartialSchema>::schema())).build()
    };
    names.map(parameter)
}

/// Paths with what is said of them.
#[derive(Default)]
pub(crate) struct Described {
    router: Router<Handle>,
    told: Vec<(String, Does)>,
}

impl Described {
    /// One path more.
    pub(crate) fn at<const N: usize>(
        mut self,
        path: &str,
        does: [Does; N],
        handlers: MethodRouter<Handle>,
    ) -> Self {
        self.told.extend(does.into_iter().map(|one| (path.to_owned(), one)));
        self.router = self.router.route(path, handlers);
        self
    }

    /// All of it, with the path of the description itself.
    pub(crate) fn into_router(self) -> Router<Handle> {
        let Self { router, mut told } = self;
        let path = "/openapi.json";
        told.push((path.to_owned(), Does::get("this description, in OpenAPI 3.1").without_token()));
        // Made when it is asked for, and kept as text: what it is made of takes 5 MB, and most switches are never asked.
        let text = Arc::new(LazyLock::new(move || Bytes::from(document(told))));
        let answer = move || {
            let text = Bytes::clone(&text);
            async move { ([(CONTENT_TYPE, "application/json")], text) }
        };
        router.route(path, get(answer))
    }
}

/// The description of these paths, as JSON.
fn document(told: Vec<(String, Does)>) -> String {
    let (mut paths, mut schemas) = (Paths::default(), BTreeMap::new());
    for (path, does) in told {
        let (method, operation) = does.operation(&path, &mut schemas);
        paths.add_path_operation(&path, vec![method], operation);
    }
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let components = ComponentsBuilder::new().schemas_from_iter(schemas);
    let document = OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Callwright").version(env!("CARGO_PKG_VERSION")).build())
        .paths(paths)
        .components(Some(components.security_scheme(TOKEN, scheme).build()))
        .build();
    // Texts and maps of texts always serialise.
    document.to_json().unwrap_or_default()
}
