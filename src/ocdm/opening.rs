// SPDX-License-Identifier: MIT OR Apache-2.0

//! A library that is being opened, which may take its time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control;
use super::library::Library;
use crate::error::{Failure, Fault};
use crate::wait::Guarded;

/// How long a stream waits for it, which holds its own thread up. A library is open in some
/// milliseconds, from slow flash in some hundred, and once in the life of the process.
const AT_THE_MOST: Duration = Duration::from_secs(1);

type Opened = Result<Arc<Library>, Failure>;

/// Where the library will be, or why there is none.
#[derive(Clone)]
pub struct Opening(Arc<Guarded<Option<Opened>>>);

impl Opening {
    /// Opens the library of that name, or the box's, on the thread for that, where it has not been
    /// opened before.
    pub fn begin(name: Option<String>) -> Self {
        let place = Arc::new(Guarded::new(Library::known(name.as_deref()).map(Ok)));
        if place.lock().is_some() {
            return Self(place);
        }
        let open = place.clone();
        let posted = control::post(move || {
            let opened = Library::open(name.as_deref());
            open.change(|place| *place = Some(opened));
        });
        if let Err(failure) = posted {
            place.change(|place| *place = Some(Err(failure)));
        }
        Self(place)
    }

    /// The library, for which the thread waits a while.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn wait(&self) -> Opened {
        let until = Instant::now() + AT_THE_MOST;
        let place = &self.0;
        let (opened, _) = place.wait(place.lock(), Some(until), None, |opened| opened.is_some());
        opened.clone().unwrap_or_else(|| {
            let what = "the OpenCDM library was not opened in time: another call to the CDM may not have returned";
            Err(Failure::timed_out(what).with_fault(Fault::Key))
        })
    }
}
