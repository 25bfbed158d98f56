//! What the log has, and what it must never have.

mod leaks;
mod refusal_lines;
