// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decryption on a thread of its own: a CDM may take its time, or never come back, and then the
//! stream can be stopped all the same. The thread is left to itself with what it has in its hands.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use gst::meta::ProtectionMeta;

use crate::cenc::{KeyId, Scheme};
use crate::decryptor::{ClearBy, Protection, remove_protection};
use crate::error::{Failure, Fault};
use crate::hold::Item;
use crate::ocdm::{CdmSession, KeyName, KeyStatus, SampleProtection, SharedSession};
use crate::wait::{Guarded, Woken};

use super::debug::CAT;
use super::sample_copy::for_cdm;

/// How long the stream's own thread waits for a sample. Decryption takes a millisecond or two; what
/// takes longer is waited for beside the stream.
const A_MOMENT: Duration = Duration::from_millis(20);

/// One sample, and what is to be done with it.
pub struct Sample {
    pub buffer: gst::Buffer,
    pub how: How,
}

/// What is to be done with a sample.
pub enum How {
    /// It is clear, as that says. With a CDM, it goes where decrypted ones come out: into memory of
    /// the CDM's.
    Clear(ClearBy, Option<Arc<CdmSession>>),
    Decrypted(Box<Decryption>),
}

/// What has come of a sample.
pub struct Done {
    pub buffer: gst::Buffer,
    /// It was clear.
    pub clear_by: Option<ClearBy>,
}

impl Done {
    fn clear(mut buffer: gst::Buffer, by: ClearBy) -> Self {
        remove_protection(buffer.make_mut());
        Self {
            buffer,
            clear_by: Some(by),
        }
    }
}

/// What comes of samples of which none needs the CDM; `None` of others.
pub fn passed(samples: &[Sample]) -> Option<Vec<Done>> {
    let passed = samples.iter().map(|sample| match sample.how {
        How::Clear(by, None) => Some(Done::clear(sample.buffer.clone(), by)),
        _ => None,
    });
    passed.collect()
}

/// How a sample is decrypted.
pub struct Decryption {
    pub of: Lender,
    pub cdm: Arc<CdmSession>,
    pub key_id: KeyId,
    /// What the CDM calls the key.
    pub name: KeyName,
    pub protection: Protection,
    pub caps: Option<gst::Caps>,
}

/// Whose session a CDM's is, and the how manieth of it. A CDM that never comes back must not keep
/// it.
#[derive(Clone)]
pub struct Lender {
    pub session: Weak<SharedSession>,
    pub round: u32,
}

/// Why there is no clear sample.
pub struct NotDecrypted {
    pub of: Lender,
    pub key_id: KeyId,
    /// What the CDM says of the key.
    pub status: KeyStatus,
    pub failure: Failure,
}

type Outcome = Result<Vec<Done>, Box<NotDecrypted>>;

struct Job {
    samples: Vec<Sample>,
    place: Arc<Place>,
}

/// Where the outcome will be.
#[derive(Default)]
struct Place {
    outcome: Guarded<Option<Outcome>>,
}

/// What the thread has in its hands.
pub struct InFlight {
    /// What came in; kept so that no other item has its address.
    item: Item,
    place: Arc<Place>,
    pub until: Instant,
    /// Those whose keys it takes.
    pub lenders: Vec<Lender>,
}

/// Whether there is an outcome.
pub enum Progress {
    Done(Outcome),
    NotYet,
}

impl InFlight {
    pub fn is_of(&self, item: &Item) -> bool {
        self.item.is(item)
    }

    /// Waits a moment.
    pub fn wait(&self) -> Progress {
        let until = Instant::now() + A_MOMENT;
        let outcome = &self.place.outcome;
        let (mut found, woken) =
            outcome.wait(outcome.lock(), Some(until), None, |found| found.is_some());
        match (woken, found.take()) {
            (Woken::Ready, Some(outcome)) => Progress::Done(outcome),
            _ => Progress::NotYet,
        }
    }
}

/// One stream's thread.
pub struct DecryptThread(Sender<Job>);

