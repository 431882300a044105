// SPDX-License-Identifier: MIT OR Apache-2.0

//! Transport packets (ISO/IEC 13818-1, 2.4.3.2).

pub const PACKET: usize = 188;

pub const SYNC_BYTE: u8 = 0x47;

/// Where a packet's payload begins (2.4.3.3).
pub fn payload_start(packet: &[u8; PACKET]) -> Option<usize> {
    let start = match packet[3] >> 4 & 3 {
        1 => 4,
        // The adaptation field is behind its length.
        3 => 5 + usize::from(packet[4]),
        _ => return None,
    };
    (start < PACKET).then_some(start)
}

/// Follows `continuity_counter`.
#[derive(Default)]
pub struct Continuity {
    counter: Option<u8>,
    /// The last payload, to know it when it comes again.
    payload: Vec<u8>,
}

pub enum Order {
    Next,
    /// The same packet again, which a demuxer is to drop (2.4.3.3).
    Repeated,
    /// Packets are missing, or the counter starts anew.
    Broken,
}

impl Continuity {
    pub fn next(&mut self, packet: &[u8; PACKET], payload: &[u8]) -> Order {
        let counter = packet[3] & 0xf;
        let order = match self.counter {
            Some(last) if last == counter && self.payload == payload => Order::Repeated,
            Some(last) if (last + 1) & 0xf != counter => Order::Broken,
            Some(_) | None => Order::Next,
        };
        self.counter = Some(counter);
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        order
    }
}
