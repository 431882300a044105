// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties of one element: as the application set them, and completed from context and
//! environment.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

use gst::glib;

use super::{Slot, settings_for};
use crate::error::Failure;
use crate::wait::lock;

/// The values of an element's properties.
pub trait Configured: Clone + Default {
    /// Takes a value. It has the property's type: GObject and this room both see to that.
    fn apply(&mut self, name: &str, value: &glib::Value);
}

/// The same, and where else values may come from.
#[derive(Default)]
pub struct Configurable<S> {
    values: Mutex<S>,
    /// Names of those that were set on the element, which contexts and environment do not change.
    explicit: Mutex<HashSet<String>>,
    context: Slot,
}

impl<S: Configured> Configurable<S> {
    /// Sets a property from the application.
    pub fn set(&self, name: &str, value: &glib::Value) {
        lock(&self.explicit).insert(name.to_owned());
        lock(&self.values).apply(name, value);
    }

    /// The values as the application set them. They are not to be kept.
    pub fn own(&self) -> MutexGuard<'_, S> {
        lock(&self.values)
    }

    /// Keeps the context if it is one of ours.
    pub fn set_context(&self, context: &gst::Context) {
        self.context.set_context(context);
    }

    /// Asks the application for a context where there is none yet.
    pub fn request_context(&self, element: &gst::Element) {
        self.context.request_context(element);
    }

    /// The values, completed from context and environment.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the name of the field that is wrong.
    pub fn completed(&self, element: &glib::Object) -> Result<S, Failure> {
        let explicit = lock(&self.explicit).clone();
        let mut values = self.own().clone();
        for (name, value) in settings_for(element, &explicit, self.context.get().as_ref())? {
            values.apply(&name, &value);
        }
        Ok(values)
    }
}
