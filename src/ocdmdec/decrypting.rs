// SPDX-License-Identifier: MIT OR Apache-2.0

//! An item's way through the CDM: from its samples to what the thread that decrypts makes of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::bus_messages::post_notice;
use super::debug::CAT;
use super::decrypt_thread::{
    DecryptThread, Decryption, How, InFlight, Lender, NotDecrypted, Progress, Sample, broken,
    passed,
};
use super::finished::finished;
use super::imp::OcdmDec;
use super::sample_check;
use super::sample_copy::{buffers_of, for_cdm};
use super::second_try::again_at;
use super::settings::Policy;
use super::stream_keys::unusable;
use crate::decryptor::{Obstacle, Protection};
use crate::error::{Failure, Fault};
use crate::hold::Item;
use crate::ocdm::KeyStatus;
use crate::wait::lock;

impl OcdmDec {
    /// Decrypts what the item holds, once its keys are here.
    pub(super) fn decrypt(&self, item: &Item) -> Result<Item, Obstacle> {
        if let Some(failure) = lock(&self.tune).failure.clone() {
            return Err(Obstacle::Failed(failure));
        }
        let policy = self.policy().map_err(Obstacle::Failed)?;
        let in_flight = lock(&self.tune).in_flight.take();
        // What a flush or a stop has taken away is forgotten.
        let in_flight = in_flight.filter(|one| one.is_of(item));
        let in_flight = match in_flight {
            Some(in_flight) => in_flight,
            None => match self.submit(item, &policy)? {
                Ok(in_flight) => in_flight,
                Err(clear) => return Ok(clear),
            },
        };
        match in_flight.wait() {
            Progress::Done(Ok(buffers)) => {
                lock(&self.tune).refused = None;
                let element = self.obj();
                Ok(finished(element.upcast_ref(), &self.samples, item, buffers))
            }
            Progress::Done(Err(refusal)) => {
                Err(self.on_refusal(item, *refusal, policy.license.timeout))
            }
            Progress::NotYet if Instant::now() >= in_flight.until => {
                let failure = Failure::timed_out(format!(
                    "the CDM did not decrypt a sample within {} ms: check that its service runs",
                    policy.license.timeout.as_millis()
                ));
                let failure = failure.with_fault(Fault::Sample);
                Err(Obstacle::Failed(broken(in_flight.lenders, failure)))
            }
            Progress::NotYet => {
                let until = in_flight.until;
                lock(&self.tune).in_flight = Some(in_flight);
                Err(Obstacle::Wait(until))
            }
        }
    }

    /// The CDM has not decrypted a sample of the item's. What it says of the key may pass.
    fn on_refusal(&self, item: &Item, refusal: NotDecrypted, timeout: Duration) -> Obstacle {
        let NotDecrypted {
            of,
            key_id,
            status,
            failure,
        } = refusal;
        let now = Instant::now();
        let since = {
            let mut tune = lock(&self.tune);
            let of_item = tune.refused.take().filter(|(refused, _)| refused.is(item));
            let (_, since) = tune.refused.insert(of_item.unwrap_or((item.clone(), now)));
            *since
        };
        let Some(at) = again_at(status, since, timeout, now) else {
            return Obstacle::Failed(match status {
                status if status.may_pass() || status == KeyStatus::Expired => {
                    unusable(key_id, status)
                }
                _ => broken([of], failure),
            });
        };
        gst::debug!(
            CAT,
            imp = self,
            "key {key_id} is {}, and a sample was not decrypted: {}",
            status.nick(),
            failure.what
        );
        if let Some(session) = of.session.upgrade() {
            session.look_at(&key_id);
        }
        Obstacle::Wait(at)
    }

    /// Hands what the item holds to the thread that decrypts, or gives it back where all of it is
    /// clear.
    fn submit(&self, item: &Item, policy: &Policy) -> Result<Result<InFlight, Item>, Obstacle> {
        let buffers = buffers_of(item);
        let has_subsamples = self.samples.has_subsamples();
        let is_secure = lock(&self.tune).is_secure;
        let mut samples = Vec::with_capacity(buffers.len());
        for buffer in buffers {
            let protection = Protection::of(&buffer, has_subsamples).map_err(Obstacle::broken)?;
            let how = match &protection {
                Protection::Clear(by) => {
                    let mut keys = lock(&self.keys);
                    keys.on_data();
                    let cdm = match is_secure {
                        true => keys.newest_cdm(self.hold.waker(), Instant::now())?,
                        false => None,
                    };
                    How::Clear(*by, cdm)
                }
                Protection::Protected { .. } => {
                    How::Decrypted(Box::new(self.how(&buffer, protection, policy)?))
                }
            };
            samples.push(Sample { buffer, how });
        }
        if let Some(clear) = passed(&samples) {
            let element = self.obj();
            return Ok(Err(finished(
                element.upcast_ref(),
                &self.samples,
                item,
                clear,
            )));
        }
        for sample in &mut samples {
            if let How::Decrypted(_) = sample.how {
                sample.buffer = for_cdm(&sample.buffer).map_err(Obstacle::broken)?;
            }
        }
        let mut tune = lock(&self.tune);
        let thread = match tune.thread.take() {
            Some(thread) => thread,
            None => DecryptThread::start(self.hold.waker().clone()).map_err(Obstacle::Failed)?,
        };
        let thread = tune.thread.insert(thread);
        Ok(Ok(thread.submit(
            item.clone(),
            samples,
            policy.license.timeout,
        )))
    }

    /// How a protected sample is decrypted, once its key is here.
    fn how(
        &self,
        buffer: &gst::BufferRef,
        protection: Protection,
        policy: &Policy,
    ) -> Result<Decryption, Obstacle> {
        let Protection::Protected { key_id, .. } = &protection else {
            return Err(Obstacle::broken("a sample is not protected"));
        };
        let size = buffer.size();
        if let Some(uncovered) = sample_check::check(&protection, size)? {
            let element = self.obj();
            self.samples
                .on_uncovered(element.upcast_ref(), uncovered, size);
        }
        let (session, key_id) = {
            let mut keys = lock(&self.keys);
            let session = keys.obtain(*key_id, policy, self.hold.waker(), Instant::now());
            let notices = keys.take_notices();
            drop(keys);
            for notice in &notices {
                post_notice(self.obj().upcast_ref(), notice);
            }
            session?
        };
        let Some(access) = session.access(&key_id) else {
            // It has just been given up for another one.
            return Err(Obstacle::Wait(Instant::now()));
        };
        Ok(Decryption {
            of: Lender {
                session: Arc::downgrade(&session),
                round: access.round,
            },
            cdm: access.cdm,
            key_id,
            name: access.name,
            protection,
            caps: lock(&self.tune).caps.clone(),
        })
    }
}
