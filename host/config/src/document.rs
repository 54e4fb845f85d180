//! A document read by hand, so that one pass names everything that is wrong with it, each by its key path and, in a file, its
//! line. Files are TOML; what is managed through the API is JSON of the same shape, and is read by the same words.
//!
//! Reading never stops at a problem: a value that cannot be used is reported and left out.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use callwright_core::rule::DestinationRef;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Origin, Report};

/// One value of the document with its key path.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    path: String,
    value: Node<'a>,
    origin: &'a Origin<'a>,
}

/// A value as its document has it.
#[derive(Clone, Copy)]
enum Node<'a> {
    Toml(&'a Spanned<DeValue<'a>>),
    Json(&'a Json),
}

impl Node<'_> {
    /// Where it stands; what is no file has no places.
    fn span(self) -> Range<usize> {
        match self {
            Self::Toml(value) => value.span(),
            Self::Json(_) => 0..0,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Toml(value) => kind(value.get_ref()),
            Self::Json(Json::Null) => "null",
            Self::Json(Json::Bool(_)) => "true or false",
            Self::Json(Json::Number(number)) if number.is_f64() => "a fraction",
            Self::Json(Json::Number(_)) => "a whole number",
            Self::Json(Json::String(_)) => "text",
            Self::Json(Json::Array(_)) => "a list",
            Self::Json(Json::Object(_)) => "a table",
        }
    }
}

impl<'a> Value<'a> {
    /// A value that came through the API.
    pub(crate) fn json(path: &str, value: &'a Json, origin: &'a Origin<'a>) -> Self {
        Self { path: path.to_owned(), value: Node::Json(value), origin }
    }

    /// Notes that this value is wrong.
    pub(crate) fn wrong(&self, what: impl Into<String>) {
        self.origin.add(&self.path, self.value.span(), what);
    }

    /// Where the value stands, for ordering by the file.
    fn start(&self) -> usize {
        self.value.span().start
    }

    /// Whether it is a table, for values that have a short and a long form.
    pub(crate) fn is_table(&self) -> bool {
        match self.value {
            Node::Toml(value) => value.get_ref().is_table(),
            Node::Json(value) => value.is_object(),
        }
    }

    /// The value as text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let text = match self.value {
            Node::Toml(value) => value.get_ref().as_str(),
            Node::Json(value) => value.as_str(),
        };
        self.or_wrong(text, "text")
    }

    /// The value as text that means something.
    pub(crate) fn parsed<T>(&self) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match self.text()?.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.wrong(error.to_string());
                None
            }
        }
    }

    /// The value as a destination; `forms` are those that may stand there, for whoever has written none.
    pub(crate) fn destination(&self, forms: &str) -> Option<DestinationRef> {
        let text = self.text()?;
        let to = text.parse::<DestinationRef>().ok();
        if to.is_none() {
            self.wrong(format!("`{text}` is no destination: write {forms}"));
        }
        to
    }

    /// The value as yes or no.
    pub(crate) fn flag(&self) -> Option<bool> {
        let flag = match self.value {
            Node::Toml(value) => value.get_ref().as_bool(),
            Node::Json(value) => value.as_bool(),
        };
        self.or_wrong(flag, "true or false")
    }

    /// The value as a whole number of a range.
    pub(crate) fn number(&self, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let integer = match self.value {
            Node::Toml(value) => value.get_ref().as_integer().map(|integer| {
                let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
                (number, integer.to_string())
            }),
            Node::Json(Json::Number(number)) if !number.is_f64() => {
                Some((number.as_u64(), number.to_string()))
            }
            Node::Json(_) => None,
        };
        let (number, written) = self.or_wrong(integer, "a whole number")?;
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (least, most) = range.into_inner();
                self.wrong(format!("must be between {least} and {most}, is {written}"));
                None
            }
        }
    }

    /// The value as a number of seconds or the like, within 32 bits.
    pub(crate) fn small(&self, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let (least, most) = range.into_inner();
        let number = self.number(u64::from(least)..=u64::from(most))?;
        u32::try_from(number).ok()
    }

    /// The elements of a list.
    pub(crate) fn list(&self) -> Vec<Self> {
        let list: Option<Vec<Node<'a>>> = match self.value {
            Node::Toml(value) => value.get_ref().as_array().map(|list| list.iter().map(Node::Toml).collect()),
            Node::Json(value) => value.as_array().map(|list| list.iter().map(Node::Json).collect()),
        };
        let element =
            |(index, value)| Value { path: format!("{}[{index}]", self.path), value, origin: self.origin };
        self.or_wrong(list, "a list").unwrap_or_default().into_iter().enumerate().map(element).collect()
    }

    /// The value as a table of known keys.
    pub(crate) fn table(&self) -> Option<Table<'a>> {
        Some(Table {
            path: self.path.clone(),
            at: self.value.span(),
            table: self.rows()?,
            known: RefCell::default(),
            hidden: Cell::default(),
            origin: self.origin,
        })
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Some(rows) = self.rows() else { return Vec::new() };
        let mut entries: Vec<_> = rows
            .all()
            .into_iter()
            .map(|(key, value, _)| (key, Value { path: join(&self.path, key), value, origin: self.origin }))
            .collect();
        entries.sort_by_key(|(_, value)| value.start());
        entries
    }

    fn rows(&self) -> Option<Rows<'a>> {
        let rows = match self.value {
            Node::Toml(value) => value.get_ref().as_table().map(Rows::Toml),
            Node::Json(value) => value.as_object().map(Rows::Json),
        };
        self.or_wrong(rows, "a table")
    }

    fn or_wrong<T>(&self, found: Option<T>, wanted: &str) -> Option<T> {
        if found.is_none() {
            self.wrong(format!("must be {wanted}, is {}", self.value.kind()));
        }
        found
    }
}

