// SPDX-License-Identifier: MIT OR Apache-2.0

//! The side of the application: tokens of its own, and its orders.

use super::app_token::{AppToken, AppTokens};
use super::call::Call;
use super::policy::{Policy, Source};
use super::provider::TokenProvider;
use super::state::Tune;
use crate::error::Failure;
use crate::token::{ClockReading, Secret};

impl<E: Clone> TokenProvider<E> {
    /// The application's property has another text, or none. Who waits is to be woken.
    pub fn set_property(&mut self, text: Option<Secret>, own_correlation_id: Option<&str>) {
        let of_tune = self
            .policy()
            .and_then(|policy| policy.correlation_id.clone());
        let correlation_id = of_tune.as_deref().or(own_correlation_id);
        self.app.set_property(text, correlation_id);
    }

    /// The application has answered. The service gets its turn, before an event asks for it.
    pub fn on_app_answer(&mut self, call: &mut Call) {
        if let Some(tune) = &mut self.tune
            && tune.policy().prefetch
            && self.app.property().is_none()
        {
            tune.prefetch(&mut self.app, call);
        }
    }

    /// `refresh-token`: the application knows that the token has to be another one. `idle` is the
    /// policy of the settings, where there is no tune.
    pub fn refresh(
        &mut self,
        file: Option<Result<Secret, Failure>>,
        idle: Option<&Policy>,
        call: &mut Call,
    ) {
        let has_property = self.app.property().is_some();
        let has_handler = (call.has_handler)();
        let Some(tune) = &mut self.tune else {
            if !has_property
                && !has_handler
                && let Some(Source::Service(session)) = idle.map(|policy| &policy.source)
            {
                session.refresh();
            }
            return;
        };
        let uses_app_token = tune.uses_app_token(&self.app, has_handler);
        let file = read_file(&mut self.app, tune, file);
        tune.refresh(file, &mut self.app, call.now);
        if !uses_app_token {
            if let Some(session) = tune.session() {
                session.refresh();
            }
        } else if !has_property {
            tune.prefetch(&mut self.app, call);
        }
    }

    /// `clear-token`: whoever was logged in is not any more. `idle` is the policy of the settings,
    /// where there is no tune.
    pub fn clear(
        &mut self,
        file: Option<Result<Secret, Failure>>,
        idle: Option<&Policy>,
        now: ClockReading,
    ) {
        self.app.clear();
        // That of the last tune, whose settings and files may have changed meanwhile.
        if let Some(session) = &self.last_session {
            session.clear();
        }
        match self
            .policy()
            .map(|policy| &**policy)
            .or(idle)
            .map(|policy| &policy.source)
        {
            Some(Source::Service(session)) => session.session().clear(),
            // There is one for each set of keys.
            Some(Source::DashIf(services)) => services.clear(),
            Some(Source::File(_)) | None => {}
        }
        if let Some(tune) = &mut self.tune {
            let file = read_file(&mut self.app, tune, file);
            tune.clear(file, now);
        }
    }
}

fn read_file<E: Clone>(
    app: &mut AppTokens,
    tune: &Tune<E>,
    file: Option<Result<Secret, Failure>>,
) -> Option<AppToken> {
    let correlation_id = tune.policy().correlation_id.as_deref();
    file.map(|text| app.take_file(text, correlation_id))
}
