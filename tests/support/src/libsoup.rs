// SPDX-License-Identifier: MIT OR Apache-2.0

//! libsoup 3.2, which GStreamer 1.22 plays with on Debian 12, crashes now and then where a download
//! is stopped: `soup_client_input_stream_close_fn` calls a function of the message's `io_data`
//! after that is gone (corrected in libsoup 3.4). It does so with every stream, and tests that end
//! in an error stop in the middle of downloads. So that call, and no other fault, is passed over
//! here as if there was nothing to do, as newer versions have it.

#![allow(unsafe_code)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod fault {
    use std::ffi::{CStr, c_int, c_void};
    use std::mem::MaybeUninit;
    use std::sync::OnceLock;

    use libc::{Dl_info, REG_RAX, REG_RDI, REG_RIP, REG_RSP, SIGSEGV, siginfo_t, ucontext_t};

    /// `mov (%rdi),%rax; jmp *0x60(%rax)`: the call of that function.
    const CALL: [u8; 6] = [0x48, 0x8b, 0x07, 0xff, 0x60, 0x60];

    const LIBRARY: &[u8] = b"/libsoup-3.0.so";

    const SAID: &str = "libsoup has closed a download without its data: passed over\n";

    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    pub fn pass_over() {
        BEFORE.get_or_init(|| {
            let mut before = MaybeUninit::uninit();
            // SAFETY: the handler has the signature that SA_SIGINFO asks for, and all fields of
            // `action` may be zero.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_fault as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                assert_eq!(libc::sigaction(SIGSEGV, &action, before.as_mut_ptr()), 0);
                before.assume_init()
            }
        });
    }

    extern "C" fn on_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: what the system gives a handler. Where the address of the data is zero, that of
        // the code is not the one that is missing, so that code can be read.
        unsafe {
            let registers = &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs;
            let code = registers[REG_RIP as usize] as *const [u8; 6];
            let is_of_null = (*info).si_addr().is_null() && registers[REG_RDI as usize] == 0;
            if is_of_null && !code.is_null() && *code == CALL && is_libsoup(code.cast()) {
                let stack = registers[REG_RSP as usize] as *const i64;
                registers[REG_RIP as usize] = *stack;
                registers[REG_RSP as usize] += 8;
                registers[REG_RAX as usize] = 0;
                libc::write(libc::STDERR_FILENO, SAID.as_ptr().cast(), SAID.len());
                return;
            }
        }
        on_other_fault(signal, info, context);
    }

    fn is_libsoup(code: *const c_void) -> bool {
        let mut found = MaybeUninit::<Dl_info>::zeroed();
        // SAFETY: `found` is filled where the answer is not zero.
        unsafe {
            if libc::dladdr(code, found.as_mut_ptr()) == 0 {
                return false;
            }
            let name = found.assume_init().dli_fname;
            let is_it = |name: &[u8]| name.windows(LIBRARY.len()).any(|part| part == LIBRARY);
            !name.is_null() && is_it(CStr::from_ptr(name).to_bytes())
        }
    }

    /// What was there before has it: that of Rust's, which knows overflows of the stack.
    fn on_other_fault(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        let before = BEFORE.get();
        // SAFETY: a handler with SA_SIGINFO has this signature; without one the next fault, right
        // behind this return, ends the process.
        unsafe {
            match before {
                Some(before)
                    if before.sa_flags & libc::SA_SIGINFO != 0
                        && ![libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction) =>
                {
                    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                        std::mem::transmute(before.sa_sigaction);
                    handler(signal, info, context);
                }
                _ => {
                    libc::signal(SIGSEGV, libc::SIG_DFL);
                }
            }
        }
    }
}

/// Passes over that call from here on.
pub fn survive_closing() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fault::pass_over();
}
