// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the session token gets into a CDM's license request, and what becomes of a refusal.

use headend::Licenses;
use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::KINDS;
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

/// The statuses of all license requests.
fn statuses(operator: &Operator) -> Vec<Option<u16>> {
    let requests = operator.license_requests();
    requests.iter().map(|request| request.status).collect()
}

in_every_player! {
    fn refused_token_is_replaced_in_place(player: Player) {
        let operator = operator(Programme::Usual);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        drop(harness);
        operator.revoke();
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        assert_eq!(operator.token_requests().len(), 2);
        assert_eq!(statuses(&operator), [Some(200), Some(403), Some(200)]);
        // The challenge does not hold it, and is sent again.
        assert_eq!((cdm.count("construct"), cdm.count("challenge")), (2, 2));
    }
}

#[test]
fn challenge_that_holds_a_refused_token_is_made_anew() {
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new(";pack");
    let play = || {
        let setup = cdm.setup(Player::Playbin3, &operator);
        let (harness, ended) = setup.config("cdm-data", "token={token}").play();
        assert_played(&harness, &ended, &KINDS);
    };
    play();
    let first = operator.token();
    operator.revoke();
    play();
    assert_eq!(statuses(&operator), [Some(200), Some(403), Some(200)]);
    assert_eq!((cdm.count("construct"), cdm.count("challenge")), (3, 3));
    let requests = operator.license_requests();
    let packed = |number: usize| {
        let body: String = String::from_utf8_lossy(&requests[number].body).into_owned();
        body
    };
    assert!(
        packed(1).contains(&format!("token={first}")),
        "{}",
        packed(1)
    );
    let second = operator.token();
    assert!(
        packed(2).contains(&format!("token={second}")),
        "{}",
        packed(2)
    );
}

#[test]
fn custom_data_goes_to_the_cdm() {
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new(";pack");
    let setup = cdm.setup(Player::Playbin3, &operator);
    let (harness, ended) = setup.config("cdm-data", "{custom-data}").play();
    assert_played(&harness, &ended, &KINDS);
    let body = operator.license_requests()[0].body.clone();
    let body = String::from_utf8_lossy(&body);
    assert!(
        body.contains("accessToken") && body.contains("mediaUsage"),
        "{body}"
    );
}

#[test]
fn request_for_secclient_has_token_and_challenge() {
    let operator = operator(Programme::Usual);
    operator.set_licenses(Licenses::Reply {
        status: 200,
        // No license of ours: what counts is what was asked.
        body: r#"{"license":"e30="}"#.to_owned(),
    });
    let cdm = CdmBox::new("");
    let setup = cdm.setup(Player::Playbin3, &operator);
    let setup = setup
        .config("request-format", "secclient")
        .config("packing", "secclient");
    let (_harness, ended) = setup.config("timeout", 1000_u32).play();
    assert!(
        ended.error().error.message().contains("no key usable"),
        "{ended:?}"
    );
    let request = &operator.license_requests()[0];
    assert_eq!(request.content_type.as_deref(), Some("application/json"));
    let body = String::from_utf8_lossy(&request.body);
    for part in ["\"accessToken\"", "\"licenseRequest\"", "\"mediaUsage\""] {
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn what_the_cdm_names_is_asked_last_and_without_the_token() {
    let operator = operator(Programme::Usual);
    let behaviour = format!(";url={}", operator.license_url());
    let cdm = CdmBox::new(&behaviour);
    let setup = || {
        let setup = cdm.setup(Player::Playbin3, &operator);
        setup.manifest("manifest-no-laurl.mpd")
    };
    let (_harness, ended) = setup().play();
    let message = ended.error().error.message();
    assert!(message.contains("`token-hosts`"), "{message}");
    assert!(!operator.license_requests()[0].token_present);
    let (harness, ended) = setup().config("token-hosts", "127.0.0.1").play();
    assert_played(&harness, &ended, &KINDS);
}

/// The CDM packs the token into its challenge, which is sent again where a redirect leads.
#[test]
fn challenge_with_the_token_goes_only_where_the_token_may() {
    let elsewhere = operator(Programme::Usual);
    let operator = operator(Programme::Usual);
    operator.set_licenses(Licenses::Redirect {
        status: 307,
        location: elsewhere.license_url(),
    });
    let cdm = CdmBox::new(";pack");
    let setup = cdm.setup(Player::Playbin3, &operator);
    let (_harness, ended) = setup.config("cdm-data", "{token}").play();
    let message = ended.error().error.message();
    assert!(message.contains("`token-hosts`"), "{message}");
    assert_eq!(elsewhere.license_requests(), []);
}