impl DecryptThread {
    /// Starts it. It ends when this is dropped, once the CDM has come back.
    ///
    /// # Errors
    ///
    /// `Transient` where the system has no thread left.
    pub fn start(waker: Waker) -> Result<Self, Failure> {
        let (sender, jobs) = channel::<Job>();
        let thread = thread::Builder::new().name("ocdm-decrypt".to_owned());
        let started = thread.spawn(move || {
            let mut has_warned = false;
            for job in jobs {
                let samples = job.samples.into_iter();
                let outcome = samples
                    .map(|sample| finish(sample, &mut has_warned))
                    .collect();
                job.place.outcome.change(|place| *place = Some(outcome));
                waker.wake_by_ref();
            }
        });
        started.map(|_| Self(sender)).map_err(|error| {
            let what = format!("no thread for decrypting could be started: {error}");
            Failure::transient(what).with_fault(Fault::Threads)
        })
    }

    /// Has these samples decrypted, which are what the item holds.
    pub fn submit(&self, item: Item, samples: Vec<Sample>, timeout: Duration) -> InFlight {
        let place = Arc::<Place>::default();
        let lenders = samples.iter().filter_map(|sample| match &sample.how {
            How::Decrypted(decryption) => Some(decryption.of.clone()),
            _ => None,
        });
        let lenders = lenders.collect();
        let job = Job {
            samples,
            place: place.clone(),
        };
        // The thread is there as long as this is.
        let _ = self.0.send(job);
        InFlight {
            item,
            place,
            until: Instant::now() + timeout,
            lenders,
        }
    }
}

/// Has the sample's metadata name that key.
fn name_key(sample: &mut gst::Buffer, key_id: KeyId) -> gst::Buffer {
    let kid = gst::Buffer::from_slice(key_id.0);
    if let Some(mut meta) = sample.make_mut().meta_mut::<ProtectionMeta>() {
        meta.info_mut().set("kid", &kid);
    }
    kid
}

fn finish(sample: Sample, has_warned: &mut bool) -> Result<Done, Box<NotDecrypted>> {
    let Sample { buffer, how } = sample;
    match how {
        How::Decrypted(decryption) => Ok(Done {
            buffer: decrypt(buffer, *decryption)?,
            clear_by: None,
        }),
        How::Clear(by, cdm) => {
            let mut done = Done::clear(buffer, by);
            if let Some(cdm) = cdm {
                done.buffer = secure(done.buffer, &cdm, has_warned);
            }
            Ok(done)
        }
    }
}

/// A clear sample in memory of the CDM's; as it came, where the CDM does not take it.
fn secure(buffer: gst::Buffer, cdm: &CdmSession, has_warned: &mut bool) -> gst::Buffer {
    let Ok(mut secured) = for_cdm(&buffer) else {
        return buffer;
    };
    match cdm.secure(&mut secured) {
        Ok(()) => secured,
        Err(failure) => {
            if !std::mem::replace(has_warned, true) {
                gst::warning!(CAT, "{}", failure.what);
            }
            buffer
        }
    }
}

fn decrypt(
    mut buffer: gst::Buffer,
    decryption: Decryption,
) -> Result<gst::Buffer, Box<NotDecrypted>> {
    let Decryption {
        of,
        cdm,
        key_id,
        name,
        protection:
            Protection::Protected {
                scheme,
                iv,
                subsamples,
                kid,
                key_id: named,
                ..
            },
        caps,
    } = decryption
    else {
        remove_protection(buffer.make_mut());
        return Ok(buffer);
    };
    let kid = match named == key_id {
        true => kid,
        // The sample does not name it, and a CDM knows nothing of fragments.
        false => name_key(&mut buffer, key_id),
    };
    let count = subsamples.as_ref().map_or(0, |table| table.size() / 6);
    let protection = SampleProtection {
        is_cbcs: matches!(scheme, Scheme::Cbcs(_)),
        key_id: &kid,
        iv: &iv,
        // A table has 65,535 entries at the most.
        subsamples: subsamples.as_ref().map(|table| (table, count as u32)),
    };
    match cdm.decrypt(&mut buffer, &protection, caps.as_ref()) {
        Ok(()) => {
            remove_protection(buffer.make_mut());
            Ok(buffer)
        }
        Err(failure) => Err(Box::new(NotDecrypted {
            of,
            key_id,
            status: cdm.status(name),
            failure,
        })),
    }
}

/// The CDM has failed with keys that are good: nobody is to come back to these sessions.
pub fn broken(lenders: impl IntoIterator<Item = Lender>, failure: Failure) -> Failure {
    for Lender { session, round } in lenders {
        if let Some(session) = session.upgrade() {
            session.on_broken(round, failure.clone());
        }
    }
    failure
}
