// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keyboard: each key is a message on the player's bus.

use std::io::{IsTerminal, stdin};
use std::thread;

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Next,
    Previous,
    Pause,
    Back,
    Ahead,
    Quit,
}

/// Name of the structure in the message.
const MESSAGE: &str = "key";

/// The terminal, as it was before keys were read from it one by one. It is put back when this is
/// dropped.
pub struct Terminal(Termios);

impl Terminal {
    /// Lets keys through without Enter and without an echo. `None` where standard input is no
    /// terminal.
    pub fn take() -> Option<Self> {
        let stdin = stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = termios::tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        // Ctrl-C is a key too, so that the terminal is put back.
        raw.local_flags &= !(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Where it is gone there is nothing to put back.
        let _ = termios::tcsetattr(stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Posts the keys from standard input on the bus, until it ends. That needs a thread, which stays
/// in its read when the program ends.
pub fn listen(bus: gst::Bus) {
    thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = nix::unistd::read(stdin(), &mut bytes) {
            for key in keys_in(&bytes[..count]) {
                let pressed = gst::Structure::builder(MESSAGE)
                    .field("key", key as u32)
                    .field("at", gst::get_timestamp())
                    .build();
                // Fails only where nobody listens any more.
                let _ = bus.post(gst::message::Application::new(pressed));
            }
        }
    });
}

/// The key of a message, and when it was pressed.
pub fn pressed(message: &gst::message::Application) -> Option<(Key, gst::ClockTime)> {
    let structure = message.structure().filter(|one| one.name() == MESSAGE)?;
    let key = structure.get::<u32>("key").ok()?;
    Some((
        ALL.into_iter().find(|one| *one as u32 == key)?,
        structure.get("at").ok()?,
    ))
}

const ALL: [Key; 6] = [
    Key::Next,
    Key::Previous,
    Key::Pause,
    Key::Back,
    Key::Ahead,
    Key::Quit,
];

const CTRL_C: u8 = 3;

/// A terminal sends each arrow as three bytes at once. What is no key of ours is left out.
fn keys_in(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    loop {
        let (key, rest) = match bytes {
            [] => return keys,
            [0x1b, b'[', b'D', rest @ ..] => (Some(Key::Back), rest),
            [0x1b, b'[', b'C', rest @ ..] => (Some(Key::Ahead), rest),
            [0x1b, b'[', _, rest @ ..] => (None, rest),
            [b'n', rest @ ..] => (Some(Key::Next), rest),
            [b'p', rest @ ..] => (Some(Key::Previous), rest),
            [b' ', rest @ ..] => (Some(Key::Pause), rest),
            [b',', rest @ ..] => (Some(Key::Back), rest),
            [b'.', rest @ ..] => (Some(Key::Ahead), rest),
            [b'q' | CTRL_C, rest @ ..] => (Some(Key::Quit), rest),
            [_, rest @ ..] => (None, rest),
        };
        keys.extend(key);
        bytes = rest;
    }
}
