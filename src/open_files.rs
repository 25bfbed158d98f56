//! How many files, which sockets are too, the machine lets the relay have open, and how many of them connections may be.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the relay opens for itself: the store's files and those of its readers, the runtime's, fetches of certificates, a reload,
/// `/readyz`. Some 50 were seen; the rest is for what was not.
const OWN: u64 = 192;
/// What each worker thread of the server opens for itself.
const EACH_WORKER: u64 = 8;
/// A call to Transform or a PSP has a connection, and may leave another one open for the next call.
const EACH_CALL: u64 = 2;

/// What is open beside the connections of clients, at most: with so many workers of the server and so many calls at once.
#[must_use]
pub fn reserve(workers: usize, calls: usize) -> u64 {
    let each = |many: usize, each: u64| u64::try_from(many).unwrap_or(u64::MAX).saturating_mul(each);
    OWN.saturating_add(each(workers, EACH_WORKER)).saturating_add(each(calls, EACH_CALL))
}

/// How many files may be open at once, as the machine would allow it.
#[must_use]
pub fn most() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Raises the limit to as many as the machine allows; how many that are. The lower one that most machines begin with is meant for
/// programs that cannot deal with more.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised to what the machine allows");
            limit.current
        }
    }
    .unwrap_or(u64::MAX)
}

/// What connections may be served at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// So many.
    pub connections: usize,
    /// Why they are fewer than configured, and what to do about it.
    pub why: Option<String>,
}

/// As many of the configured connections as leave the relay its own files.
///
/// # Errors
/// There is room for none; why, and what to do about it.
pub fn room(configured: usize, reserve: u64, most: u64) -> Result<Room, String> {
    let left = usize::try_from(most.saturating_sub(reserve)).unwrap_or(usize::MAX);
    if left >= configured {
        return Ok(Room { connections: configured, why: None });
    }
    let limit = format!("the machine allows {most} open files, and the relay needs {reserve} for itself");
    let needed = u64::try_from(configured).unwrap_or(u64::MAX).saturating_add(reserve);
    let remedy = format!("allow at least {needed} (LimitNOFILE={needed} of systemd, ulimit -n, or the container's)");
    if left == 0 {
        return Err(format!("server.max_connections: {configured} cannot be served: {limit}; {remedy}"));
    }
    let why = format!(
        "server.max_connections: {configured} connections are more than there can be, and {left} are served at once: {limit}; \
         {remedy}, or set it to {left} or less"
    );
    Ok(Room { connections: left, why: Some(why) })
}

/// What is said where so many connections, which are served since the start, leave less than the relay needs now.
#[must_use]
pub fn shortage(connections: usize, reserve: u64, most: u64) -> Option<String> {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(reserve);
    (needed > most).then(|| {
        format!(
            "transform.concurrency and the concurrency of sources.*.fetch: the relay needs {reserve} open files for itself now, and \
             {connections} connections leave fewer of the {most} that the machine allows; restart the relay, so that it serves \
             fewer connections, and allow it at least {needed} (LimitNOFILE={needed} of systemd, ulimit -n, or the container's)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_relay_its_own_files() {
        assert_eq!(reserve(2, 16), 240);
        assert_eq!(room(4096, 176, 20_000), Ok(Room { connections: 4096, why: None }));
        assert_eq!(room(4096, 176, 4272), Ok(Room { connections: 4096, why: None }));
        let lowered = room(4096, 176, 4271).unwrap();
        assert_eq!(lowered.connections, 4095);
        let why = lowered.why.unwrap();
        for part in ["server.max_connections: 4096", "4095", "4271 open files", "176 for itself", "LimitNOFILE=4272"] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(room(1, 176, 177).unwrap().connections, 1);
        assert!(room(1, 176, 176).unwrap_err().contains("LimitNOFILE=177"));
        assert!(room(1_000_000, u64::MAX, 0).is_err());
    }

    #[test]
    fn what_a_reload_needs_beside_the_connections_is_compared_with_what_there_is() {
        assert_eq!(shortage(160, 240, 400), None);
        let said = shortage(160, 242, 400).unwrap();
        for part in
            ["transform.concurrency", "sources.*.fetch", "242 open files", "160 connections", "400", "restart", "402"]
        {
            assert!(said.contains(part), "{said}");
        }
        assert!(shortage(1, u64::MAX, 400).is_some());
    }

    #[test]
    fn raising_the_limit_leaves_it_at_what_the_machine_allows() {
        assert_eq!(raise(), most());
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), most());
    }
}
