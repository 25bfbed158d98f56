//! The limit of open files, sockets included: the machine's limit, the relay's own need, and the rest for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The files that the relay opens for itself: those of the store and its readers, of the runtime, of certificate fetches, of
/// a reload and of `/readyz`. Some 50 were counted; the rest is a reserve.
const OWN: u64 = 192;
/// The files that each worker thread of the server opens for itself.
const EACH_WORKER: u64 = 8;
/// The files of a call to Transform or a PSP: one connection, and perhaps another one left open for the next call.
const EACH_CALL: u64 = 2;

/// The most files that are open beside clients' connections, with this number of server workers and of concurrent calls.
#[must_use]
pub fn reserve(workers: usize, calls: usize) -> u64 {
    let each = |many: usize, each: u64| u64::try_from(many).unwrap_or(u64::MAX).saturating_mul(each);
    OWN.saturating_add(each(workers, EACH_WORKER)).saturating_add(each(calls, EACH_CALL))
}

/// The most files that the machine would let the relay have open at once.
#[must_use]
pub fn most() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Raises the limit to the machine's maximum and returns it. The lower default of most machines is meant for programs that
/// cannot deal with more.
pub fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(
                %error,
                "the limit of open files could not be raised to the machine's maximum; the lower limit stays, and fewer \
                 connections may be served. Raise it yourself (ulimit -n, LimitNOFILE)"
            );
            limit.current
        }
    }
    .unwrap_or(u64::MAX)
}

/// The connections that may be served at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The number of connections.
    pub connections: usize,
    /// The reason why there are fewer than configured, and the remedy.
    pub why: Option<String>,
}

/// The configured connections, as far as the relay's own files leave room for them.
///
/// # Errors
/// There is no room for any; the reason and the remedy.
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
        "server.max_connections: {configured} connections are more than the limit of open files leaves, and {left} are served at once: {limit}; \
         {remedy}, or set it to {left} or less"
    );
    Ok(Room { connections: left, why: Some(why) })
}

/// The warning, if the connections that are served leave the relay fewer files than it needs with its new options.
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
