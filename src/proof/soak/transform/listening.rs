//! Listening of the stand-in for Transform: on one port, in every mood but the one that refuses connections.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};

use super::stand_in::Transform;
use crate::proof::soak::script::Mood;
use crate::proof::soak::world::World;

impl Transform {
    /// Makes a stand-in that listens.
    pub(in crate::proof::soak) fn start(world: Arc<World>) -> anyhow::Result<Arc<Self>> {
        let transform = Arc::new(Self::new(world)?);
        let listener = transform.listen()?;
        tokio::spawn(Arc::clone(&transform).accept(listener));
        Ok(transform)
    }

    fn listen(&self) -> anyhow::Result<TcpListener> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        Ok(socket.listen(1024)?)
    }

    async fn accept(self: Arc<Self>, first: TcpListener) {
        let mut mood = self.mood.subscribe();
        let mut listener = Some(first);
        loop {
            if *mood.borrow_and_update() == Mood::Refused {
                listener = None;
            }
            let Some(open) = &listener else {
                if mood.wait_for(|mood| *mood != Mood::Refused).await.is_err() {
                    return;
                }
                match self.listen() {
                    Ok(again) => listener = Some(again),
                    Err(error) => self.world.violated(format!("the stand-in cannot listen again: {error:#}")),
                }
                continue;
            };
            tokio::select! {
                accepted = open.accept() => if let Ok((stream, _)) = accepted {
                    tokio::spawn(Arc::clone(&self).converse(stream));
                },
                changed = mood.changed() => if changed.is_err() { return },
            }
        }
    }
}
