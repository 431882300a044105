// SPDX-License-Identifier: MIT OR Apache-2.0

//! OpenCDM, the interface by which RDK's boxes have Widevine and PlayReady: the library, its
//! sessions, and what becomes of their challenges.

mod abi;
mod callbacks;
mod cdm_data;
mod cdm_session;
mod control;
mod init_data;
mod key_status;
mod key_system;
mod library;
mod license_life;
mod machine;
mod message;
mod opening;
mod phase;
mod request_format;
mod requester;
mod requesters;
mod session_events;
mod session_keys;
mod session_task;
mod session_view;
mod sessions;
mod shared_session;

pub use cdm_data::CdmData;
pub use cdm_session::{CdmSession, SampleProtection};
pub use init_data::{for_cdm, for_key_ids, listed_key_ids};
pub use key_status::KeyStatus;
pub use key_system::{Family, SYSTEMS, is_same, key_system, protection_system};
pub use opening::Opening;
pub use request_format::RequestFormat;
pub use requester::Requester;
pub use requesters::Member;
pub use session_events::{KeyState, Notice};
pub use session_keys::KeyName;
pub use session_view::Origin;
pub use sessions::{forget_kept, join, leave};
pub use shared_session::SharedSession;

#[cfg(test)]
mod hostile_tests;
