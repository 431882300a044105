// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bytes that wait until all in front of them is decrypted, and what one stream has of them.

use std::collections::VecDeque;
use std::ops::Range;

/// Bytes of memory that a stream may keep for its next unit: as many as most pictures have.
const SPARE: usize = 256 << 10;

/// What has come in and not gone out, in its order. A position counts from the segment's start.
#[derive(Default)]
pub struct Queue {
    bytes: Vec<u8>,
    /// How much at the front of `bytes` has gone out.
    gone: usize,
    /// The position of the first byte that has not gone out.
    start: u64,
}

impl Queue {
    /// Bytes that have not gone out.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.gone
    }

    /// Adds bytes at the end, and returns the position of the first.
    pub fn append(&mut self, bytes: &[u8]) -> u64 {
        let position = self.end();
        self.bytes.extend_from_slice(bytes);
        position
    }

    /// Overwrites bytes that have not gone out.
    fn write(&mut self, position: u64, bytes: &[u8]) {
        let target = position
            .checked_sub(self.start)
            .and_then(|ahead| usize::try_from(ahead).ok())
            .and_then(|ahead| self.gone.checked_add(ahead))
            .and_then(|at| self.bytes.get_mut(at..)?.get_mut(..bytes.len()));
        debug_assert!(target.is_some(), "bytes that are written have gone out");
        if let Some(target) = target {
            target.copy_from_slice(bytes);
        }
    }

    /// Hands on all bytes in front of a position, or all there are.
    pub fn release(&mut self, before: Option<u64>, out: &mut Vec<u8>) {
        let before = before.unwrap_or(u64::MAX).min(self.end());
        let count = usize::try_from(before.saturating_sub(self.start)).unwrap_or(0);
        let end = self.gone.saturating_add(count).min(self.bytes.len());
        out.extend_from_slice(&self.bytes[self.gone..end]);
        self.start += (end - self.gone) as u64;
        self.gone = end;
        // What is left moves to the front only when there is less of it than has gone out.
        if self.gone > self.bytes.len() / 2 {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }

    fn end(&self) -> u64 {
        self.start + self.len() as u64
    }
}

/// Where a run of payload stands in the queue.
struct Span {
    position: u64,
    len: usize,
}

/// The payload of one stream, joined, from its first byte that is not settled.
#[derive(Default)]
pub struct Payload {
    bytes: Vec<u8>,
    /// How much at the front of `bytes` is settled.
    settled: usize,
    spans: VecDeque<Span>,
}

impl Payload {
    /// Adds what stands at a position of the queue.
    pub fn append(&mut self, position: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            let len = bytes.len();
            self.spans.push_back(Span { position, len });
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.settled..]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.settled..]
    }

    /// The position from which on the queue must wait for this stream.
    pub fn waits_from(&self) -> Option<u64> {
        self.spans.front().map(|span| span.position)
    }

    /// Settles the first `count` bytes, which are as they came.
    pub fn pass(&mut self, count: usize) {
        self.settle(count, |_, _| ());
    }

    /// Settles the first `count` bytes, and puts them back where they came from.
    pub fn replace(&mut self, count: usize, queue: &mut Queue) {
        self.settle(count, |position, bytes| queue.write(position, bytes));
    }

    fn settle(&mut self, count: usize, mut each: impl FnMut(u64, &[u8])) {
        let Range { mut start, end } = self.settled..self.settled + count.min(self.bytes().len());
        while start < end {
            let Some(span) = self.spans.front_mut() else {
                break;
            };
            let len = span.len.min(end - start);
            each(span.position, &self.bytes[start..start + len]);
            start += len;
            span.position += len as u64;
            span.len -= len;
            if span.len == 0 {
                self.spans.pop_front();
            }
        }
        self.settled = end;
        if self.settled > self.bytes.len() / 2 {
            self.bytes.drain(..self.settled);
            self.settled = 0;
            // Each of many streams may have a large unit once.
            if self.bytes.capacity() > SPARE && self.bytes.len() < self.bytes.capacity() / 4 {
                self.bytes.shrink_to(SPARE.max(2 * self.bytes.len()));
                self.spans.shrink_to(2 * self.spans.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_bytes_return_to_their_places() {
        let mut queue = Queue::default();
        let mut payload = Payload::default();
        let mut out = Vec::new();
        for part in [&b"-ab"[..], b"--cde", b"-f-"] {
            let position = queue.append(part);
            let first = part.iter().position(|byte| *byte != b'-').unwrap_or(0);
            let last = part.iter().rposition(|byte| *byte != b'-').unwrap_or(0);
            payload.append(position + first as u64, &part[first..=last]);
        }
        queue.release(payload.waits_from(), &mut out);
        assert_eq!(out, b"-");
        payload.bytes_mut().make_ascii_uppercase();
        payload.replace(4, &mut queue);
        queue.release(payload.waits_from(), &mut out);
        assert_eq!(out, b"-AB--CD");
        payload.pass(usize::MAX);
        assert_eq!(payload.waits_from(), None);
        queue.release(None, &mut out);
        assert_eq!(out, b"-AB--CDe-f-");
        assert_eq!(queue.len(), 0);
    }
}
