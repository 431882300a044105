// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a session needs of `tokio::sync::watch`, on the model checker's locks. As there, the value
//! is changed under a lock, and who waits for a change is woken after it.

use std::future::poll_fn;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Poll, Waker};

use shuttle::sync::{Mutex, MutexGuard};

use crate::wait::lock;

struct Channel<T> {
    value: T,
    version: u64,
    is_closed: bool,
    waiting: Vec<Waker>,
}

pub struct Sender<T>(Arc<Mutex<Channel<T>>>);

pub struct Receiver<T> {
    channel: Arc<Mutex<Channel<T>>>,
    seen: u64,
}

/// The sender is gone.
#[derive(Debug)]
pub struct Closed;

pub struct Ref<'a, T>(MutexGuard<'a, Channel<T>>);

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Sender<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Channel {
            value,
            version: 0,
            is_closed: false,
            waiting: Vec::new(),
        })))
    }

    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) {
        let mut channel = lock(&self.0);
        if modify(&mut channel.value) {
            channel.version += 1;
            let waiting = std::mem::take(&mut channel.waiting);
            drop(channel);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(lock(&self.0))
    }

    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            channel: self.0.clone(),
            seen: lock(&self.0).version,
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut channel = lock(&self.0);
        channel.is_closed = true;
        let waiting = std::mem::take(&mut channel.waiting);
        drop(channel);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl<T> Receiver<T> {
    pub fn mark_unchanged(&mut self) {
        self.seen = lock(&self.channel).version;
    }

    pub async fn changed(&mut self) -> Result<(), Closed> {
        let (channel, seen) = (&self.channel, &mut self.seen);
        poll_fn(|cx| {
            let mut channel = lock(channel);
            if channel.version != *seen {
                *seen = channel.version;
                return Poll::Ready(Ok(()));
            }
            if channel.is_closed {
                return Poll::Ready(Err(Closed));
            }
            channel.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
