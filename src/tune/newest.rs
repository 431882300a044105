// SPDX-License-Identifier: MIT OR Apache-2.0

//! The newest token of a tune, and who issued which.

use super::app_token::AppTokens;
use super::call::Call;
use super::state::{Application, Tune};
use crate::session::SessionHandle;
use crate::token::{ClockReading, Token};

impl<E: Clone> Tune<E> {
    /// The newest valid token that is here.
    pub fn newest(&mut self, app: &mut AppTokens, now: ClockReading) -> Option<Token> {
        self.take_answer(app);
        let given = match (app.property().or(self.file.as_ref()), &self.application) {
            (Some(given), _) | (None, Application::Gave(given)) => given,
            (None, _) => {
                let session = self.session()?.clone();
                let token = session.newest()?;
                self.note_token_of(&session, &token);
                return Some(token);
            }
        };
        let token = given.as_ref().ok()?;
        (!token.is_rejected() && token.validity().is_valid(now)).then(|| token.clone())
    }

    /// The newest valid token of whoever issued the one of that generation.
    pub fn newest_of(
        &mut self,
        generation: u32,
        app: &mut AppTokens,
        call: &Call,
    ) -> Option<Token> {
        if generation == 0 || self.uses_app_token(app, (call.has_handler)()) {
            return self.newest(app, call.now);
        }
        match self.issuer(generation).cloned() {
            Some(session) => {
                let token = session.newest()?;
                self.note_token_of(&session, &token);
                Some(token)
            }
            None => self.newest(app, call.now),
        }
    }

    /// Who issued the token of that generation, if a service of this tune did.
    pub fn issuer(&self, generation: u32) -> Option<&SessionHandle> {
        match self.authz {
            Some(_) => self.issuers.find(generation),
            None => self.session(),
        }
    }

    /// Remembers who issued the token, where there may be several.
    pub fn note_token_of(&mut self, session: &SessionHandle, token: &Token) {
        if self.authz.is_some() {
            self.issuers.add(token.generation(), session);
        }
    }
}
