// SPDX-License-Identifier: MIT OR Apache-2.0

//! The in-line element and its second name.

use gst::glib;
use gst::prelude::*;

use crate::error::Failure;

mod application;
mod bus_messages;
mod caps;
mod change_subscription;
mod credentials;
mod custom_settings;
mod debug;
mod effects;
mod flags;
mod holding;
mod imp;
pub(crate) mod key_request_meta;
mod key_request_settings;
mod oauth2_settings;
mod observer;
mod policy;
mod refresh_token;
pub(crate) mod settings;
mod signals;
mod src;
mod store;
mod store_tokens;
mod stream_facts;
mod templates;
mod token_fetcher;
mod token_request;

pub(crate) use debug::CAT;

pub(crate) use store::{Store, TokenForKey};

glib::wrapper! {
    pub struct SessionToken(ObjectSubclass<imp::SessionToken>)
        @extends gst::Element, gst::Object;
}

glib::wrapper! {
    pub struct SessionTokenSrc(ObjectSubclass<src::SessionTokenSrc>)
        @extends SessionToken, gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    for type_ in [
        oauth2_settings::Authentication::static_type(),
        oauth2_settings::Grant::static_type(),
        settings::AuthService::static_type(),
        settings::OnFailure::static_type(),
        key_request_settings::Packing::static_type(),
        Store::static_type(),
    ] {
        type_.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    // It makes requests with credentials, so nothing plugs it unasked.
    gst::Element::register(
        Some(plugin),
        "sessiontoken",
        gst::Rank::NONE,
        SessionToken::static_type(),
    )?;
    // A GType of its own: decodebin and parsebin tell elements apart by their class's factory, and
    // two factories on one class would be plugged after each other without end.
    gst::Element::register(
        Some(plugin),
        "sessiontokensrc",
        gst::Rank::NONE,
        SessionTokenSrc::static_type(),
    )
}

impl SessionToken {
    /// Where elements of this plugin that are not downstream get the tokens.
    pub(crate) fn token_store(&self) -> Store {
        use gst::subclass::prelude::ObjectSubclassIsExt;
        self.imp().store()
    }

    /// The settings, completed from context and environment.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the name of the field that is wrong.
    pub(crate) fn completed_settings(&self) -> Result<settings::Settings, Failure> {
        use gst::subclass::prelude::ObjectSubclassIsExt;
        self.imp().completed_settings()
    }

    /// Whether the element could leave NULL.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub(crate) fn check_settings(&self) -> Result<(), Failure> {
        use gst::subclass::prelude::ObjectSubclassIsExt;
        self.imp().policy().map(drop)
    }
}
