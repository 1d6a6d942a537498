//! The kinds of namespace, with the bits of `CLONE_NEW*`.

/// Clock offsets, time_namespaces(7). Linux 5.6.
pub const NS_TIME: u64 = 0x0000_0080;
/// Mount points, mount_namespaces(7).
pub const NS_MNT: u64 = 0x0002_0000;
/// The cgroup root, cgroup_namespaces(7).
pub const NS_CGROUP: u64 = 0x0200_0000;
/// Host name and NIS domain name, uts_namespaces(7).
pub const NS_UTS: u64 = 0x0400_0000;
/// System V IPC and POSIX message queues, ipc_namespaces(7).
pub const NS_IPC: u64 = 0x0800_0000;
/// User and group ids and capabilities, user_namespaces(7).
pub const NS_USER: u64 = 0x1000_0000;
/// Process ids, pid_namespaces(7).
pub const NS_PID: u64 = 0x2000_0000;
/// Network devices, addresses and ports, network_namespaces(7).
pub const NS_NET: u64 = 0x4000_0000;
/// All eight kinds.
pub const NS_ALL: u64 = 0x7E02_0080;

/// ns_spec_propagation: mounts pass neither way. The default.
pub const NS_PROPAGATION_PRIVATE: i32 = 0;
/// ns_spec_propagation: mounts pass from the host into the namespace only.
pub const NS_PROPAGATION_SLAVE: i32 = 1;
/// ns_spec_propagation: mounts pass both ways.
pub const NS_PROPAGATION_SHARED: i32 = 2;
/// ns_spec_propagation: as the kernel copied them.
pub const NS_PROPAGATION_UNCHANGED: i32 = 3;

/// ns_spec_stdio: the caller's own descriptor of that number. The default.
pub const NS_STDIO_INHERIT: i32 = 0;
/// ns_spec_stdio: /dev/null.
pub const NS_STDIO_NULL: i32 = 1;
/// ns_spec_stdio: a pipe whose other end ns_process_take_pipe hands out.
pub const NS_STDIO_PIPE: i32 = 2;

#[cfg(test)]
mod tests {
    #[test]
    fn all_is_all_of_the_library() {
        assert_eq!(super::NS_ALL, nsiso::Kinds::all().bits());
    }
}
