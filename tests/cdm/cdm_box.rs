// SPDX-License-Identifier: MIT OR Apache-2.0

//! A box with a CDM.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use ocdm_clearkey::library;
use support::cc;
use support::fixtures::Programme;
use support::folders::scratch_folder;
use support::operator::Operator;
use support::player::{Player, use_decryptor};
use support::player_harness::Setup;
use support::rig::PATIENCE;

/// A head-end that has this on, for boxes with a CDM.
pub fn operator(programme: Programme) -> Operator {
    use_decryptor("ocdmdec");
    Operator::start_for(programme)
}

/// One whose media a player can be stopped in before they end.
pub fn operator_for_stopping(player: Player) -> Operator {
    use_decryptor("ocdmdec");
    Operator::start_for_stopping(player)
}

/// A box whose CDM behaves like that.
pub struct CdmBox {
    key_system: String,
    record: PathBuf,
    library: PathBuf,
}

impl CdmBox {
    /// `behaviour` are words of `tests/ocdm/src/behaviour.rs`, each behind a semicolon.
    pub fn new(behaviour: &str) -> Self {
        let record = scratch_folder().join("record");
        Self {
            key_system: format!("org.w3.clearkey{behaviour};record={}", record.display()),
            record,
            library: library(),
        }
    }

    /// One with secure memory.
    pub fn secure(behaviour: &str) -> Self {
        static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
            cc::library_over("tests/cdm/secure_box.c", &["gstreamer-1.0"], &library())
        });
        Self {
            library: LIBRARY.clone(),
            ..Self::new(behaviour)
        }
    }

    /// A player in it.
    pub fn setup(&self, player: Player, operator: &Operator) -> Setup {
        Setup::new(player, operator)
            .config("ocdm-library", self.library.to_string_lossy().into_owned())
            .config("key-system", &self.key_system)
    }

    /// How often the CDM was called for that, or called.
    pub fn count(&self, call: &str) -> usize {
        let record = fs::read_to_string(&self.record).unwrap_or_default();
        record.lines().filter(|line| *line == call).count()
    }

    /// Waits until the CDM was called for that so many times.
    #[track_caller]
    pub fn wait_for(&self, call: &str, count: usize) {
        let until = Instant::now() + PATIENCE;
        while self.count(call) < count {
            assert!(Instant::now() < until, "no {call} number {count}");
            thread::yield_now();
        }
    }
}
