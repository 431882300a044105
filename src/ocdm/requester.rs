// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a stream brings for the license requests of its session, and one such request: from the
//! CDM's challenge to the license, with another token where one is refused.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use zeroize::Zeroizing;

use super::cdm_data::CdmData;
use super::key_system::Family;
use super::message::{Challenge, MessageType};
use super::request_format::RequestFormat;
use crate::cenc::check_status;
use crate::error::Failure;
use crate::http::{Endpoint, HttpResponse, Purpose, TokenHosts};
use crate::license::{
    Deadlines, KeyRequest, LicenseAcquisition, LicensePolicy, ManifestServers, RequestParts, Step,
    Waiting, ask,
};
use crate::shared_result::SharedResult;
use crate::token::ClockReading;
use crate::wait::lock;

/// What a stream brings.
#[derive(Clone)]
pub struct Requester {
    pub policy: Arc<LicensePolicy>,
    pub servers: ManifestServers,
    /// The license server that PlayReady's header names.
    pub header_url: Option<String>,
    pub request: KeyRequest,
    pub cdm_data: Option<CdmData>,
    pub format: RequestFormat,
    pub family: Family,
}

/// What came of a challenge.
pub enum Answer {
    License(Zeroizing<Vec<u8>>),
    /// The challenge holds a token that has been replaced.
    StaleChallenge,
    Failed(Failure),
}

impl Requester {
    /// What the CDM is to put into its challenge, with the newest token, and that token's
    /// generation. To be called where waiting harms nobody.
    pub fn cdm_data(&mut self) -> (Option<Zeroizing<Vec<u8>>>, u32) {
        // Where it is not valid any more, the license request gets another one.
        let _ = self.request.use_newest_token();
        let filled = self.cdm_data.as_ref().map(|data| data.fill(&self.request));
        (filled, self.request.generation())
    }

    /// Whether a challenge that was made with the token of that generation is one no longer.
    fn is_stale(&self, generation: u32) -> bool {
        let has_place = self.cdm_data.as_ref().is_some_and(CdmData::has_place);
        has_place && self.request.generation() != generation
    }

    /// Whom to ask, and who of them may have the token.
    fn servers(&self, challenge: &Challenge) -> Result<(Vec<Endpoint>, TokenHosts), Failure> {
        let policy = &self.policy;
        let own = |setting| -> Option<Result<Endpoint, Failure>> {
            let url = challenge.url.as_deref()?;
            Some(Endpoint::parse(url, setting, policy.allow_cleartext))
        };
        if challenge.kind == MessageType::Individualization
            && let Some(url) = own("the CDM's URL for individualization")
        {
            return Ok((vec![url?], policy.token_hosts.clone().unwrap_or_default()));
        }
        let failure = match self.servers.endpoints(policy) {
            Ok(urls) => {
                let hosts = policy.token_hosts(&urls);
                return Ok((urls, hosts));
            }
            Err(failure) => failure,
        };
        if let Some(url) = &self.header_url {
            let url = Endpoint::parse(url, "LA_URL", policy.allow_cleartext)?;
            let hosts = policy.token_hosts(std::slice::from_ref(&url));
            return Ok((vec![url], hosts));
        }
        // What the CDM says is the last resort, and nobody whom it names gets the token for that.
        match own("the CDM's license URL") {
            Some(url) => Ok((vec![url?], policy.token_hosts.clone().unwrap_or_default())),
            None => Err(failure),
        }
    }

    /// One request for a license.
    async fn ask(&self, challenge: &Challenge) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let (urls, hosts) = self.servers(challenge)?;
        let mut parts = RequestParts::new(urls, &self.request, &self.policy);
        parts.token_hosts = hosts;
        let body = self
            .format
            .body(&challenge.body, self.request.custom_data())?;
        let content_type = match self.format.content_type() {
            Some(content_type) => content_type.into(),
            None => challenge.content_type(self.family),
        };
        let own = challenge.other_headers();
        let headers: Vec<_> = own
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let request = |url: &Endpoint| {
            let mut request = parts.to(url, content_type.clone(), body.clone());
            request.headers.extend(headers.iter().cloned());
            request.purpose = Some(Purpose::CdmLicense);
            request
        };
        let read = |reply: &HttpResponse| {
            check_status(reply)?;
            self.format.read(&reply.body)
        };
        let deadlines = Deadlines::new(self.policy.timeout, self.policy.retries);
        let (license, _) = ask(&parts.urls, request, &deadlines, read).await?;
        Ok(license)
    }
}

fn waiting_by<'a>(policy: &'a LicensePolicy, waker: &'a Waker) -> Waiting<'a> {
    Waiting {
        policy,
        waker,
        now: ClockReading::now(),
    }
}

/// Sends the challenge, which was made with the token of that generation, until there is a license
/// or no point in asking. Another token that it takes stays with the stream.
pub async fn license_for(
    requester: Arc<Mutex<Requester>>,
    challenge: Challenge,
    generation: u32,
) -> Answer {
    let mut is_valid = true;
    loop {
        let mut now = lock(&requester).clone();
        let policy = now.policy.clone();
        if std::mem::take(&mut is_valid) {
            // The store is code of another element's.
            let newest = tokio::task::spawn_blocking(move || {
                let is_valid = now.request.use_newest_token();
                (now, is_valid)
            });
            match newest.await {
                Ok((newest, valid)) => (now, is_valid) = (newest, valid),
                Err(_) => return Answer::Failed(Failure::transient("the token's store failed")),
            }
        } else {
            is_valid = true;
        }
        if is_valid && now.is_stale(generation) {
            lock(&requester).request = now.request;
            return Answer::StaleChallenge;
        }
        let noop = Waker::noop();
        let token = match is_valid {
            true => None,
            false => LicenseAcquisition::token((), &now.request, waiting_by(&policy, noop)).ok(),
        };
        let mut acquisition = match token {
            Some(acquisition) => acquisition,
            None => {
                let (result, completer) = SharedResult::pending(Err(Failure::transient("")));
                completer.complete(now.ask(&challenge).await);
                let waiting = waiting_by(&policy, noop);
                LicenseAcquisition::license((), &now.request, (result, false), waiting)
            }
        };
        let step = loop {
            let until = tokio::time::Instant::from_std(acquisition.until());
            let mut waiting = Some(acquisition);
            let stepped = poll_fn(|context| {
                let Some(one) = waiting.take() else {
                    return Poll::Pending;
                };
                match one.step(
                    &mut now.request,
                    false,
                    waiting_by(&policy, context.waker()),
                ) {
                    Step::Wait(one) => {
                        waiting = Some(one);
                        Poll::Pending
                    }
                    step => Poll::Ready(step),
                }
            });
            match tokio::time::timeout_at(until, stepped).await {
                Ok(Step::Refused(one) | Step::Wait(one)) => acquisition = one,
                Ok(step) => break step,
                Err(_) => match waiting.take() {
                    // It is overdue, and says so.
                    Some(one) => acquisition = one,
                    None => return Answer::Failed(Failure::timed_out("no license in time")),
                },
            }
        };
        lock(&requester).request = now.request.clone();
        match step {
            Step::Granted { granted, .. } => return Answer::License(granted),
            Step::Failed(failure) => return Answer::Failed(failure),
            // It is the newest, and has been taken over above.
            _ if now.is_stale(generation) => return Answer::StaleChallenge,
            _ => is_valid = true,
        }
    }
}
