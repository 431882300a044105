// SPDX-License-Identifier: MIT OR Apache-2.0

//! The head-end as the players' process has it: all that it does the test's process is told to do.

use headend::{Auth, Licenses};
use support::fixtures::Programme;
use support::player::Player;
use support::player_harness::{HeadendControl, KINDS, Kind};
use support::subprocess;

use crate::commands::{Asked, Command, WITHOUT_SOUND};
use crate::script::{Account, Outcome};

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
fn carry_out(command: &Command) -> Asked {
    let text = serde_json::to_string(command).expect("it is plain");
    serde_json::from_str(&subprocess::order(&text)).expect("an answer")
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

    /// With media that a player can be stopped in before they end. In playbin3 that takes a single
    /// stream, as `tests/support/src/operator.rs` explains.
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
        carry_out(&Command::Begin(step));
    }

    /// Waits until what was asked in this step is what is expected.
    pub fn expect(outcome: &Outcome) {
        carry_out(&Command::Expect(Asked {
            tokens: outcome.tokens.clone(),
            licenses: outcome.licenses.clone(),
        }));
    }

    pub fn license_url(&self) -> String {
        self.place.license_url.clone()
    }

    pub fn set_refusal(&self, status: u16) {
        carry_out(&Command::Refusal(status));
    }

    /// Those that hang included, once they are released.
    pub fn refuse_tokens(&self, status: u16) {
        carry_out(&Command::NoToken(status));
    }

    pub fn release(&self) {
        carry_out(&Command::Release);
    }

    pub fn restart(&self) {
        carry_out(&Command::Restart);
    }
}

impl HeadendControl for Operator {
    fn programme(&self) -> Programme {
        self.programme
    }

    fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.place.origin)
    }

    fn uri(&self) -> String {
        self.url(self.path)
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn set_auth(&self, auth: Auth) {
        carry_out(&Command::Auth(auth));
    }

    fn set_licenses(&self, licenses: Licenses) {
        carry_out(&Command::Licenses(licenses));
    }

    fn revoke(&self) {
        carry_out(&Command::Revoke);
    }

    fn release_licenses(&self) {
        carry_out(&Command::ReleaseLicenses);
    }

    fn token_request_count(&self) -> usize {
        carry_out(&Command::Look).tokens.len()
    }

    fn catch_up(&self) {
        carry_out(&Command::CatchUp);
    }

    fn wait_for_token_requests(&self, count: usize) {
        carry_out(&Command::WaitForTokenRequests(count));
    }

    fn wait_for_license_requests(&self, count: usize) {
        carry_out(&Command::WaitForLicenseRequests(count));
    }
}
