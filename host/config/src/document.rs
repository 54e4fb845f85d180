//! A TOML document read by hand, so that one pass names everything that is wrong with it, each by its key path and line.
//!
//! Reading never stops at a problem: a value that cannot be used is reported and left out.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Origin, Report};

/// One value of the document with its key path.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    path: String,
    value: &'a Spanned<DeValue<'a>>,
    origin: &'a Origin<'a>,
}

impl<'a> Value<'a> {
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
        self.value.get_ref().is_table()
    }

    /// The value as text.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let text = self.value.get_ref().as_str();
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

    /// The value as yes or no.
    pub(crate) fn flag(&self) -> Option<bool> {
        let flag = self.value.get_ref().as_bool();
        self.or_wrong(flag, "true or false")
    }

    /// The value as a whole number of a range.
    pub(crate) fn number(&self, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let integer = self.value.get_ref().as_integer();
        let integer = self.or_wrong(integer, "a whole number")?;
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let (least, most) = range.into_inner();
                self.wrong(format!("must be between {least} and {most}, is {integer}"));
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
        let list = self.value.get_ref().as_array();
        let Some(list) = self.or_wrong(list, "a list") else { return Vec::new() };
        let element =
            |(index, value)| Value { path: format!("{}[{index}]", self.path), value, origin: self.origin };
        list.iter().enumerate().map(element).collect()
    }

    /// The value as a table of known keys.
    pub(crate) fn table(&self) -> Option<Table<'a>> {
        let table = self.value.get_ref().as_table();
        let table = self.or_wrong(table, "a table")?;
        Some(Table {
            path: self.path.clone(),
            at: self.value.span(),
            table,
            known: RefCell::default(),
            origin: self.origin,
        })
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let table = self.value.get_ref().as_table();
        let Some(table) = self.or_wrong(table, "a table") else { return Vec::new() };
        let mut entries: Vec<_> =
            table.iter().map(|(key, value)| entry(&self.path, key, value, self.origin)).collect();
        entries.sort_by_key(|(_, value)| value.start());
        entries
    }

    fn or_wrong<T>(&self, found: Option<T>, wanted: &str) -> Option<T> {
        if found.is_none() {
            self.wrong(format!("must be {wanted}, is {}", kind(self.value.get_ref())));
        }
        found
    }
}

fn entry<'a>(
    path: &str,
    key: &'a Spanned<std::borrow::Cow<'a, str>>,
    value: &'a Spanned<DeValue<'a>>,
    origin: &'a Origin<'a>,
) -> (&'a str, Value<'a>) {
    let name = key.get_ref().as_ref();
    (name, Value { path: join(path, name), value, origin })
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
    table: &'a DeTable<'a>,
    known: RefCell<Vec<&'static str>>,
    origin: &'a Origin<'a>,
}

impl<'a> Table<'a> {
    /// The document itself.
    pub(crate) fn root(table: &'a Spanned<DeTable<'a>>, origin: &'a Origin<'a>) -> Self {
        Self {
            path: String::new(),
            at: table.span(),
            table: table.get_ref(),
            known: RefCell::default(),
            origin,
        }
    }

    /// The value of a key that may be absent.
    pub(crate) fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        let (key, value) = self.table.iter().find(|(found, _)| found.get_ref() == key)?;
        Some(entry(&self.path, key, value, self.origin).1)
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
        let find =
            |table: &'a DeTable<'a>, name: &str| table.iter().find(|(found, _)| found.get_ref() == name);
        let (mut table, mut path) = (self.table, self.path.clone());
        for name in tables {
            table = find(table, name)?.1.get_ref().as_table()?;
            path = join(&path, name);
        }
        let (key, value) = find(table, last)?;
        Some(entry(&path, key, value, self.origin).1)
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
        for key in self.table.iter().map(|(key, _)| key) {
            if !known.contains(&key.get_ref().as_ref()) {
                let what = format!("is no key here; known are {}", known.join(", "));
                self.origin.add(&join(&self.path, key.get_ref()), key.span(), what);
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
