//! The relay as a process: restarts, signals and kills.

mod restart;
