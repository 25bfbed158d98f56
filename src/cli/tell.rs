//! `tell`: has the running relay tell Transform again, of records or of what was given up.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use jiff::Timestamp;

use super::exit::{EXIT_UNAVAILABLE, EXIT_USAGE};
use super::output::{answer, say};
use super::reading::since;
use super::reload::{said_of_later, say_waiting};
use super::variable::CONFIG_VARIABLE;
use crate::config;
use crate::control::{self, TellAnswer};
use crate::domain::ids::TransformId;
use crate::domain::telling::ToTell;
use crate::telling::Told;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("records").args(["ids", "given_up"]).required(true))]
pub(super) struct Arguments {
    /// Transform's ids of records. They are told whether or not anything is owed of them.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Tell of all that was given up.
    #[arg(long)]
    given_up: bool,
    /// Only what was given up at this host, such as app.billwerk.com, with its port or without.
    #[arg(long, value_name = "HOST", requires = "given_up")]
    host: Option<String>,
    /// Only what was given up since then: an RFC 3339 time, or a span before now such as 7d, 12h or 30m.
    #[arg(long, value_name = "WHEN", requires = "given_up")]
    since: Option<String>,
    /// Change nothing, and print what would be told.
    #[arg(long)]
    dry_run: bool,
    /// The configuration file of the relay. Without one the embedded defaults are in force.
    #[arg(long, value_name = "FILE", env = CONFIG_VARIABLE)]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let store = config::store_path(arguments.config.as_deref(), std::env::vars_os());
    let asked = store.map_err(|errors| errors.to_string()).and_then(|store| Ok((store, wish(arguments)?)));
    let (store, wish) = match asked {
        Ok(asked) => asked,
        Err(reason) => {
            say(reason);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match control::tell(&store, &wish, say_waiting) {
        Ok(TellAnswer::Done(told)) => answer(lines(&told), ExitCode::SUCCESS),
        Ok(TellAnswer::Unknown(reason)) => {
            say(format_args!("{reason}; nothing is changed"));
            ExitCode::from(EXIT_USAGE)
        }
        Ok(TellAnswer::Refused(reason)) => {
            say(format_args!(
                "the relay refuses: {reason}; what it has told of by now is told, and the rest can be asked for again"
            ));
            ExitCode::from(EXIT_UNAVAILABLE)
        }
        Err(reason) => {
            say(said_of_later(&reason, &store));
            ExitCode::from(EXIT_UNAVAILABLE)
        }
    }
}

/// The wish of the arguments.
///
/// # Errors
/// An argument is wrong.
fn wish(arguments: &Arguments) -> Result<ToTell, String> {
    let since = arguments.since.as_deref().map(|text| since(text, Timestamp::now())).transpose()?;
    for (name, said) in [("host", &arguments.host), ("since", &arguments.since)] {
        if said.is_some() && !arguments.given_up {
            return Err(format!("--{name} goes with --given-up only: leave it out, or the ids"));
        }
    }
    let ids = arguments.ids.iter().map(|id| id.parse());
    let ids = ids.collect::<Result<Vec<TransformId>, String>>()?;
    let ids = if arguments.given_up { None } else { Some(ids) };
    let wish = ToTell { host: arguments.host.clone(), since, ids, dry_run: arguments.dry_run };
    wish.check().map_err(|refusal| format!("--{refusal}"))?;
    Ok(wish)
}

/// A line for each record that is named, and one that counts all.
fn lines(told: &Told) -> String {
    let mut text: String = told.records.iter().map(|key| format!("{} {}\n", key.kind, key.id)).collect();
    let more = told.count.saturating_sub(u64::try_from(told.records.len()).unwrap_or(u64::MAX));
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    let records = if told.count == 1 { "1 record".to_owned() } else { format!("{} records", told.count) };
    let told = if told.dry_run { "would be told again" } else { "told again" };
    format!("{text}{records} {told}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Kind, RecordKey};

    #[test]
    fn a_bound_of_what_was_given_up_does_not_go_with_ids() {
        let arguments = |host: Option<&str>, since: Option<&str>| Arguments {
            ids: vec!["tx-1".to_owned()],
            given_up: false,
            host: host.map(str::to_owned),
            since: since.map(str::to_owned),
            dry_run: false,
            config: None,
        };
        assert!(wish(&arguments(None, None)).is_ok());
        let leave = "goes with --given-up only: leave it out, or the ids";
        assert_eq!(wish(&arguments(None, Some("7d"))).unwrap_err(), format!("--since {leave}"));
        assert_eq!(wish(&arguments(Some("a.com"), None)).unwrap_err(), format!("--host {leave}"));
    }

    #[test]
    fn what_is_not_named_is_counted() {
        let key = |id: &str| RecordKey::new(Kind::Payment, id.parse().unwrap());
        let told = Told { dry_run: false, count: 3, records: vec![key("tx-1"), key("tx-2")] };
        assert_eq!(lines(&told), "payment tx-1\npayment tx-2\nand 1 more\n3 records told again");
        let would = Told { dry_run: true, count: 1, records: vec![key("tx-1")] };
        assert_eq!(lines(&would), "payment tx-1\n1 record would be told again");
        assert_eq!(lines(&Told::default()), "0 records told again");
    }
}
