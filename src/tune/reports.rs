// SPDX-License-Identifier: MIT OR Apache-2.0

//! What changes a tune from outside, and what the application is told of it.

use super::app_token::{AppToken, AppTokens};
use super::effect::{Effect, Report};
use super::state::{APPLICATION, Application, Tune};
use super::wait_time::WaitTime;
use crate::token::{ClockReading, Token, TokenOrigin, is_rejected};

/// Rejected generations that are remembered: after three in a row there is no other token.
const MAX_REJECTED: usize = 16;

impl<E: Clone> Tune<E> {
    /// The license side has rejected the token of that generation, which is the application's own.
    /// `file` is what the file holds now.
    /// Nobody has refused one that has only ended (`http_status` 0).
    pub fn reject_own(
        &mut self,
        generation: u32,
        http_status: u32,
        file: Option<AppToken>,
        app: &AppTokens,
        now: ClockReading,
    ) {
        let given = match &self.application {
            Application::Gave(given) => Some(given),
            _ => None,
        };
        let own = [app.property(), self.file.as_ref(), given];
        let own = own.into_iter().flatten().flatten();
        // What went out last may be the application's, while that is asked for another one.
        let last = self.last.as_ref().map(|(token, _)| token);
        for token in own.chain(last) {
            let is_refused = http_status != 0 || token.validity().is_valid(now);
            if token.generation() == generation && is_refused {
                token.reject();
            }
        }
        if matches!(given, Some(Ok(token)) if token.is_rejected()) {
            // It is asked for another one.
            self.application = Application::NotAsked;
        }
        if matches!(file, Some(Ok(_))) {
            self.file = file;
        }
    }

    /// Where the token of that generation came from, if it is the last one that went out.
    pub fn origin_of(&self, generation: u32) -> Option<TokenOrigin> {
        let (token, _) = self.last.as_ref()?;
        (token.generation() == generation).then(|| token.origin().clone())
    }

    /// Whether the token of that generation is rejected, and the application has not been told.
    pub fn is_new_rejection(&mut self, generation: u32) -> bool {
        self.last.take_if(|(token, _)| token.is_rejected());
        let is_new = is_rejected(generation) && !self.rejected.contains(&generation);
        if is_new {
            if self.rejected.len() == MAX_REJECTED {
                self.rejected.remove(0);
            }
            self.rejected.push(generation);
        }
        is_new
    }

    /// Has the next event ask anew, with what is at hand going on until there is something else.
    /// `file` is what the file holds now.
    pub fn refresh(&mut self, file: Option<AppToken>, app: &mut AppTokens, now: ClockReading) {
        if matches!(file, Some(Ok(_))) || !matches!(self.file, Some(Ok(_))) {
            self.file = file;
        }
        self.take_answer(app);
        // Whoever is being asked is not asked twice.
        if !matches!(self.application, Application::Pending(_)) {
            self.application = Application::NotAsked;
            self.is_refreshing = self.last.is_some();
        }
        self.begin_anew(now);
    }

    /// Forgets all tokens, and has the next event ask anew.
    pub fn clear(&mut self, file: Option<AppToken>, now: ClockReading) {
        self.file = file;
        self.application = Application::NotAsked;
        self.last = None;
        self.is_refreshing = false;
        self.pending = None;
        self.begin_anew(now);
    }

    fn begin_anew(&mut self, now: ClockReading) {
        self.failed = None;
        self.waited_in_vain = None;
        self.has_reported_failure = false;
        self.has_reported_no_other = false;
        self.wait.end(now.steady);
    }

    /// Tells the application of this token, unless it knows.
    pub fn announce(&mut self, token: &Token, app: &AppTokens, effects: &mut Vec<Effect>) {
        let service = match &self.last {
            Some((last, service)) if last.generation() == token.generation() => service,
            _ => self.source_nick(app),
        };
        let now = (service, token.generation());
        let before = self.announced.replace(now);
        if before == Some(now) {
            return;
        }
        let report = Report {
            waited: self.wait.total(),
            latency: token.origin().latency,
            overlap: self.wait.take_overlap(token),
            cached: !std::mem::take(&mut self.began_request),
            refreshed: before.is_some(),
        };
        self.report = Some(report);
        effects.push(Effect::Acquired {
            service,
            token: token.clone(),
            report,
        });
    }

    pub fn wait_time(&self) -> &WaitTime {
        &self.wait
    }

    /// What the application was told of the token that was handed out last.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The generation of the token that was handed out last.
    pub fn generation(&self) -> Option<u32> {
        self.announced.map(|(_, generation)| generation)
    }

    /// Who gave that token of the session's: where no request was made it was the application.
    pub fn service_of(&self, token: &Token) -> &'static str {
        match token.origin().attempts {
            0 => APPLICATION,
            _ => self.policy.source.nick(),
        }
    }

    /// Where the token comes from, or should.
    pub fn source_nick(&self, app: &AppTokens) -> &'static str {
        match self.uses_app_token(app, false) {
            true => APPLICATION,
            false => self.policy.source.nick(),
        }
    }

    /// Whether the application gives the tokens itself. `has_handler` says whether it listens to
    /// `request-token`.
    pub fn uses_app_token(&self, app: &AppTokens, has_handler: bool) -> bool {
        app.property().is_some()
            || match self.application {
                Application::Pending(_) | Application::Gave(_) => true,
                Application::NotAsked => has_handler,
                Application::Declined => false,
            }
    }
}
