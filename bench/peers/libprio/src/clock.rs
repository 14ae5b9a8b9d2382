//! The process's CPU time: what the measured code costs, however busy the
//! machine is.

use std::mem::MaybeUninit;

/// Nanoseconds of CPU time that this process has used.
pub fn cpu_nanoseconds() -> u64 {
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: clock_gettime fills the timespec that it is given, or fails.
    let now = unsafe {
        assert_eq!(
            libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, now.as_mut_ptr()),
            0,
            "the process's CPU clock cannot be read"
        );
        now.assume_init()
    };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
