//! Tests of the library and of the project's files: the built-in profiles on the fixtures, mutated fixtures, and the
//! documents against the code.

#![cfg(test)]

mod cases;
mod documents;
#[path = "../support/fixtures.rs"]
mod fixtures;
mod fuzzing;
mod histories;
mod originals;
mod pages;
mod profiles;
mod reliability;
mod support;
#[path = "../support/yaml.rs"]
mod yaml;
