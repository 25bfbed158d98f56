//! A profile: a PSP's dialect as data. The structs in this folder are the vocabulary of the TOML files.
//!
//! Reading is strict. An unknown key, a bad pointer, a state that a record cannot be in and a rule that can never be reached
//! are errors. Each error names the line.

mod about;
mod answer;
pub mod catalogue;
mod challenge;
mod check;
mod dialect;
mod error;
mod fetch;
mod form;
mod maps;
mod read;
mod rule;
mod schema;
mod signature;
mod signs;
mod text;
mod words;

pub use about::About;
pub use answer::Answer;
pub use challenge::{Challenge, ChallengeSignature, Characters};
pub use dialect::Profile;
pub use error::ProfileError;
pub use fetch::{Call, Fetch, FetchAuth, FetchMode, Template};
pub use form::{Defaults, Form};
pub use rule::{
    Amounts, BookingFrom, ChargebackRule, Condition, Direction, ErrorRule, EventRule, ItemRule, MovementRule, Not,
    OneOrMore, ReleaseRule, ReleasedRule, Starts, StatementRule, StatusFrom, TimeFormat, TotalRule, When, WithoutTime,
};
pub use schema::schema;
pub use signature::{Algorithm, CertificateRule, Encoding, Found, KeyEncoding, KeyId, Locator, Signature, SignedTime};
pub use text::ProfileText;
pub use words::{Fixed, Mapped, Words};
