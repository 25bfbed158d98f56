//! Pages of lists: the query that selects one, and the reply that shows it.

use std::borrow::Cow;
use std::str::FromStr;

use actix_web::{HttpRequest, HttpResponse};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::problem::Problem;
use crate::domain::nearest::hint;
use crate::domain::text::shown;

/// The number of entries on a page: the default, and the most that a query may ask for.
pub(super) const PAGE: u32 = 100;
pub(super) const PAGE_MAX: u32 = 1000;

/// The query that selects a page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) source: Option<String>,
    after: Option<i64>,
    limit: Option<u32>,
}

/// The parameters that a list may have.
const PARAMETERS: [&str; 4] = ["source", "payment", "after", "limit"];

impl Page {
    /// The page of a list that can be had of one source.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let mut source = None;
        let page = Self::with(request, "source, after and limit", |name, value| {
            Ok((name == "source").then(|| source.replace(value.to_owned()).is_none()))
        })?;
        Ok(Self { source, ..page })
    }

    /// The page of a list that takes further parameters: `takes` names all. `read` reads one of them; it returns whether that is
    /// there for the first time, or nothing if there is no such parameter.
    pub(super) fn with(
        request: &HttpRequest,
        takes: &str,
        mut read: impl FnMut(&str, &str) -> Result<Option<bool>, Problem>,
    ) -> Result<Self, Problem> {
        let mut page = Self::default();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            let first = match name.as_ref() {
                "after" => Some(page.after.replace(cursor(&value)?).is_none()),
                "limit" => Some(page.limit.replace(limit(&value)?).is_none()),
                other => read(other, &value)?,
            };
            match first {
                Some(true) => {}
                Some(false) => return Err(wrong(format!("{name}: must be there once"))),
                None => {
                    let meant = hint(&name, takes.split([',', ' ']).filter(|word| PARAMETERS.contains(word)));
                    return Err(wrong(format!("{}: this list takes {takes}{meant}", shown(&name))));
                }
            }
        }
        Ok(page)
    }

    /// The page of a list that has the entries of all sources.
    pub(super) fn of_all_sources(request: &HttpRequest) -> Result<Self, Problem> {
        let page = Self::of(request)?;
        if page.source.is_some() {
            return Err(wrong("source: this list has the entries of all sources and takes no source".to_owned()));
        }
        Ok(page)
    }

    /// The cursor at which the page begins.
    pub(super) fn after(&self) -> i64 {
        self.after.unwrap_or_default()
    }

    /// The most entries of the page.
    pub(super) fn limit(&self) -> u32 {
        self.limit.unwrap_or(PAGE)
    }

    /// The reply with these rows. Only a full page has a next one.
    pub(super) fn reply<E: Entry>(&self, rows: Vec<E::Row>) -> HttpResponse {
        let full = u32::try_from(rows.len()).is_ok_and(|count| count == self.limit());
        let next = rows.last().filter(|_| full).map(E::cursor);
        HttpResponse::Ok().json(Listed::<E> { entries: rows.into_iter().map(E::from).collect(), next })
    }
}

fn wrong(detail: String) -> Problem {
    Problem::new(400, detail)
}

fn cursor(text: &str) -> Result<i64, Problem> {
    let must = "must be the number in \"next\" of the page before";
    number(text).ok_or_else(|| wrong(format!("after: is {}, but {must}", shown(text))))
}

/// A number without a sign: none of a list is negative.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = number(text).filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| wrong(format!("limit: is {}, but must be a number from 1 to {PAGE_MAX}", shown(text))))
}

/// An entry of a list, as its reply shows it.
pub(super) trait Entry: From<Self::Row> + Serialize + JsonSchema {
    /// The row of the store that the entry shows.
    type Row;
    /// The name of the list in the reply.
    const LIST: &'static str;

    /// The cursor at which the page after this row begins.
    fn cursor(row: &Self::Row) -> i64;
}

/// A page of a list.
#[derive(Debug)]
pub(super) struct Listed<E> {
    entries: Vec<E>,
    /// The cursor at which the next page begins; none after the last page.
    next: Option<i64>,
}

impl<E: Entry> Serialize for Listed<E> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(2))?;
        map.serialize_entry(E::LIST, &self.entries)?;
        map.serialize_entry("next", &self.next)?;
        map.end()
    }
}

impl<E: Entry> JsonSchema for Listed<E> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Page", E::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (entries, list) = (generator.subschema_for::<Vec<E>>(), E::LIST);
        json_schema!({
            "type": "object",
            "required": [list, "next"],
            "properties": {
                list: entries,
                "next": {
                    "description": "`after` of the next page; null after the last.",
                    "type": ["integer", "null"],
                    "format": "int64",
                },
            },
        })
    }
}
