//! The scripted PSP API of the stand-ins, as the tests use it: what goes wrong with it, or does not come, is a failure.

use std::net::SocketAddr;
use std::ops::Deref;

use transform_relay::proof::stand_in::{Call, PspApi};

use super::within;

pub(crate) use transform_relay::proof::stand_in::Scripted as Told;

/// An API on 127.0.0.1. A call beyond the script gets the object of its path, or 404.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    stand_in: PspApi,
}

impl Api {
    pub(crate) fn start() -> Self {
        let stand_in = PspApi::start().unwrap();
        Self { address: stand_in.address(), stand_in }
    }

    /// `http://address:port`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits for the n-th call; all so far.
    pub(crate) async fn nth(&self, n: usize) -> Vec<Call> {
        within(&format!("call {n}"), self.called(n)).await
    }
}

impl Deref for Api {
    type Target = PspApi;

    fn deref(&self) -> &Self::Target {
        &self.stand_in
    }
}
