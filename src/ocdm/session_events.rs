// SPDX-License-Identifier: MIT OR Apache-2.0

//! What comes to a session's state machine, and what comes out of it.

use zeroize::Zeroizing;

use super::key_status::KeyStatus;
use super::message::Challenge;
use super::session_keys::KeyName;
use crate::cenc::KeyId;
use crate::error::Failure;

/// Something that has come.
pub enum Event {
    /// The CDM has a session.
    Constructed,
    NotConstructed(Failure),
    /// The CDM wants that sent.
    Challenge(Challenge),
    /// The CDM says what can be done with a key.
    Key(KeyName, KeyStatus),
    /// The CDM has said that of all keys.
    AllKeys,
    /// The CDM complains, in words of its own.
    Complaint(String),
    /// The license server has answered.
    License(Zeroizing<Vec<u8>>),
    NoLicense(Failure),
    /// Nobody has the session who could ask.
    NobodyAsks,
    /// There is another token, which the challenge would have to hold.
    StaleChallenge,
    /// The CDM has taken the answer.
    Updated,
    NotUpdated(Failure),
}

/// Something to be done.
#[derive(PartialEq, Eq)]
pub enum Effect {
    /// Make a session, in the place of the one that there is.
    Construct,
    /// Send that to the license server.
    Request(Challenge),
    /// Hand the answer to the CDM.
    Update(Zeroizing<Vec<u8>>),
    /// Tell the application.
    Tell(Notice),
}

/// What the application is told of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// What can be done with a key has changed; with those that the CDM does not name, if that is
    /// `None`.
    Key(Option<KeyId>, KeyStatus),
    /// A license has come. `is_renewal`: while the one before was good.
    Licensed { is_renewal: bool },
    /// There is none; the one at hand goes on to its end.
    RenewalFailed(Failure),
}

/// What can be done with a key now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    Usable,
    /// It may come; the session is looked at again when it changes.
    Pending,
    /// The CDM has it, and does not let it be used for now.
    Restricted(KeyStatus),
    /// It could be used, and has ended: the session is to be told that somebody wants it.
    Ended,
    /// The CDM has it, and it cannot be used.
    Unusable(KeyStatus),
    /// The session has no such key.
    Missing,
    /// The CDM has something that can be used, does not name it, and was asked for other keys.
    Perhaps,
    /// The session has failed.
    Failed(Failure),
}
