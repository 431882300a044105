// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a stream brings for the license requests of its session, and one such request.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::cdm_data::CdmData;
use super::key_system::Family;
use super::message::{Challenge, MessageType};
use super::request_format::RequestFormat;
use crate::cenc::check_status;
use crate::error::Failure;
use crate::http::{Endpoint, HttpResponse, Purpose, TokenHosts};
use crate::license::{Deadlines, KeyRequest, LicensePolicy, ManifestServers, RequestParts, ask};

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
    pub fn is_stale(&self, generation: u32) -> bool {
        self.packs_token() && self.request.generation() != generation
    }

    /// Whether the CDM is given the token to pack it into its challenge.
    fn packs_token(&self) -> bool {
        self.cdm_data.as_ref().is_some_and(CdmData::has_place)
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

    /// How the challenge goes: individualization is between the CDM and its maker.
    fn format_of(&self, challenge: &Challenge) -> RequestFormat {
        match challenge.kind {
            MessageType::Individualization => RequestFormat::Challenge,
            _ => self.format,
        }
    }

    /// Whether the token is in the request's body, or may be: the CDM was given it to pack.
    fn is_in_body(&self, challenge: &Challenge) -> bool {
        let is_for_license = challenge.kind != MessageType::Individualization;
        let is_packed = self.packs_token() || self.format == RequestFormat::SecClient;
        is_for_license && is_packed && self.request.token().is_some()
    }

    /// One request for a license.
    pub async fn ask(&self, challenge: &Challenge) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let (urls, hosts) = self.servers(challenge)?;
        let format = self.format_of(challenge);
        let mut parts = RequestParts::new(urls, &self.request, &self.policy);
        parts.token_hosts = hosts;
        let body = format.body(&challenge.body, self.request.custom_data())?;
        let content_type = match format.content_type() {
            Some(content_type) => content_type.into(),
            None => challenge.content_type(self.family),
        };
        let own = challenge.other_headers();
        let headers: Vec<_> = own
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let token_in_body = self.is_in_body(challenge);
        let request = |url: &Endpoint| {
            let mut request = parts.to(url, content_type.clone(), body.clone());
            request.headers.extend(headers.iter().cloned());
            request.purpose = Some(Purpose::CdmLicense);
            request.token_in_body = token_in_body;
            request
        };
        let read = |reply: &HttpResponse| {
            check_status(reply)?;
            format.read(&reply.body)
        };
        let deadlines = Deadlines::new(self.policy.timeout, self.policy.retries);
        let (license, _) = ask(&parts.urls, request, &deadlines, read).await?;
        Ok(license)
    }
}
