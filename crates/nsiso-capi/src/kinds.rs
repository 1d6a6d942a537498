//! The kinds of namespace, with the bits of `CLONE_NEW*`.

/// Time namespaces: the offsets of clocks. Linux 5.6. Man page: time_namespaces(7).
pub const NS_TIME: u64 = 0x0000_0080;
/// Mount namespaces: mount points. Man page: mount_namespaces(7).
pub const NS_MNT: u64 = 0x0002_0000;
/// Cgroup namespaces: the root of the cgroups. Man page: cgroup_namespaces(7).
pub const NS_CGROUP: u64 = 0x0200_0000;
/// UTS namespaces: host name and NIS domain name. Man page: uts_namespaces(7).
pub const NS_UTS: u64 = 0x0400_0000;
/// IPC namespaces: System V IPC and POSIX message queues. Man page: ipc_namespaces(7).
pub const NS_IPC: u64 = 0x0800_0000;
/// User namespaces: user ids, group ids and capabilities. Man page: user_namespaces(7).
pub const NS_USER: u64 = 0x1000_0000;
/// Pid namespaces: process ids. Man page: pid_namespaces(7).
pub const NS_PID: u64 = 0x2000_0000;
/// Network namespaces: devices, addresses and ports. Man page: network_namespaces(7).
pub const NS_NET: u64 = 0x4000_0000;
/// All eight kinds.
pub const NS_ALL: u64 = 0x7E02_0080;

/// ns_spec_propagation: mount events do not propagate in either direction. Default.
pub const NS_PROPAGATION_PRIVATE: i32 = 0;
/// ns_spec_propagation: mount events propagate from the caller's mount namespace into the new
/// one, and not back.
pub const NS_PROPAGATION_SLAVE: i32 = 1;
/// ns_spec_propagation: mount events propagate in both directions.
pub const NS_PROPAGATION_SHARED: i32 = 2;
/// ns_spec_propagation: each mount keeps the propagation that it has in the caller's mount
/// namespace.
pub const NS_PROPAGATION_UNCHANGED: i32 = 3;

/// ns_spec_stdio: the caller's descriptor of the same number; closed if the caller's is closed.
/// Default.
pub const NS_STDIO_INHERIT: i32 = 0;
/// ns_spec_stdio: /dev/null, for reading and writing.
pub const NS_STDIO_NULL: i32 = 1;
/// ns_spec_stdio: a new pipe, whose other end ns_process_take_pipe returns.
pub const NS_STDIO_PIPE: i32 = 2;

#[cfg(test)]
mod tests {
    #[test]
    fn all_is_all_of_the_library() {
        assert_eq!(super::NS_ALL, nsiso::Kinds::all().bits());
    }
}
