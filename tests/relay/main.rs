//! Black-box tests of the real program: every test starts `transform-relay serve` on its own port and store. Around it
//! are a scripted Transform, PSPs that sign, and an integrator.
//!
//! Nothing here sleeps: a test waits for a webhook, a line of the log or the end of a process. It gives up after
//! [`support::PATIENCE`], which is far more than a working machine needs.

#![cfg(test)]

mod beside;
mod breaker;
mod caught;
mod certificates;
mod clock;
mod commands;
mod damaged;
mod debounce;
mod delivery;
mod demo;
mod failing;
mod fetch_back;
mod fetch_back_failing;
mod fetch_back_flood;
mod fetch_back_hints;
mod fetch_back_psps;
mod fetching;
mod files;
mod fixtures;
mod frozen;
mod giving_up;
mod hostile;
mod hostile_headers;
mod hostile_requests;
mod hostile_values;
mod hostile_xml;
mod keeping;
mod leaks;
mod limits;
mod money;
mod notifications;
mod oauth;
mod open_files;
mod oracle;
mod overlap;
mod parked;
mod pipelined;
mod profile_tools;
mod psps;
mod reaching;
mod refused;
mod registration;
mod reload;
mod renamed;
mod replayed;
mod resolver;
mod restart;
mod rotation;
mod rotation_kept;
mod routes;
mod settings;
mod slow;
mod soak;
mod sources;
mod store;
mod support;
mod throttle;
mod transform_wrong;
mod trouble;
mod unread;
mod verification;
mod vouched;
mod ways_in;
