// SPDX-License-Identifier: MIT OR Apache-2.0

//! The connections of the server, bounded. Any process of this machine may open some: the ones that
//! have not asked for anything that is here make room for new ones, the oldest first. What the
//! demuxer has asked on is never closed by us.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::wait::lock;

/// Connections at a time. A demuxer has two, or one for each stream.
pub const MAX_CONNECTIONS: usize = 64;

#[derive(Default)]
pub struct Connections(Mutex<State>);

#[derive(Default)]
struct State {
    open: HashSet<u64>,
    /// Those that have not asked for anything that is here, the oldest first.
    strangers: BTreeMap<u64, Arc<Notify>>,
    last: u64,
}

/// One connection. Its place is free when this is dropped.
pub struct Connection {
    connections: Arc<Connections>,
    number: u64,
    evicted: Arc<Notify>,
}

impl Connections {
    /// A place for a new connection, or `None` where all others are the demuxer's.
    pub fn open(self: &Arc<Self>) -> Option<Connection> {
        let mut state = lock(&self.0);
        if state.open.len() >= MAX_CONNECTIONS {
            let (number, evicted) = state.strangers.pop_first()?;
            state.open.remove(&number);
            evicted.notify_one();
        }
        state.last += 1;
        let number = state.last;
        let evicted = Arc::<Notify>::default();
        state.open.insert(number);
        state.strangers.insert(number, evicted.clone());
        Some(Connection {
            connections: self.clone(),
            number,
            evicted,
        })
    }
}

impl Connection {
    /// It has asked for something that is here.
    pub fn record_known(&self) {
        lock(&self.connections.0).strangers.remove(&self.number);
    }

    /// Returns when its place is given to another one.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = lock(&self.connections.0);
        state.open.remove(&self.number);
        state.strangers.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn is_evicted(connection: &Connection) -> bool {
        connection.evicted().now_or_never().is_some()
    }

    #[test]
    fn oldest_stranger_makes_room() {
        let connections = Arc::<Connections>::default();
        let open = || connections.open().expect("a place");
        let mut all: Vec<_> = (0..MAX_CONNECTIONS).map(|_| open()).collect();
        all[0].record_known();
        all.push(open());
        let evicted: Vec<_> = all.iter().map(is_evicted).collect();
        assert_eq!(evicted.iter().filter(|evicted| **evicted).count(), 1);
        assert!(evicted[1]);
        // It gives up a place that is no longer its own.
        drop(all.remove(1));
        assert_eq!(lock(&connections.0).open.len(), MAX_CONNECTIONS);
        all.iter().for_each(Connection::record_known);
        assert!(connections.open().is_none());
        drop(all);
        assert!(lock(&connections.0).open.is_empty());
        assert!(connections.open().is_some());
    }
}
