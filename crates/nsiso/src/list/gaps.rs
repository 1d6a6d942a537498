//! What a listing could not see.

use super::procfs::Procfs;

/// Counts and flags of what a listing could not see, returned by
/// [`Listing::gaps`](crate::Listing::gaps).
///
/// ```
/// use nsiso::{Kinds, Query};
///
/// let gaps = Query::new().kinds(Kinds::PID).list()?.gaps();
/// if !gaps.is_complete() {
///     eprintln!("{} processes could not be read: run this as root", gaps.unreadable);
/// }
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Number of processes whose namespaces, or some of them, the caller is not permitted to read.
    /// Most belong to other users. `ptrace(2)` describes the check, `PTRACE_MODE_READ_FSCREDS`.
    pub unreadable: u32,
    /// Number of processes that ended during the scan. They are not missing from the listing.
    pub vanished: u32,
    /// Number of processes whose file descriptors, of threads whose namespaces, and of mount
    /// namespaces whose mounts the caller is not permitted to read.
    pub closed: u32,
    /// Number of sockets whose network namespace could not be determined. It takes permission to
    /// `ptrace(2)` the process and CAP_NET_ADMIN in the network namespace of the socket.
    pub sockets: u32,
    /// Number of namespaces about which the kernel could not be asked, so that id, parent and owner
    /// are unknown. Counted only with [`Scope::DETAILS`](crate::Scope::DETAILS).
    pub undescribed: u32,
    /// Whether `/proc` belongs to another pid namespace than the caller's. Then the pids in the
    /// listing are not valid for the caller.
    pub foreign_proc: bool,
    /// Whether the caller is in another pid namespace than the machine's initial one. Then
    /// processes outside the caller's pid namespace are not visible.
    pub inner_pid_namespace: bool,
    /// Whether `/proc` is mounted with the option `hidepid`, `proc(5)`. Then processes of other
    /// users may not be visible.
    pub hidden_processes: bool,
}

impl Gaps {
    pub(super) fn of_this_proc(proc: &Procfs) -> Self {
        let own_pid = proc.number(c"self");
        let options = proc.read(c"self/mountinfo").unwrap_or_default();
        Gaps {
            foreign_proc: own_pid != Some(std::process::id() as i32),
            inner_pid_namespace: proc.inode(c"self/ns/pid").is_ok_and(|inode| inode != FIRST_PID_NAMESPACE),
            hidden_processes: options.split(|byte| *byte == b'\n').any(hides_processes),
            ..Gaps::default()
        }
    }

    /// Returns whether everything that the query asked for could be read. Processes that ended
    /// during the scan do not count as missing.
    pub fn is_complete(&self) -> bool {
        *self == Gaps { vanished: self.vanished, ..Gaps::default() }
    }
}

/// `PROC_PID_INIT_INO` of the kernel.
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Whether a line of mountinfo is a mount of proc at `/proc` with `hidepid`, which hides the
/// processes of other users, `proc(5)`.
fn hides_processes(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else { return false };
    let Some((mount, file_system)) = line.split_once(" - proc ") else { return false };
    let mut options = file_system.split([' ', ',']).filter_map(|option| option.strip_prefix("hidepid="));
    mount.split(' ').nth(4) == Some("/proc")
        && options.next_back().is_some_and(|level| level != "0" && level != "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidepid_is_seen_at_proc_alone() {
        let line =
            |place, options| format!("22 28 0:21 / {place} rw,nosuid shared:5 - proc proc rw{options}");
        assert!(hides_processes(line("/proc", ",hidepid=2").as_bytes()));
        assert!(hides_processes(line("/proc", ",hidepid=invisible").as_bytes()));
        assert!(!hides_processes(line("/proc", "").as_bytes()));
        assert!(!hides_processes(line("/proc", ",hidepid=0").as_bytes()));
        assert!(!hides_processes(line("/mnt/proc", ",hidepid=2").as_bytes()));
    }

    #[test]
    fn processes_that_ended_leave_no_gap() {
        assert!(Gaps { vanished: 9, ..Gaps::default() }.is_complete());
        assert!(!Gaps { unreadable: 1, ..Gaps::default() }.is_complete());
        assert!(!Gaps { hidden_processes: true, ..Gaps::default() }.is_complete());
    }
}
