//! `bench`: measures the relay on this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::output::say;
use super::serve;
use crate::proof::bench::{self, Asked, Contender};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The length of each round in seconds, perhaps a fraction.
    #[arg(long, value_name = "N", default_value = "3", value_parser = bench::seconds)]
    seconds: f64,
    /// The number of rounds. A figure is their median.
    #[arg(long, value_name = "N", default_value = "5", value_parser = bench::rounds)]
    rounds: usize,
    /// Measure only how notifications are taken: the rate, the processor time, the bytes and the latency.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Measure also what needs many rows: a store with a million records and ten million notifications. That takes half an
    /// hour and 32 GB of disk.
    #[arg(long)]
    full: bool,
    /// The records of that store.
    #[arg(long, value_name = "N", hide = true, default_value = "1000000")]
    records: usize,
    /// Write the figures as JSON into this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Serve as a contender of the relay. The bench starts itself so.
    #[arg(long, value_name = "NAME", hide = true, requires = "folder")]
    contender: Option<Contender>,
    /// The folder of the contender's store.
    #[arg(long, value_name = "FOLDER", hide = true)]
    folder: Option<PathBuf>,
}

/// Exit code 0 if all counts agree, otherwise 1. It is 129, 130 or 143 after SIGHUP, SIGINT or SIGTERM.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { seconds, rounds, quick, full, records, json, contender, folder } = arguments;
    let full = full.then_some(records);
    let benched = serve::runtime().and_then(|runtime| match contender.zip(folder) {
        Some((contender, folder)) => runtime.block_on(bench::contend(contender, &folder)).map(|()| None),
        None => runtime.block_on(bench::bench(Asked { seconds, rounds, quick, full, json })).map(Some),
    });
    match benched {
        Ok(ended) => {
            ended.iter().filter_map(|ended| ended.remark("bench")).for_each(say);
            ended.map_or(ExitCode::SUCCESS, |ended| ExitCode::from(ended.code()))
        }
        Err(error) => {
            say(format_args!("the bench broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
