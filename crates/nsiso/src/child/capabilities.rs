//! Capabilities that outlive exec, `capabilities(7)`.

use super::syscall::{Outcome, check};

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;

/// `PR_CAP_AMBIENT` and `PR_CAP_AMBIENT_RAISE`.
const PR_CAP_AMBIENT: usize = libc::PR_CAP_AMBIENT as usize;
const PR_CAP_AMBIENT_RAISE: usize = libc::PR_CAP_AMBIENT_RAISE as usize;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// One half of the three sets.
#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Without this the change to a uid that is not 0 would clear the permitted set.
pub(super) fn keep_over_uid_change() -> Outcome<()> {
    // SAFETY: prctl with numbers only.
    unsafe { check(libc::SYS_prctl, [libc::PR_SET_KEEPCAPS as usize, 1, 0, 0, 0])? };
    Ok(())
}

/// Makes every permitted capability effective, inheritable and ambient.
pub(super) fn raise_ambient() -> Outcome<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let nothing = Half { effective: 0, permitted: 0, inheritable: 0 };
    let mut halves = [nothing; 2];
    let args = [&raw const header as usize, &raw mut halves as usize, 0, 0, 0];
    // SAFETY: both structs are what version 3 wants and live until the calls return.
    unsafe {
        check(libc::SYS_capget, args)?;
        for half in &mut halves {
            half.effective = half.permitted;
            half.inheritable = half.permitted;
        }
        check(libc::SYS_capset, args)?;
        let [low, high] = halves;
        let mut rest = u64::from(low.permitted) | u64::from(high.permitted) << 32;
        while rest != 0 {
            let capability = rest.trailing_zeros() as usize;
            check(libc::SYS_prctl, [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0])?;
            rest &= rest - 1;
        }
    }
    Ok(())
}

/// Gives up all capabilities but `keep`, in every set, and with `bounding` for good. A change of uid has left the permitted ones without effect.
pub(super) fn keep_only(keep: u64, bounding: bool) -> Outcome<()> {
    const PR_CAPBSET_DROP: usize = libc::PR_CAPBSET_DROP as usize;
    const PR_CAP_AMBIENT_CLEAR_ALL: usize = libc::PR_CAP_AMBIENT_CLEAR_ALL as usize;
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |set: u32| Half { effective: set, permitted: set, inheritable: set };
    let halves = [half(keep as u32), half((keep >> 32) as u32)];
    let mut before = [half(0); 2];
    let args = [&raw const header as usize, &raw mut before as usize, 0, 0, 0];
    // SAFETY: both structs are what version 3 wants and live until the calls return; numbers.
    unsafe {
        check(libc::SYS_capget, args)?;
        for half in &mut before {
            half.effective = half.permitted;
        }
        check(libc::SYS_capset, args)?;
        let mut capability = 0;
        // The first number that the kernel does not know ends it.
        while capability < 64 {
            if keep & (1 << capability) == 0 {
                match check(libc::SYS_prctl, [PR_CAPBSET_DROP, capability, 0, 0, 0]) {
                    Err(libc::EINVAL) => break,
                    Err(libc::EPERM) if !bounding => break,
                    done => done?,
                };
            }
            capability = capability.wrapping_add(1);
        }
        check(libc::SYS_prctl, [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0])?;
        check(libc::SYS_capset, [&raw const header as usize, &raw const halves as usize, 0, 0, 0])?;
        let mut rest = keep;
        while rest != 0 {
            let capability = rest.trailing_zeros() as usize;
            check(libc::SYS_prctl, [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0])?;
            rest &= rest - 1;
        }
    }
    Ok(())
}