/// What a table has, as its document has it.
#[derive(Clone, Copy)]
enum Rows<'a> {
    Toml(&'a DeTable<'a>),
    Json(&'a Map<String, Json>),
}

impl<'a> Rows<'a> {
    fn find(self, key: &str) -> Option<Node<'a>> {
        match self {
            Self::Toml(table) => {
                table.iter().find(|(found, _)| found.get_ref() == key).map(|(_, value)| Node::Toml(value))
            }
            Self::Json(map) => map.get(key).map(Node::Json),
        }
    }

    /// Each key with its value and the place of the key.
    fn all(self) -> Vec<(&'a str, Node<'a>, Range<usize>)> {
        match self {
            Self::Toml(table) => table
                .iter()
                .map(|(key, value)| (key.get_ref().as_ref(), Node::Toml(value), key.span()))
                .collect(),
            Self::Json(map) => {
                map.iter().map(|(key, value)| (key.as_str(), Node::Json(value), 0..0)).collect()
            }
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A table whose keys are all known: what nobody asked for is reported by [`Table::done`].
pub(crate) struct Table<'a> {
    path: String,
    at: Range<usize>,
    table: Rows<'a>,
    known: RefCell<Vec<&'static str>>,
    hidden: Cell<Option<&'static str>>,
    origin: &'a Origin<'a>,
}

impl<'a> Table<'a> {
    /// The document itself.
    pub(crate) fn root(table: &'a Spanned<DeTable<'a>>, origin: &'a Origin<'a>) -> Self {
        Self {
            path: String::new(),
            at: table.span(),
            table: Rows::Toml(table.get_ref()),
            known: RefCell::default(),
            hidden: Cell::default(),
            origin,
        }
    }

    /// The value of a key that may be absent.
    pub(crate) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        let value = self.table.find(key)?;
        Some(Value { path: join(&self.path, key), value, origin: self.origin })
    }

    /// Whether it came through the API and is kept by the switch, which writes some keys itself.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self.table, Rows::Json(_))
    }

    /// The value of a key that the switch writes itself, and that nobody is told of.
    pub(crate) fn kept(&self, key: &'static str) -> Option<Value<'a>> {
        self.hidden.set(Some(key));
        Some(Value { path: join(&self.path, key), value: self.table.find(key)?, origin: self.origin })
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&self, key: &'static str) -> Option<Value<'a>> {
        let value = self.get(key);
        if value.is_none() {
            self.lacks(key, "is missing");
        }
        value
    }

    /// Notes that a key is not there.
    pub(crate) fn lacks(&self, key: &'static str, what: impl Into<String>) {
        self.origin.add(&join(&self.path, key), self.at.clone(), what);
    }

    /// The value at the end of a path of tables, none of whose other keys are looked at.
    pub(crate) fn below(&self, names: &[&str]) -> Option<Value<'a>> {
        let (last, tables) = names.split_last()?;
        let (mut table, mut path) = (self.table, self.path.clone());
        for name in tables {
            table = match table.find(name)? {
                Node::Toml(value) => Rows::Toml(value.get_ref().as_table()?),
                Node::Json(value) => Rows::Json(value.as_object()?),
            };
            path = join(&path, name);
        }
        Some(Value { path: join(&path, last), value: table.find(last)?, origin: self.origin })
    }

    /// What is reported of this table is found there.
    pub(crate) fn report(&self) -> &'a Report<'a> {
        self.origin.report()
    }

    /// The entries of a table of names, where it is there.
    pub(crate) fn names(&self, key: &'static str) -> Vec<(&'a str, Value<'a>)> {
        self.get(key).map(|value| value.entries()).unwrap_or_default()
    }

    /// Reports every key that was not asked for.
    pub(crate) fn done(self) {
        let known = self.known.borrow();
        for (key, _, at) in self.table.all() {
            if !known.contains(&key) && self.hidden.get() != Some(key) {
                let what = format!("is no key here; known are {}", known.join(", "));
                self.origin.add(&join(&self.path, key), at, what);
            }
        }
    }
}

/// Appends a key to a path, quoted where TOML would need it.
fn join(path: &str, key: &str) -> String {
    let bare =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}
