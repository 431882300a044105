// SPDX-License-Identifier: MIT OR Apache-2.0

//! The head-end as the players' process has it: all that it does is ordered of the test's process.

use headend::{Auth, Licenses};

use crate::apart;
use crate::orders::{Asked, Order, WITHOUT_SOUND};
use crate::player::Player;
use crate::programme::Programme;
use crate::script::{Account, Outcome};
use crate::show::{KINDS, Kind};

/// An auth service that grants this token.
pub fn granting(token: String) -> Auth {
    Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: format!(r#"{{"token":"{token}","status":0,"expires":3600}}"#),
    }
}

/// Where the servers are.
#[derive(Clone, Debug)]
pub struct Place {
    pub origin: String,
    pub auth_url: String,
    pub license_url: String,
}

/// The head-end with what is on in a step, and the account of that step.
#[derive(Clone)]
pub struct Operator {
    place: Place,
    location: String,
    programme: Programme,
    path: &'static str,
    kinds: &'static [Kind],
}

/// Has it carried out, and says what has been asked in this step.
fn order(order: &Order) -> Asked {
    let text = serde_json::to_string(order).expect("it is plain");
    serde_json::from_str(&apart::order(&text)).expect("an answer")
}

impl Operator {
    pub fn new(place: &Place, account: Account, number: usize, programme: Programme) -> Self {
        Self {
            place: place.clone(),
            location: match account {
                Account::Common => place.auth_url.clone(),
                Account::Own => format!("{}?account={number}", place.auth_url),
            },
            programme,
            path: programme.path(),
            kinds: programme.kinds(),
        }
    }

    /// With media that a player can be stopped in before they end. In playbin3 that takes a single stream; see the one of the playback tests.
    pub fn for_stopping(mut self, player: Player) -> Self {
        if player == Player::Playbin3 && self.kinds.len() > 1 {
            assert_eq!(self.programme, Programme::Usual, "there is no other");
            self.path = WITHOUT_SOUND;
            self.kinds = &KINDS[..1];
        }
        self
    }

    /// A step begins.
    pub fn begin(step: String) {
        order(&Order::Begin(step));
    }

    /// Waits until what was asked in this step is what is expected.
    pub fn expect(outcome: &Outcome) {
        order(&Order::Expect(Asked {
            tokens: outcome.tokens.clone(),
            licenses: outcome.licenses.clone(),
        }));
    }

    pub fn location(&self) -> &str {
        &self.location
    }

    pub fn uri(&self) -> String {
        format!("{}{}", self.place.origin, self.path)
    }

    pub fn license_url(&self) -> String {
        self.place.license_url.clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.place.origin)
    }

    pub fn programme(&self) -> Programme {
        self.programme
    }

    pub fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    pub fn set_auth(&self, auth: Auth) {
        order(&Order::Auth(auth));
    }

    pub fn set_licenses(&self, licenses: Licenses) {
        order(&Order::Licenses(licenses));
    }

    pub fn set_refusal(&self, status: u16) {
        order(&Order::Refusal(status));
    }

    /// Those that hang included, once they are released.
    pub fn refuse_tokens(&self, status: u16) {
        order(&Order::NoToken(status));
    }

    pub fn revoke(&self) {
        order(&Order::Revoke);
    }

    pub fn release(&self) {
        order(&Order::Release);
    }

    pub fn release_licenses(&self) {
        order(&Order::ReleaseLicenses);
    }

    pub fn restart(&self) {
        order(&Order::Restart);
    }

    pub fn token_requests(&self) -> Vec<Option<u16>> {
        order(&Order::Look).tokens
    }

    pub fn catch_up(&self) {
        order(&Order::CatchUp);
    }

    pub fn wait_for_token_requests(&self, count: usize) {
        order(&Order::WaitForTokenRequests(count));
    }

    pub fn wait_for_license_requests(&self, count: usize) {
        order(&Order::WaitForLicenseRequests(count));
    }
}
