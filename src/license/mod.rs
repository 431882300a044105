// SPDX-License-Identifier: MIT OR Apache-2.0

//! License requests and their life, for decryptors: which keys a stream needs, which server is
//! asked with which token, what becomes of a refusal, and when there has to be another license.

mod acquisition;
mod context;
mod held;
mod kept;
mod key_request;
mod key_request_fields;
mod named_keys;
mod notice;
mod owner;
mod policy;
mod request;
mod servers;
mod servers_in_turn;
mod session;
mod shared_requests;
mod token_store;

pub use acquisition::{LicenseAcquisition, Step};
pub use context::{PollContext, Waiting};
pub use kept::forget_kept;
pub use key_request::KeyRequest;
pub use key_request_fields::KeyRequestFields;
pub use named_keys::NamedKeys;
pub use notice::LicenseNotice;
pub use policy::LicensePolicy;
pub use request::RequestParts;
pub use servers::{ManifestServers, is_relative};
pub use servers_in_turn::{Deadlines, ask};
pub use session::{LicenseSession, Missing};
pub use shared_requests::SharedRequests;
pub use token_store::{Renewal, TokenStore};
