//! Sets, keeps and drops capabilities, `capabilities(7)`.

use super::kernel;
use super::plan::Capabilities;
use super::syscall::{Outcome, check};

/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits in two halves.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Version {
    version: u32,
    pid: i32,
}

/// One half of the three sets.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Without this, the change to a nonzero uid would clear the permitted set.
pub(super) fn keep_over_uid_change() -> Outcome<()> {
    // SAFETY: integer arguments only.
    unsafe { check(kernel::SYS_prctl, [kernel::PR_SET_KEEPCAPS as usize, 1]) }.map(drop)
}

/// Restores the sets of the caller's thread. After exec, uid 0 has more, and other uids have theirs
/// as ambient capabilities. Those that exec has removed all the same are lost.
pub(super) fn set(sets: &Capabilities) -> Outcome<()> {
    let before = get()?;
    let [low, high] = before;
    let left = u64::from(low.permitted) | u64::from(high.permitted) << 32;
    let wanted = halves(sets.effective & left, sets.permitted & left, sets.inheritable);
    if before != wanted {
        put(&wanted)?;
    }
    ambient(kernel::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    raise(sets.ambient & left)
}

/// Makes every permitted capability effective, inheritable and ambient.
pub(super) fn raise_ambient() -> Outcome<()> {
    let [low, high] = get()?;
    let permitted = u64::from(low.permitted) | u64::from(high.permitted) << 32;
    put(&halves(permitted, permitted, permitted))?;
    raise(permitted)
}

/// Drops all capabilities but `keep` from every set. `bounding`: fails if the bounding set cannot
/// be reduced. A change of uid has cleared the effective set, so this fills it first.
pub(super) fn keep_only(keep: u64, bounding: bool) -> Outcome<()> {
    let before = get()?.map(|half| Half { effective: half.permitted, ..half });
    put(&before)?;
    // The first number that the kernel does not know ends the loop.
    for capability in 0..64 {
        if keep & (1 << capability) != 0 {
            continue;
        }
        // SAFETY: integer arguments only.
        match unsafe { check(kernel::SYS_prctl, [kernel::PR_CAPBSET_DROP as usize, capability]) } {
            Err(kernel::EINVAL) => break,
            Err(kernel::EPERM) if !bounding => break,
            done => drop(done?),
        }
    }
    ambient(kernel::PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
    put(&halves(keep, keep, keep))?;
    raise(keep)
}

/// Drops all capabilities but `keep`, or all of them if the process does not have `keep`.
pub(super) fn drop_to(keep: u64) -> Outcome<()> {
    put(&halves(keep, keep, 0)).or_else(|_| put(&halves(0, 0, 0)))
}

/// Drops all capabilities but `keep`, which stays across exec.
pub(super) fn keep_over_exec(keep: u64) -> Outcome<()> {
    put(&halves(keep, keep, keep))?;
    raise(keep)
}

fn halves(effective: u64, permitted: u64, inheritable: u64) -> [Half; 2] {
    [0, 32].map(|shift| Half {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    })
}

fn get() -> Outcome<[Half; 2]> {
    let version = Version { version: VERSION_3, pid: 0 };
    let mut sets = halves(0, 0, 0);
    // SAFETY: the structs have the layout of version 3.
    unsafe { check(kernel::SYS_capget, [&raw const version as usize, &raw mut sets as usize])? };
    Ok(sets)
}

fn put(sets: &[Half; 2]) -> Outcome<()> {
    let version = Version { version: VERSION_3, pid: 0 };
    // SAFETY: the structs have the layout of version 3.
    unsafe { check(kernel::SYS_capset, [&raw const version as usize, sets.as_ptr() as usize]) }.map(drop)
}

/// Raises ambient capabilities.
fn raise(mut set: u64) -> Outcome<()> {
    while set != 0 {
        ambient(kernel::PR_CAP_AMBIENT_RAISE, set.trailing_zeros() as usize)?;
        set &= set - 1;
    }
    Ok(())
}

fn ambient(what: i32, capability: usize) -> Outcome<()> {
    let args = [kernel::PR_CAP_AMBIENT as usize, what as usize, capability, 0, 0];
    // SAFETY: integer arguments only.
    unsafe { check(kernel::SYS_prctl, args) }.map(drop)
}
