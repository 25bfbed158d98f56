//! The store's own promises: files, damage, retention, backups, the disk and the clock. Raw SQL is here alone.

mod availability;
mod backups;
mod clock_steps;
mod damaged_rows;
mod disk_faults;
mod files_beside;
mod power_cuts;
mod restores;
mod retention;
mod store_file;
mod takeover;
