// SPDX-License-Identifier: MIT OR Apache-2.0

//! For how long the box has been switched on: the one clock that nobody sets and that goes on while
//! the box is suspended. The standard library has none.

use std::time::{Duration, SystemTime};

/// Where a system has no such clock the wall clock takes its place.
pub fn boottime() -> Duration {
    since_boot().unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default())
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn since_boot() -> Option<Duration> {
    let mut time = std::mem::MaybeUninit::uninit();
    // SAFETY: it writes a whole `timespec` there, and that is read only where it says that it has.
    let time = unsafe {
        match libc::clock_gettime(libc::CLOCK_BOOTTIME, time.as_mut_ptr()) {
            0 => time.assume_init(),
            _ => return None,
        }
    };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn since_boot() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on() {
        let before = boottime();
        assert!(boottime() >= before);
        assert!(before > Duration::ZERO);
    }
}
