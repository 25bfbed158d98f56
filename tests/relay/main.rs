//! Black-box tests of the real program: every test starts `transform-relay serve` on its own port and store. Around it
//! are a scripted Transform, PSPs that sign, and an integrator.
//!
//! Nothing here sleeps: a test waits for a webhook, a line of the log or the end of a process. It gives up after
//! [`support::PATIENCE`], which is far more than a working machine needs.

#![cfg(test)]

mod access;
mod app;
mod certificates;
mod cli;
mod config;
mod control;
mod delivery;
mod domain;
mod fetch;
mod fixtures;
mod hostile;
mod http;
mod ingest;
mod log;
mod proof;
mod psp;
mod store;
mod support;
mod transform;
#[path = "../support/yaml.rs"]
mod yaml;
