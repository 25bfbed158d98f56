//! The description of all routes (OpenAPI 3.1), made from the types of their replies. GET /openapi.json answers with it, and
//! docs/openapi.yaml shows it.

mod about;
mod answer;
mod batch;
mod document;
mod fetch;
mod health;
mod kinds;
mod lists;
mod notifications;
mod operation;
mod records;
mod refusal;
mod registrations;
mod route;
mod schemas;
mod tokens;
mod whole;

pub(super) use route::read;
pub use whole::openapi;
