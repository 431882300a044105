// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens in the background, where no event waits for a token: a warm-up, and renewals.

use super::app_token::AppTokens;
use super::effect::{Effect, Severity};
use super::provider::TokenProvider;
use super::state::{APPLICATION, Application, Tune};
use crate::error::Failure;
use crate::session::{Answer, SessionEvent};
use crate::token::Token;

impl<E: Clone> TokenProvider<E> {
    /// The session that this tune uses has done something. Of its first token, and of why there is
    /// none, a stream says more than this could.
    pub fn on_session_event(&mut self, event: SessionEvent, effects: &mut Vec<Effect>) {
        let Some(tune) = &mut self.tune else {
            return;
        };
        let service = tune.policy().source.nick();
        match event {
            SessionEvent::Renewed(Ok(token)) => {
                let service = tune.service_of(&token);
                effects.push(Effect::Renewed { service, token });
            }
            SessionEvent::Renewed(Err(failure)) => {
                effects.push(Effect::RenewalFailed { service, failure });
            }
            SessionEvent::Fetched(result) if tune.is_warm_up => {
                let service = result
                    .as_ref()
                    .map_or(service, |token| tune.service_of(token));
                tune.report_warm_up(service, result, false, effects);
            }
            SessionEvent::Fetched(_) => {}
        }
    }
}

impl<E: Clone> Tune<E> {
    /// Tells of a warm-up that has its token, or its failure, at once.
    pub fn report_at_hand(
        &self,
        app: &AppTokens,
        answer: Option<Answer>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_warm_up {
            return;
        }
        let service = self.policy.source.nick();
        let (service, result) = match (app.property(), &self.file, &self.application, answer) {
            (Some(given), ..) => (APPLICATION, given.clone()),
            (_, Some(given), ..) => (service, given.clone()),
            (_, _, Application::Gave(given), _) => (APPLICATION, given.clone()),
            (.., Some(Answer::Token(token))) => (self.service_of(&token), Ok(token)),
            (.., Some(Answer::Failed(failure))) => (service, Err(failure)),
            _ => return,
        };
        self.report_warm_up(service, result, true, effects);
    }

    fn report_warm_up(
        &self,
        service: &'static str,
        result: Result<Token, Failure>,
        cached: bool,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(match result {
            Ok(token) => Effect::Ready {
                service,
                token,
                cached,
            },
            Err(failure) => Effect::Failed {
                service,
                failure,
                severity: Severity::MessageOnly,
            },
        });
    }
}
