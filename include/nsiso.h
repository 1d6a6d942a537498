/* nsiso: Linux namespaces for every program.
 *
 * Made by cbindgen from crates/nsiso-capi: do not edit. Licence: MIT OR Apache-2.0.
 *
 * Conventions, for every function unless it says otherwise:
 * - It returns 0 or a useful number that is not negative, or a negative errno value. Then `*err`, if `err`
 *   is not NULL, says at which step, to what, why, and what to do about it. `*err` is the caller's; it is
 *   cleared on success. Outputs are written on success only.
 * - A pointer must be NULL or valid; NULL where an object or a string is needed is -EINVAL. Strings end with
 *   NUL and are copied. Tables of strings end with NULL.
 * - A descriptor that is passed in is borrowed; one that is returned is the caller's and close-on-exec. 0 is a
 *   descriptor like any other.
 * - Functions that take a const pointer may be called from many threads with the same object.
 * - The library prints nothing, never ends the process, starts no thread (ns_call apart) and
 *   handles no signal. Between calls it keeps nothing but the processes that were freed while they ran:
 *   see ns_process_free.
 * - A function needs at most 20 KiB of the calling thread's stack.
 * - A thread may be cancelled, pthread_cancel(3), while it is in a function: the cancellation stays
 *   pending until the function returns. Only ns_process_wait is a cancellation point. The thread's
 *   cancel type must be deferred, which is the default. A signal handler may not leave a function by
 *   longjmp or pthread_exit.
 * - An option brings the namespace it needs: a host name asks for a new UTS namespace, an id map for a new user
 *   namespace, and so on. Within one soname there are only additions.
 */

#ifndef NSISO_H
#define NSISO_H

#include <stddef.h>
#include <stdint.h>

/**
 * Clock offsets, time_namespaces(7). Linux 5.6.
 */
#define NS_TIME 128

/**
 * Mount points, mount_namespaces(7).
 */
#define NS_MNT 131072

/**
 * The cgroup root, cgroup_namespaces(7).
 */
#define NS_CGROUP 33554432

/**
 * Host name and NIS domain name, uts_namespaces(7).
 */
#define NS_UTS 67108864

/**
 * System V IPC and POSIX message queues, ipc_namespaces(7).
 */
#define NS_IPC 134217728

/**
 * User and group ids and capabilities, user_namespaces(7).
 */
#define NS_USER 268435456

/**
 * Process ids, pid_namespaces(7).
 */
#define NS_PID 536870912

/**
 * Network devices, addresses and ports, network_namespaces(7).
 */
#define NS_NET 1073741824

/**
 * All eight kinds.
 */
#define NS_ALL 2114060416

/**
 * ns_spec_propagation: mounts pass neither way. The default.
 */
#define NS_PROPAGATION_PRIVATE 0

/**
 * ns_spec_propagation: mounts pass from the host into the namespace only.
 */
#define NS_PROPAGATION_SLAVE 1

/**
 * ns_spec_propagation: mounts pass both ways.
 */
#define NS_PROPAGATION_SHARED 2

/**
 * ns_spec_propagation: as the kernel copied them.
 */
#define NS_PROPAGATION_UNCHANGED 3

/**
 * ns_spec_stdio: the caller's own descriptor of that number. The default.
 */
#define NS_STDIO_INHERIT 0

/**
 * ns_spec_stdio: /dev/null.
 */
#define NS_STDIO_NULL 1

/**
 * ns_spec_stdio: a pipe whose other end ns_process_take_pipe hands out.
 */
#define NS_STDIO_PIPE 2

/**
 * A mount: nothing can be written through it, as long as the program has no CAP_SYS_ADMIN in its user namespace: beside ns_spec_map_root give up
 * capabilities by ns_spec_caps, too.
 */
#define NS_MOUNT_RDONLY 1

/**
 * A bind or a path to be made read-only: nothing happens if it does not exist.
 */
#define NS_MOUNT_IF_EXISTS 2

/**
 * A mount: no program in it can be executed.
 */
#define NS_MOUNT_NOEXEC 4

/**
 * A mount: set-user-ID bits and file capabilities count.
 */
#define NS_MOUNT_SUID 8

/**
 * A mount: device files work.
 */
#define NS_MOUNT_DEV 16

/**
 * A bind: without what is mounted below its source. A path to be made read-only, which is a mount point then: without what is mounted below it.
 */
#define NS_MOUNT_NON_RECURSIVE 32

/**
 * A proc: processes alone, none of the machine's settings.
 */
#define NS_MOUNT_SUBSET_PID 64

/**
 * ns_landlock_path: files may be read and directories listed.
 */
#define NS_LANDLOCK_READ 1

/**
 * ns_landlock_path: files may be read and executed.
 */
#define NS_LANDLOCK_EXECUTE 2

/**
 * ns_landlock_path: files may be read, written, made and removed.
 */
#define NS_LANDLOCK_WRITE 4

/**
 * ns_spec_landlock: no signals to processes outside, no connections to abstract Unix sockets made outside.
 */
#define NS_LANDLOCK_SCOPED 1

/**
 * ns_spec_landlock: where the kernel knows less than is asked for, the rest is enforced. Without it the spawn fails.
 */
#define NS_LANDLOCK_BEST_EFFORT 2

/**
 * ns_spec_landlock: whatever is mounted or made in the program's view of the file system for it to write may be written, but for the root itself.
 */
#define NS_LANDLOCK_AS_MOUNTED 4

/**
 * ns_spec_rlimit: no limit.
 */
#define NS_UNLIMITED UINT64_MAX

/**
 * ns_spec_seccomp_...: the call fails, with the errno given.
 */
#define NS_SECCOMP_FAIL 0

/**
 * ns_spec_seccomp_...: the program is killed, by SIGSYS.
 */
#define NS_SECCOMP_KILL 1

/**
 * ns_spec_seccomp_...: the thread gets SIGSYS, which it may handle.
 */
#define NS_SECCOMP_TRAP 2

/**
 * ns_spec_seccomp_...: the call is made, and written to the audit log.
 */
#define NS_SECCOMP_LOG 3

/**
 * ns_limits_set: bytes of memory; beyond them something in the group is killed.
 */
#define NS_LIMIT_MEMORY 0

/**
 * ns_limits_set: bytes of memory beyond which the group is slowed down. Version 2 of cgroups.
 */
#define NS_LIMIT_MEMORY_HIGH 1

/**
 * ns_limits_set: bytes of memory that are not taken from the group for others. Version 2 of cgroups.
 */
#define NS_LIMIT_MEMORY_LOW 2

/**
 * ns_limits_set: bytes of swap. On version 1 NS_LIMIT_MEMORY goes with it.
 */
#define NS_LIMIT_SWAP 3

/**
 * ns_limits_set: thousandths of a processor: 500 is half of one, 2000 is two.
 */
#define NS_LIMIT_CPU 4

/**
 * ns_limits_set: the share of time against others that want it, too: 1 to 10000, 100 is usual.
 */
#define NS_LIMIT_CPU_WEIGHT 5

/**
 * ns_limits_set: processes and threads.
 */
#define NS_LIMIT_PIDS 6

/**
 * ns_limits_io, ns_resources: no limit; not counted.
 */
#define NS_UNKNOWN UINT64_MAX

/**
 * Room for the name of a network device, with its NUL.
 */
#define NS_DEVICE_NAME 16

/**
 * ns_list: what the kernel tells of each namespace (id, parent, owner, network id) and of its process with the
 * lowest pid (command, user, parent). Finds parents and owners that have no process, and where the kernel has
 * listns(2) (Linux 6.19) also what is held out of the caller's sight.
 */
#define NS_LIST_DETAILS 1

/**
 * ns_list: what processes have ready for their children, pid_for_children and time_for_children.
 */
#define NS_LIST_CHILDREN 2

/**
 * ns_list: threads that have left the namespaces of their process.
 */
#define NS_LIST_THREADS 4

/**
 * ns_list: bind mounts, in every mount namespace that has a process.
 */
#define NS_LIST_MOUNTS 8

/**
 * ns_list: open descriptors.
 */
#define NS_LIST_DESCRIPTORS 16

/**
 * ns_list: sockets made in another network namespace than their process is in.
 */
#define NS_LIST_SOCKETS 32

/**
 * ns_list: all of these.
 */
#define NS_LIST_EVERYWHERE 63

/**
 * ns_list: only through the processes of the caller's own user.
 */
#define NS_LIST_OWN 65536

/**
 * Processes are in it.
 */
#define NS_HELD_PROCESSES 1

/**
 * Threads are in it whose process is not.
 */
#define NS_HELD_THREADS 2

/**
 * A descriptor of it is open.
 */
#define NS_HELD_DESCRIPTORS 4

/**
 * A socket was made in it, by a process that is elsewhere now.
 */
#define NS_HELD_SOCKETS 8

/**
 * It is bind-mounted.
 */
#define NS_HELD_MOUNTS 16

/**
 * Future children of a process will be in it; it may have no init yet.
 */
#define NS_HELD_PID_FOR_CHILDREN 32

/**
 * Future children of a process, or what it executes, will be in it.
 */
#define NS_HELD_TIME_FOR_CHILDREN 64

/**
 * It is the parent or the owner of another one.
 */
#define NS_HELD_DESCENDANTS 128

/**
 * ns_feature: it can be had.
 */
#define NS_YES 1

/**
 * ns_feature: it can be had with a new user namespace beside it.
 */
#define NS_IN_USER_NAMESPACE 2

/**
 * ns_feature: it cannot be had.
 */
#define NS_NO 0

/**
 * The step at which an error happened.
 *
 * The numbers are part of the C interface. New steps get new numbers at the end.
 */
enum ns_step
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * No step: no error happened.
   */
  NS_STEP_NONE = 0,
  /**
   * A bad argument, found before anything was done.
   */
  NS_STEP_ARGUMENT = 1,
  /**
   * Getting memory, a thread or a file descriptor in the calling process.
   */
  NS_STEP_PREPARE = 2,
  /**
   * `clone3(2)`, `clone(2)` or `unshare(2)`: making the process and its new namespaces.
   */
  NS_STEP_CLONE = 3,
  /**
   * `unshare(2)`: making a time namespace or a cgroup namespace in the child, or moving the
   * caller into new namespaces.
   */
  NS_STEP_UNSHARE = 4,
  /**
   * Writing `/proc/PID/setgroups`.
   */
  NS_STEP_SETGROUPS = 5,
  /**
   * Writing `/proc/PID/uid_map`.
   */
  NS_STEP_UID_MAP = 6,
  /**
   * Writing `/proc/PID/gid_map`.
   */
  NS_STEP_GID_MAP = 7,
  /**
   * Writing `/proc/PID/timens_offsets`.
   */
  NS_STEP_CLOCK_OFFSET = 8,
  /**
   * Setting the host name, `sethostname(2)`.
   */
  NS_STEP_HOSTNAME = 9,
  /**
   * Setting the NIS domain name, `setdomainname(2)`.
   */
  NS_STEP_DOMAINNAME = 10,
  /**
   * Setting the propagation of mounts, `mount_namespaces(7)`.
   */
  NS_STEP_PROPAGATION = 11,
  /**
   * Mounting a new proc file system.
   */
  NS_STEP_MOUNT_PROC = 12,
  /**
   * Entering the working directory, `chdir(2)` or `fchdir(2)`.
   */
  NS_STEP_CWD = 13,
  /**
   * Bringing up the loopback device.
   */
  NS_STEP_LOOPBACK = 14,
  /**
   * Starting a session, `setsid(2)`.
   */
  NS_STEP_SESSION = 15,
  /**
   * Setting the supplementary groups, `setgroups(2)`.
   */
  NS_STEP_GROUPS = 16,
  /**
   * Setting the gid, `setresgid(2)`.
   */
  NS_STEP_GID = 17,
  /**
   * Setting the uid, `setresuid(2)`.
   */
  NS_STEP_UID = 18,
  /**
   * Setting the capability sets, `capset(2)` and `PR_CAP_AMBIENT`.
   */
  NS_STEP_CAPABILITIES = 19,
  /**
   * Passing or closing the program's file descriptors.
   */
  NS_STEP_DESCRIPTOR = 20,
  /**
   * Resetting signal dispositions and the signal mask.
   */
  NS_STEP_SIGNALS = 21,
  /**
   * Executing the program, `execve(2)`.
   */
  NS_STEP_EXEC = 22,
  /**
   * Waiting for a process to end.
   */
  NS_STEP_WAIT = 23,
  /**
   * Sending a signal.
   */
  NS_STEP_SIGNAL = 24,
  /**
   * A fault of the library itself, caught before it left the library.
   */
  NS_STEP_INTERNAL = 25,
  /**
   * Listing the namespaces of the machine.
   */
  NS_STEP_LIST = 26,
  /**
   * Opening a namespace or a process.
   */
  NS_STEP_OPEN = 27,
  /**
   * Joining a namespace, `setns(2)`.
   */
  NS_STEP_JOIN = 28,
  /**
   * Returning a thread to the namespaces that it came from, `setns(2)`.
   */
  NS_STEP_LEAVE = 29,
  /**
   * Pinning a namespace to a path, or removing a pin.
   */
  NS_STEP_PIN = 30,
  /**
   * Changing the root directory, `chroot(2)` or `pivot_root(2)`.
   */
  NS_STEP_ROOT = 31,
  /**
   * Mounting a file system or changing a mount.
   */
  NS_STEP_MOUNT = 32,
  /**
   * Making a file, directory or symbolic link, or changing its mode.
   */
  NS_STEP_MAKE = 33,
  /**
   * Setting a resource limit, `prlimit(2)`.
   */
  NS_STEP_RLIMIT = 34,
  /**
   * Setting the nice value, `setpriority(2)`.
   */
  NS_STEP_NICE = 35,
  /**
   * Writing `/proc/PID/oom_score_adj`.
   */
  NS_STEP_OOM_SCORE = 36,
  /**
   * Setting the CPU affinity, `sched_setaffinity(2)`.
   */
  NS_STEP_AFFINITY = 37,
  /**
   * Setting the file mode creation mask, `umask(2)`.
   */
  NS_STEP_UMASK = 38,
  /**
   * Setting the execution domain, `personality(2)`.
   */
  NS_STEP_PERSONALITY = 39,
  /**
   * Setting the securebits, `PR_SET_SECUREBITS`.
   */
  NS_STEP_SECUREBITS = 40,
  /**
   * Setting no_new_privs, `PR_SET_NO_NEW_PRIVS`.
   */
  NS_STEP_NO_NEW_PRIVS = 41,
  /**
   * Forbidding or limiting user namespaces and inotify, `/proc/sys/user`.
   */
  NS_STEP_USER_NAMESPACES = 42,
  /**
   * Making and enforcing a Landlock ruleset, `landlock_restrict_self(2)`.
   */
  NS_STEP_LANDLOCK = 43,
  /**
   * Installing a seccomp filter, `seccomp(2)`.
   */
  NS_STEP_SECCOMP = 44,
  /**
   * Starting the init process of a new pid namespace.
   */
  NS_STEP_INIT = 45,
  /**
   * Opening the pseudo-terminal, or making it the controlling terminal.
   */
  NS_STEP_PTY = 46,
  /**
   * Setting a limit of a cgroup.
   */
  NS_STEP_LIMIT = 47,
  /**
   * Making, entering, freezing or reading a cgroup.
   */
  NS_STEP_CGROUP = 48,
  /**
   * Making a socket in another network namespace.
   */
  NS_STEP_SOCKET = 49,
  /**
   * Setting up a network device or a pair of linked devices.
   */
  NS_STEP_LINK = 50,
  /**
   * Adding an address to a network device.
   */
  NS_STEP_ADDRESS = 51,
  /**
   * Adding a route.
   */
  NS_STEP_ROUTE = 52,
  /**
   * Setting the delay, loss or rate of a link, `tc(8)`.
   */
  NS_STEP_QDISC = 53,
  /**
   * Writing a kernel setting below `/proc/sys`.
   */
  NS_STEP_SETTING = 54,
  /**
   * Starting the program's uplink, `pasta(1)`.
   */
  NS_STEP_UPLINK = 55,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum ns_step ns_step;
#else
typedef int32_t ns_step;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * One end of a link: a network device in a network namespace, with what it is to be given. Opaque, reusable. Setters must not run
 * while another thread uses the end.
 */
typedef struct ns_endpoint ns_endpoint;

/**
 * The calling thread in other namespaces. Opaque; to be used on its thread alone.
 */
typedef struct ns_entered ns_entered;

/**
 * What a probe has found. Opaque; only read, by many threads if need be.
 */
typedef struct ns_features ns_features;

/**
 * Rules of Landlock. Opaque, reusable. They grant nothing at first.
 */
typedef struct ns_landlock ns_landlock;

/**
 * Limits of a cgroup. Opaque, reusable. Nothing is limited at first.
 */
typedef struct ns_limits ns_limits;

/**
 * A snapshot of the machine's namespaces. Opaque; only read, so many threads may do so at a time.
 */
typedef struct ns_listing ns_listing;

/**
 * A started program. Opaque. All functions but ns_process_take_pipe and ns_process_free may be called
 * from many threads at a time.
 */
typedef struct ns_process ns_process;

/**
 * What to run and in which isolation. Opaque, reusable. Setters must not run while another thread
 * uses the spec; any number of threads may spawn from one at a time.
 */
typedef struct ns_spec ns_spec;

/**
 * Why a call failed. It belongs to the caller; there is nothing to free. Texts are UTF-8, end with
 * NUL, and are cut off where they are too long.
 */
typedef struct ns_error {
  /**
   * The errno value, positive; 0 after a call that succeeded.
   */
  int32_t errnum;
  /**
   * The step at which it happened: an `enum ns_step`. A newer library may give a newer number.
   */
  int32_t step;
  /**
   * Which of several alike was meant (an id range, a descriptor), from 0; -1 where it does not matter.
   */
  int32_t index;
  /**
   * Not used; 0.
   */
  int32_t reserved;
  /**
   * What was done to which object, and the cause.
   */
  char message[512];
  /**
   * What to do about it; may be empty.
   */
  char hint[512];
} ns_error;

/**
 * Time spent waiting for something. `total` is NS_UNKNOWN where the kernel does not count it.
 */
typedef struct ns_stall {
  /**
   * Percent of the last 10 seconds.
   */
  double avg10;
  /**
   * Percent of the last minute.
   */
  double avg60;
  /**
   * Percent of the last five minutes.
   */
  double avg300;
  /**
   * In all, in nanoseconds.
   */
  uint64_t total;
} ns_stall;

/**
 * How long a group has waited for one resource. Counted by version 2 of cgroups.
 */
typedef struct ns_pressure {
  /**
   * One of its processes at least was waiting.
   */
  struct ns_stall some;
  /**
   * All of them were, so that nothing was done.
   */
  struct ns_stall full;
} ns_pressure;

/**
 * What everything in a program's cgroup uses, or has used. NS_UNKNOWN where no controller counts it.
 */
typedef struct ns_resources {
  /**
   * Bytes of memory now.
   */
  uint64_t memory;
  /**
   * The most bytes of memory at a time.
   */
  uint64_t peak_memory;
  /**
   * How many processes were killed because the memory limit was reached.
   */
  uint64_t oom_kills;
  /**
   * Processor time, in nanoseconds.
   */
  uint64_t cpu_time;
  /**
   * How long it was held back by its limit of processor time, in nanoseconds.
   */
  uint64_t throttled_time;
  /**
   * Processes and threads now.
   */
  uint64_t pids;
  /**
   * Bytes read from block devices.
   */
  uint64_t read_bytes;
  /**
   * Bytes written to block devices.
   */
  uint64_t written_bytes;
  /**
   * How long it waited for memory: to get it back from swap, or to free some first.
   */
  struct ns_pressure memory_pressure;
  /**
   * How long it waited for a processor.
   */
  struct ns_pressure cpu_pressure;
  /**
   * How long it waited for block devices.
   */
  struct ns_pressure io_pressure;
} ns_resources;

/**
 * How a program ended and what it has used. Times are nanoseconds.
 *
 * The kernel reports the status of a process, so it is certain. With ns_spec_init, the init
 * process reports the status of the program. A program that is root inside can write a report in
 * its place, and can end the init process with an exit code of its choice. Then all fields but
 * `out_of_memory` are the program's word. A report that cannot be true is ignored: the status is
 * that of the init process itself.
 */
typedef struct ns_status {
  /**
   * The exit code, or -1 if it was killed by a signal.
   */
  int32_t exit_code;
  /**
   * The signal that killed it, or 0.
   */
  int32_t signal;
  /**
   * 1 if a core file was written.
   */
  int32_t core_dumped;
  /**
   * 1 if the fields below are known: the kernel tells them only to who reaps the process.
   */
  int32_t usage_known;
  /**
   * Time on a CPU outside the kernel, children it waited for included.
   */
  uint64_t user_time;
  /**
   * Time on a CPU inside the kernel.
   */
  uint64_t system_time;
  /**
   * The most physical memory that it had at a time, in bytes.
   */
  uint64_t peak_memory;
  /**
   * 1 if it was killed because its deadline was over, ns_spec_deadline.
   */
  int32_t timed_out;
  /**
   * 1 if something in its cgroup was killed because the memory limit was reached, ns_spec_limits.
   */
  int32_t out_of_memory;
} ns_status;

/**
 * A namespace, as its descriptor tells.
 */
typedef struct ns_identity {
  /**
   * NS_USER, NS_PID, ...
   */
  uint64_t kind;
  /**
   * The number in its link, /proc/PID/ns. Used again once the namespace is gone.
   */
  uint64_t inode;
  /**
   * The 64-bit id, never used again; 0 before Linux 6.18 (6.8 for mount namespaces).
   */
  uint64_t id;
  /**
   * The uid that made a user namespace, as the caller sees it; -1 for other kinds.
   */
  int64_t owner_uid;
} ns_identity;

/**
 * A namespace of a listing. Where a number is not known or there is none, it is -1, or 0 for `id` and the inodes.
 */
typedef struct ns_namespace {
  /**
   * One of NS_USER, NS_PID, ...
   */
  uint64_t kind;
  /**
   * The number in its link under /proc/PID/ns. Used again once the namespace is gone.
   */
  uint64_t inode;
  /**
   * The device of that inode.
   */
  uint64_t device;
  /**
   * The 64-bit id, never used again (mount namespaces since Linux 6.8, all since 6.18).
   */
  uint64_t id;
  /**
   * The namespace of the same kind around it: user and pid namespaces alone have one.
   */
  uint64_t parent_inode;
  /**
   * The user namespace whose capabilities count in it: for a user namespace, its parent.
   */
  uint64_t owner_inode;
  /**
   * The index of the parent in this listing, if its kind was asked for.
   */
  int64_t parent;
  /**
   * The index of the owner in this listing, if its kind was asked for.
   */
  int64_t owner;
  /**
   * The uid that made the user namespace, or the one that owns this namespace.
   */
  int64_t creator;
  /**
   * The owner of the /proc directory of the process with the lowest pid.
   */
  int64_t uid;
  /**
   * How it is held: NS_HELD_*.
   */
  uint32_t held;
  /**
   * How many processes are in it.
   */
  uint32_t processes;
  /**
   * How many hold it otherwise, as far as was looked for: see ns_listing_holder.
   */
  uint32_t holders;
  /**
   * How many parents a user or pid namespace has; of another, how many its owner has.
   */
  uint32_t depth;
  /**
   * The lowest pid in it.
   */
  int32_t pid;
  /**
   * The parent of that process.
   */
  int32_t ppid;
  /**
   * The number under which the caller's network namespace knows this one, ip-netns(8).
   */
  int32_t nsid;
  /**
   * Not used; 0.
   */
  int32_t reserved;
} ns_namespace;

/**
 * One that holds a namespace without being a process in it.
 */
typedef struct ns_holder {
  /**
   * How: one of NS_HELD_*.
   */
  uint32_t how;
  /**
   * The process; for a mount, one that sees it.
   */
  int32_t pid;
  /**
   * The thread, for NS_HELD_THREADS and NS_HELD_..._FOR_CHILDREN; else -1.
   */
  int32_t tid;
  /**
   * The descriptor's number in that process, for NS_HELD_DESCRIPTORS and NS_HELD_SOCKETS; else -1.
   */
  int32_t fd;
  /**
   * The inode of the mount namespace in which it is mounted, for NS_HELD_MOUNTS; else 0.
   */
  uint64_t mount_namespace;
} ns_holder;

/**
 * What a listing could not see.
 */
typedef struct ns_gaps {
  /**
   * 1 if all that was asked for could be seen.
   */
  int32_t complete;
  /**
   * Processes whose namespaces may not be read: mostly those of other users.
   */
  uint32_t unreadable;
  /**
   * Processes that had ended when they were looked at. They leave no gap.
   */
  uint32_t vanished;
  /**
   * Processes and mount namespaces whose threads, descriptors or mounts may not be read, though their
   * namespaces may.
   */
  uint32_t closed;
  /**
   * Sockets whose network namespace may not be asked for.
   */
  uint32_t sockets;
  /**
   * Namespaces of which the kernel could not be asked, so that id, parent and owner are unknown.
   */
  uint32_t undescribed;
  /**
   * 1 if /proc shows another pid namespace than the caller's: the pids mean nothing here.
   */
  int32_t foreign_proc;
  /**
   * 1 if the caller is not in the machine's first pid namespace: processes outside are not to be seen.
   */
  int32_t inner_pid_namespace;
  /**
   * 1 if /proc is mounted with hidepid: other users' processes are not to be seen.
   */
  int32_t hidden_processes;
  /**
   * Not used; 0.
   */
  int32_t reserved;
} ns_gaps;

/**
 * One thing that was tried. The texts are UTF-8 and live as long as the features.
 */
typedef struct ns_feature {
  /**
   * A kind of namespace ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"), "nested_user", "proc", "overlay", "idmapped_mounts",
   * "links", "link_rate", "link_delay", "clone3", "listns", "pidfd_info_exit", "landlock", "cgroup_v2" or "cgroup_v1".
   */
  const char *name;
  /**
   * NS_YES, NS_IN_USER_NAMESPACE or NS_NO.
   */
  int64_t support;
  /**
   * Why not, or what there is; may be empty.
   */
  const char *detail;
  /**
   * What to do about it; may be empty.
   */
  const char *hint;
} ns_feature;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the library that is running, as "MAJOR.MINOR.PATCH". Static, never NULL.
 */
const char *ns_version(void);

/**
 * Makes a spec from a spec document: a JSON object whose keys are the options, under the names that
 * they have here after ns_spec_. The schema is in nsiso-spec.schema.json, and ns_spec_schema
 * returns it. Stores the spec in `*out`; free it with ns_spec_free. Setters may add to it.
 *
 * Descriptors in a document are numbers of the caller's, which it keeps open until the spawn.
 *
 * -EINVAL: `json` is no JSON, or it has an unknown option, a value of the wrong type or one that
 * cannot be. The message begins with the path of the value, such as mounts[2].size, and the hint
 * names the nearest known option.
 */
int ns_spec_from_json(const char *json, struct ns_spec **out, struct ns_error *err);

/**
 * Returns the JSON Schema of spec documents; NULL when memory is used up. Free it with
 * ns_string_free.
 */
char *ns_spec_schema(void);

/**
 * Frees a string that a function here has returned; NULL is allowed.
 */
void ns_string_free(char *string);

/**
 * A new spec: the shell in the caller's own namespaces. NULL when memory is used up. Free it with
 * ns_spec_free.
 */
struct ns_spec *ns_spec_new(void);

/**
 * Frees a spec; NULL is allowed. Processes spawned from it go on.
 */
void ns_spec_free(struct ns_spec *spec);

/**
 * Adds kinds of namespace, NS_USER | NS_PID | ..., that are made new for the program. An ordinary user
 * needs NS_USER for all others. -EINVAL for a
 * bit that is none of NS_ALL.
 */
int ns_spec_unshare(struct ns_spec *spec,
                    uint64_t kinds,
                    struct ns_error *err);

/**
 * Holds the child once it is in its namespaces, before anything is set up in there: its pid is written to the descriptor `tell`, in decimal and
 * with a line feed, and it goes on when the descriptor `go` can be read, or when nobody has its other end any more (the child itself has what the
 * caller had open). ns_spawn() waits for that, with all signals blocked. For whoever gives it id maps, a network or the like from outside. Both are open until the spawn.
 */
int ns_spec_sync_fds(struct ns_spec *spec,
                     int info_fd,
                     int block_fd,
                     struct ns_error *err);

/**
 * The propagation of all mounts in a new mount namespace: NS_PROPAGATION_*. mount_namespaces(7).
 */
int ns_spec_propagation(struct ns_spec *spec, int propagation, struct ns_error *err);

/**
 * The host name inside, at most 64 bytes. Asks for a new UTS namespace.
 */
int ns_spec_hostname(struct ns_spec *spec, const char *name, struct ns_error *err);

/**
 * The NIS domain name inside, at most 64 bytes. Asks for a new UTS namespace.
 */
int ns_spec_domainname(struct ns_spec *spec, const char *name, struct ns_error *err);

/**
 * What is added to CLOCK_MONOTONIC inside, as in a struct timespec: half a second back is -1 s and
 * 500000000 ns. -ERANGE if the clock would be before 0 or past the kernel's range. Asks for a new time
 * namespace. time_namespaces(7).
 */
int ns_spec_monotonic(struct ns_spec *spec,
                      int64_t seconds,
                      uint32_t nanoseconds,
                      struct ns_error *err);

/**
 * The same for CLOCK_BOOTTIME, and so for the uptime.
 */
int ns_spec_boottime(struct ns_spec *spec,
                     int64_t seconds,
                     uint32_t nanoseconds,
                     struct ns_error *err);

/**
 * Mounts a fresh proc file system, which shows the new pid namespace, at `path`, usually "/proc". Asks for
 * a new mount namespace.
 */
int ns_spec_mount_proc(struct ns_spec *spec,
                       const char *path,
                       struct ns_error *err);

/**
 * Whether (not 0) the loopback device of a new network namespace is brought up: by default it is.
 */
int ns_spec_loopback(struct ns_spec *spec, int up, struct ns_error *err);

/**
 * The program and its arguments, a table that ends with NULL and is copied. argv[0] without a slash is
 * looked for in the PATH of the environment that the program gets, as execvp(3) does.
 */
int ns_spec_argv(struct ns_spec *spec,
                 const char *const *argv,
                 struct ns_error *err);

/**
 * The file to execute in place of argv[0]; argv[0] stays what the program sees as its name.
 */
int ns_spec_program(struct ns_spec *spec, const char *program, struct ns_error *err);

/**
 * Start with an empty environment; later ns_spec_env_set add to it. By default the program gets the
 * caller's environment at the time of ns_spawn, which must not run while another thread calls setenv(3).
 */
int ns_spec_env_clear(struct ns_spec *spec,
                      struct ns_error *err);

/**
 * Sets one environment variable.
 */
int ns_spec_env_set(struct ns_spec *spec,
                    const char *name,
                    const char *value,
                    struct ns_error *err);

/**
 * Removes one environment variable.
 */
int ns_spec_env_unset(struct ns_spec *spec, const char *name, struct ns_error *err);

/**
 * The working directory; the caller's by default. A relative program is looked for in it.
 */
int ns_spec_cwd(struct ns_spec *spec, const char *path, struct ns_error *err);

/**
 * Where the program's descriptor 0, 1 or 2 leads to: NS_STDIO_*.
 */
int ns_spec_stdio(struct ns_spec *spec, int child_fd, int stdio, struct ns_error *err);

/**
 * Passes `fd` to the program, where its number is `child_fd`. `fd` is borrowed: it must be open now and
 * at each ns_spawn. Numbers may be permuted. Descriptors from 3 on that are not passed are closed.
 */
int ns_spec_fd(struct ns_spec *spec,
               int child_fd,
               int fd,
               struct ns_error *err);

/**
 * Runs the program in a session of its own, setsid(2).
 */
int ns_spec_new_session(struct ns_spec *spec, struct ns_error *err);

/**
 * Sets every signal to its default in the program, also those that the caller ignores. Without it
 * the program ignores what the caller ignores, as after execve(2), but SIGPIPE and SIGXFSZ are at
 * their default. ns_spec_sandbox brings it.
 */
int ns_spec_reset_signals(struct ns_spec *spec, struct ns_error *err);

/**
 * Gives the program a pseudo-terminal of its own with this many rows and columns, as controlling terminal and as its descriptors 0, 1 and 2, unless these
 * are given. ns_process_take_pty hands out the other end. pty(7).
 */
int ns_spec_pty(struct ns_spec *spec,
                uint16_t rows,
                uint16_t columns,
                struct ns_error *err);

/**
 * The caller is root inside: its effective uid and gid are mapped to 0. Asks for a new user namespace.
 */
int ns_spec_map_root(struct ns_spec *spec,
                     struct ns_error *err);

/**
 * The caller keeps its effective uid and gid inside. Asks for a new user namespace.
 */
int ns_spec_map_current(struct ns_spec *spec, struct ns_error *err);

/**
 * The caller's first block of ids in /etc/subuid and /etc/subgid is laid out from 0 inside, leaving out
 * the ids that are mapped otherwise. Asks for a new user namespace; an ordinary caller needs newuidmap(1).
 */
int ns_spec_map_auto(struct ns_spec *spec,
                     struct ns_error *err);

/**
 * Maps `count` uids that start at `inside` in the new user namespace and at `outside` in the caller's;
 * may be called again for more ranges, up to 340. Other ids than one's own take root or newuidmap(1) and a
 * line in /etc/subuid. Asks for a new user namespace. user_namespaces(7).
 */
int ns_spec_uid_map(struct ns_spec *spec,
                    uint32_t inside,
                    uint32_t outside,
                    uint32_t count,
                    struct ns_error *err);

/**
 * The same for gids.
 */
int ns_spec_gid_map(struct ns_spec *spec,
                    uint32_t inside,
                    uint32_t outside,
                    uint32_t count,
                    struct ns_error *err);

/**
 * Whether (not 0) setgroups(2) stays allowed in the new user namespace. By default it is denied when
 * the caller's own gid alone is mapped, as the kernel demands of an ordinary caller. Asks for a new user namespace.
 */
int ns_spec_setgroups(struct ns_spec *spec,
                      int allow,
                      struct ns_error *err);

/**
 * The uid to run as, as seen inside. By default the caller's; where a new user namespace does not map
 * that, 0, or the lowest uid that is mapped. Supplementary groups are dropped with the caller's identity,
 * unless ns_spec_groups gave some.
 */
int ns_spec_uid(struct ns_spec *spec,
                uint32_t uid,
                struct ns_error *err);

/**
 * The gid to run as, as seen inside; the default is as for ns_spec_uid.
 */
int ns_spec_gid(struct ns_spec *spec, uint32_t gid, struct ns_error *err);

/**
 * The supplementary groups, as seen inside: `count` gids, copied; none if `count` is 0.
 */
int ns_spec_groups(struct ns_spec *spec, const uint32_t *gids, size_t count, struct ns_error *err);

/**
 * Keeps the capabilities of the new user namespace over exec as ambient capabilities, also for a program
 * that is not root inside. capabilities(7).
 */
int ns_spec_keep_caps(struct ns_spec *spec,
                      struct ns_error *err);

/**
 * Runs the program in the existing namespace `fd`, ns_open(); the descriptor must stay open until
 * the program has been spawned. New namespaces are made inside joined ones. In a joined user
 * namespace the program is root where root is mapped, unless it is given an id or
 * ns_spec_keep_credentials; in a joined mount namespace it begins at the root directory. setns(2).
 */
int ns_spec_join(struct ns_spec *spec, int fd, struct ns_error *err);

/**
 * The same with namespaces of a process, given by its pidfd, that it is in at the spawn: NS_USER | NS_NET | ..., or
 * NS_ALL. Those that it shares with the caller are left out.
 */
int ns_spec_join_process(struct ns_spec *spec,
                         int pidfd,
                         uint64_t kinds,
                         struct ns_error *err);

/**
 * In a joined user namespace the program keeps the caller's uid, gid and groups, mapped or not.
 */
int ns_spec_keep_credentials(struct ns_spec *spec, struct ns_error *err);

/**
 * The directory `fd` becomes the program's root, chroot(2), after mounts have been joined. Takes CAP_SYS_CHROOT. The
 * descriptor must stay open until the program has been spawned.
 */
int ns_spec_root_at(struct ns_spec *spec,
                    int fd,
                    struct ns_error *err);

/**
 * The directory `fd` becomes the working directory; it may lie outside the root. fchdir(2).
 */
int ns_spec_cwd_at(struct ns_spec *spec, int fd, struct ns_error *err);

/**
 * Keeps the new namespace of one kind at `path`, as ns_pin does, before the program runs. Asks for a new namespace. If the
 * program cannot be started, nothing is kept.
 */
int ns_spec_pin(struct ns_spec *spec,
                uint64_t kind,
                const char *path,
                struct ns_error *err);

/**
 * Shows the file or directory `source`, as the caller sees it, at `target` in the program's view of the file system, with all that is mounted
 * below it; `flags` are NS_MOUNT_... joined by |, or 0. The view begins with the host's whole tree, or, if the first mount is at "/", with
 * that alone; each mount comes on top of those before it; then the old root is taken away. A target that is missing is made. Set-user-ID bits
 * and device files do not count. Asks for a new mount namespace. open_tree(2), mount_setattr(2), or
 * mount(2) where these are missing; pivot_root(2).
 */
int ns_spec_mount_bind(struct ns_spec *spec,
                       const char *source,
                       const char *target,
                       uint64_t flags,
                       struct ns_error *err);

/**
 * The same by a descriptor, open until the spawn; O_PATH is enough.
 */
int ns_spec_mount_bind_fd(struct ns_spec *spec,
                          int fd,
                          const char *target,
                          uint64_t flags,
                          struct ns_error *err);

/**
 * The same with other owners, by the id map of the user namespace `user_ns`, ns_open(), open until the spawn. Takes root, Linux 5.12 and a file
 * system that knows it.
 */
int ns_spec_mount_bind_idmapped(struct ns_spec *spec,
                                const char *source,
                                const char *target,
                                int user_ns,
                                uint64_t flags,
                                struct ns_error *err);

/**
 * An empty file system in memory, of `size` bytes at most and a file for each KiB of them, 1024 at least (0: half
 * of the memory), whose root has the permissions `mode`. tmpfs(5).
 */
int ns_spec_mount_tmpfs(struct ns_spec *spec,
                        const char *target,
                        uint64_t size,
                        uint32_t mode,
                        uint64_t flags,
                        struct ns_error *err);

/**
 * A fresh proc of the program's pid namespace. `hidepid` is NULL or "off", "noaccess", "invisible", "ptraceable"; NS_MOUNT_SUBSET_PID leaves the
 * machine's settings out. Where the host's own /proc is partly covered, as in a container, the kernel refuses it with EPERM. proc(5).
 */
int ns_spec_mount_procfs(struct ns_spec *spec,
                         const char *target,
                         const char *hidepid,
                         uint64_t flags,
                         struct ns_error *err);

/**
 * A small /dev: null, zero, full, random, urandom, tty, pseudo-terminals of its own, shm, links to the descriptors; console is the program's
 * terminal, if it is given one, ns_spec_pty().
 */
int ns_spec_mount_dev(struct ns_spec *spec,
                      const char *target,
                      struct ns_error *err);

/**
 * A fresh sysfs of the program's network namespace, read-only.
 */
int ns_spec_mount_sysfs(struct ns_spec *spec, const char *target, struct ns_error *err);

/**
 * The POSIX message queues of the program's IPC namespace. mq_overview(7).
 */
int ns_spec_mount_mqueue(struct ns_spec *spec, const char *target, struct ns_error *err);

/**
 * A writable layer over the directory `lower`. With `upper` and `work` NULL, what is written is thrown away, and `lower` may be the host's "/": what is
 * mounted in it gets layers of its own; /proc, /sys and the like are read-only, and so are files right beside something that is mounted, but for
 * the caller's own up to 1 MiB, which are copied.
 * Otherwise it is kept in the directory `upper`; `work`, an empty directory of the same file system, is the kernel's. Linux 5.11 for an
 * ordinary user.
 */
int ns_spec_mount_overlay(struct ns_spec *spec,
                          const char *lower,
                          const char *upper,
                          const char *work,
                          const char *target,
                          uint64_t flags,
                          struct ns_error *err);

/**
 * The same over several lower trees: `lower` is a list that ends with NULL, the uppermost first. What is in a tree is seen where those before it
 * have nothing; what is mounted in them is not seen. With NS_MOUNT_RDONLY, `upper` and `work` NULL, and more than one tree there is no writable
 * layer at all.
 */
int ns_spec_mount_overlay_trees(struct ns_spec *spec,
                                const char *const *lower,
                                const char *upper,
                                const char *work,
                                const char *target,
                                uint64_t flags,
                                struct ns_error *err);

/**
 * A directory with these permissions; one that is there already is left as it is.
 */
int ns_spec_mount_dir(struct ns_spec *spec,
                      const char *target,
                      uint32_t mode,
                      struct ns_error *err);

/**
 * A symbolic link to `to`.
 */
int ns_spec_mount_symlink(struct ns_spec *spec,
                          const char *to,
                          const char *target,
                          struct ns_error *err);

/**
 * A new file with these `size` bytes, which are copied. In the sandbox it takes the place of the sandbox's own.
 */
int ns_spec_mount_file(struct ns_spec *spec,
                       const void *data,
                       size_t size,
                       const char *target,
                       uint32_t mode,
                       struct ns_error *err);

/**
 * Hides what is there: a directory becomes empty, a file reads as /dev/null. Nothing to hide is fine.
 */
int ns_spec_mount_mask(struct ns_spec *spec,
                       const char *target,
                       struct ns_error *err);

/**
 * Makes what is there read-only, with all that is mounted below it. `flags`: NS_MOUNT_IF_EXISTS, NS_MOUNT_NON_RECURSIVE or 0.
 */
int ns_spec_mount_read_only(struct ns_spec *spec,
                            const char *target,
                            uint64_t flags,
                            struct ns_error *err);

/**
 * The permissions of what is there already.
 */
int ns_spec_mount_chmod(struct ns_spec *spec,
                        const char *target,
                        uint32_t mode,
                        struct ns_error *err);

/**
 * New rules; NULL when memory is used up. Free them with ns_landlock_free.
 */
struct ns_landlock *ns_landlock_new(void);

/**
 * Frees rules; NULL is allowed.
 */
void ns_landlock_free(struct ns_landlock *rules);

/**
 * Grants `access`, NS_LANDLOCK_READ, _EXECUTE, _WRITE joined by |, to the file or the tree at `path`, as the program sees it; it must exist
 * when the program starts.
 */
int ns_landlock_path(struct ns_landlock *rules,
                     const char *path,
                     uint64_t access,
                     struct ns_error *err);

/**
 * TCP sockets may be bound to these `count` ports alone; 0 for none. Linux 6.7.
 */
int ns_landlock_bind_tcp(struct ns_landlock *rules,
                         const uint16_t *ports,
                         size_t count,
                         struct ns_error *err);

/**
 * TCP connections may be made to these `count` ports alone; 0 for none. Linux 6.7. The kernel counts connect(2): TCP Fast Open and MPTCP get round it, unless
 * ns_spec_seccomp refuses them; so does UDP.
 */
int ns_landlock_connect_tcp(struct ns_landlock *rules,
                            const uint16_t *ports,
                            size_t count,
                            struct ns_error *err);

/**
 * Restricts the program to what `rules` grant; they are copied. NULL lifts rules that were set before,
 * by ns_spec_sandbox for example; then `flags` must be 0. `flags`: NS_LANDLOCK_SCOPED, NS_LANDLOCK_BEST_EFFORT, NS_LANDLOCK_AS_MOUNTED. Brings ns_spec_new_privs. landlock(7).
 */
int ns_spec_landlock(struct ns_spec *spec,
                     const struct ns_landlock *rules,
                     uint64_t flags,
                     struct ns_error *err);

/**
 * The capabilities that the program keeps, a table of names ("net_admin", "CAP_CHOWN") that ends with NULL, none or some, in all of its sets; it can
 * never get any other. capabilities(7).
 */
int ns_spec_caps(struct ns_spec *spec,
                 const char *const *names,
                 struct ns_error *err);

/**
 * PR_SET_SECUREBITS, capabilities(7): how root is treated.
 */
int ns_spec_securebits(struct ns_spec *spec, uint32_t bits, struct ns_error *err);

/**
 * Whether (`allowed` is not 0) set-user-ID programs and file capabilities give the program and its
 * descendants more privileges: by default they do. Landlock and seccomp need 0.
 * PR_SET_NO_NEW_PRIVS(2const).
 */
int ns_spec_new_privs(struct ns_spec *spec, int allowed, struct ns_error *err);

/**
 * Whether (`allowed` is not 0) user namespaces can be made inside the new one: by default they can.
 * 0 asks for a new user namespace. CAP_SYS_RESOURCE would let the program allow them again: ns_spawn
 * refuses it in ns_spec_caps beside 0 with -EINVAL. The filter of ns_spec_seccomp refuses to make
 * them, too.
 */
int ns_spec_user_namespaces(struct ns_spec *spec,
                            int allowed,
                            struct ns_error *err);

/**
 * A resource limit by its name ("nofile", "cpu", "as"...), in its unit; NS_UNLIMITED for none. An init process has the caller's. getrlimit(2).
 */
int ns_spec_rlimit(struct ns_spec *spec,
                   const char *name,
                   uint64_t soft,
                   uint64_t hard,
                   struct ns_error *err);

/**
 * The nice value, -20 to 19. setpriority(2).
 */
int ns_spec_nice(struct ns_spec *spec, int nice, struct ns_error *err);

/**
 * How willingly the kernel kills the program when memory runs out, -1000 to 1000. proc_pid_oom_score_adj(5).
 */
int ns_spec_oom_score_adj(struct ns_spec *spec,
                          int score,
                          struct ns_error *err);

/**
 * The `count` processors that the program runs on, by number. sched_setaffinity(2).
 */
int ns_spec_cpus(struct ns_spec *spec, const uint32_t *cpus, size_t count, struct ns_error *err);

/**
 * The permissions that new files do not get. umask(2).
 */
int ns_spec_umask(struct ns_spec *spec, uint32_t mask, struct ns_error *err);

/**
 * personality(2).
 */
int ns_spec_personality(struct ns_spec *spec, uint32_t personality, struct ns_error *err);

/**
 * Sets (`on` is not 0) or takes away (0) an init process: a small process of the library is PID 1 in
 * place of the program. It reaps orphans, passes signals on, ends everything in the namespace when
 * the program ends, and reports the program's status even where the caller reaps all children.
 * ns_process_pid and ns_process_pidfd are those of the init process. Asks for a new pid namespace.
 * Off by default; ns_spec_sandbox sets it.
 */
int ns_spec_init(struct ns_spec *spec,
                 int on,
                 struct ns_error *err);

/**
 * Whether (`on` is not 0) the init process ends when all descendants of the program have ended, not
 * only the program. Brings ns_spec_init. Off by default.
 */
int ns_spec_wait_for_all(struct ns_spec *spec, int on, struct ns_error *err);

/**
 * Whether (`on` is not 0) everything in the pid namespace is killed when the calling process (not
 * the thread) has died. Brings ns_spec_init. Off by default; ns_spec_sandbox sets it.
 */
int ns_spec_die_with_parent(struct ns_spec *spec, int on, struct ns_error *err);

/**
 * When this much time is over, everything in the namespace is killed, and ns_status says so. Brings ns_spec_init.
 */
int ns_spec_deadline(struct ns_spec *spec,
                     uint64_t nanoseconds,
                     struct ns_error *err);

/**
 * Isolation for a program that is not trusted, as any user.
 *
 * All kinds of namespace are new; no network but loopback; the host name is "sandbox". The root
 * holds the host's /usr read-only, a /proc, /dev and /tmp of its own and nothing else of the host.
 * No capabilities and no way to get any, no user namespaces; Landlock, as far as the kernel has
 * it, and ns_spec_seccomp; ns_spec_die_with_parent; an empty environment.
 *
 * 64 MiB each for the files in /tmp, in /dev/shm and in the rest; 512 processes, 64 KiB of locked
 * memory, 1024 pending signals, 256 KiB of POSIX message queues, or the caller's own limits where
 * they are lower. No core dumps, also where the host pipes them to a program: the limit is 1, see
 * core(5); if the caller's hard limit is 0, it stays 0, and such a program is started.
 *
 * A caller who is root runs it as nobody. Later options add to it, and what is mounted for writing
 * may be written; names and resource limits that are set before stay as they are. These loosen it:
 * ns_spec_share; ns_spec_landlock with NULL; ns_spec_seccomp, ns_spec_init and
 * ns_spec_die_with_parent with 0; ns_spec_new_privs and ns_spec_user_namespaces with 1.
 */
int ns_spec_sandbox(struct ns_spec *spec, struct ns_error *err);

/**
 * The program shares these kinds of namespace with the caller, whatever asked for new ones before.
 */
int ns_spec_share(struct ns_spec *spec, uint64_t kinds, struct ns_error *err);

/**
 * Adds (`on` is not 0) the filter of system calls for programs that are not trusted, and
 * ns_spec_new_privs with 0, which the kernel demands; or takes away (0) all filters that were added
 * before. seccomp(2).
 *
 * With EPERM fail: administration of the machine, insides of other processes, the kernel's larger
 * and younger parts; making a file with a set-user-ID or set-group-ID bit, or giving it one (files
 * that have one already are not protected); prlimit, sched_set..., setpriority and ioprio_set for
 * PID 1, the last two also for all processes of a user; changing the limit of core dumps. Sockets
 * but Unix, TCP, UDP, ping, and netlink about addresses and routes fail with EAFNOSUPPORT or
 * EPROTONOSUPPORT, TCP Fast Open with EOPNOTSUPP, clone3 and openat2, whose flags no filter sees,
 * with ENOSYS.
 */
int ns_spec_seccomp(struct ns_spec *spec, int on, struct ns_error *err);

/**
 * Adds a filter: the `calls`, a table of names that ends with NULL, get `action`, NS_SECCOMP_..., all others are allowed. `errnum` is what
 * NS_SECCOMP_FAIL fails with. All filters are asked, and the strictest wins.
 */
int ns_spec_seccomp_deny(struct ns_spec *spec,
                         const char *const *calls,
                         int action,
                         int errnum,
                         struct ns_error *err);

/**
 * Adds a filter: the `calls`, and execve, by which the program starts, are allowed, all others get `action`.
 */
int ns_spec_seccomp_allow(struct ns_spec *spec,
                          const char *const *calls,
                          int action,
                          int errnum,
                          struct ns_error *err);

/**
 * Adds a filter as the kernel runs it: `count` structs sock_filter, which are copied. It must allow execve.
 */
int ns_spec_seccomp_raw(struct ns_spec *spec,
                        const void *filter,
                        size_t count,
                        struct ns_error *err);

/**
 * The host is asked about these calls, a table of names that ends with NULL, and answers for them by the descriptor that
 * ns_process_take_notify hands out. The program waits meanwhile. seccomp_unotify(2).
 */
int ns_spec_seccomp_notify(struct ns_spec *spec,
                           const char *const *calls,
                           struct ns_error *err);

/**
 * New limits; NULL when memory is used up. Free them with ns_limits_free.
 */
struct ns_limits *ns_limits_new(void);

/**
 * Frees limits; NULL is allowed.
 */
void ns_limits_free(struct ns_limits *limits);

/**
 * Sets one limit, NS_LIMIT_..., in its unit. cgroups(7).
 */
int ns_limits_set(struct ns_limits *limits, int what, uint64_t value, struct ns_error *err);

/**
 * The processors it runs on, as a list like "0-2,7". cpuset(7).
 */
int ns_limits_cpus(struct ns_limits *limits, const char *list, struct ns_error *err);

/**
 * The most that is done per second on a block device, given by its file or by a file on it: bytes read and written, read and write
 * operations; NS_UNKNOWN for no limit.
 */
int ns_limits_io(struct ns_limits *limits,
                 const char *device,
                 uint64_t read_bytes,
                 uint64_t write_bytes,
                 uint64_t reads,
                 uint64_t writes,
                 struct ns_error *err);

/**
 * Bytes of huge pages of one size, such as "2MB".
 */
int ns_limits_huge_pages(struct ns_limits *limits,
                         const char *size,
                         uint64_t bytes,
                         struct ns_error *err);

/**
 * Puts the program into a cgroup of its own with these limits, which are copied: by version 1 or 2 of cgroups, whichever has the
 * controller on this machine; a limit that cannot be enforced fails the spawn with -ENOTSUP. The group is removed when the program has ended
 * and been waited for; what is left in it then is killed. It is made below the nearest group of the caller's that can be used: root's own, or
 * one delegated to the user (Delegate=yes).
 */
int ns_spec_limits(struct ns_spec *spec,
                   const struct ns_limits *limits,
                   struct ns_error *err);

/**
 * The group of version 2 below which the program's is made: a directory of a mounted cgroup2.
 */
int ns_spec_cgroup_parent(struct ns_spec *spec, const char *path, struct ns_error *err);

/**
 * Stores what everything in the program's group uses now, or has used once it has ended, in `*out`, which has `size` bytes: pass
 * sizeof(ns_resources). -ENOTSUP without ns_spec_limits.
 */
int ns_process_resources(const struct ns_process *process,
                         struct ns_resources *out,
                         size_t size,
                         struct ns_error *err);

/**
 * Changes limits while the program runs; those that are not given stay. -ESRCH once it has been waited for.
 */
int ns_process_set_limits(const struct ns_process *process,
                          const struct ns_limits *limits,
                          struct ns_error *err);

/**
 * Stops everything in the program's group (not 0), or lets it go on (0). Returns when all have stopped.
 * -ESRCH once it has been waited for. An init process stops, too: deadlines and the end with the host wait until all go on, or are killed by
 * ns_process_kill_group.
 */
int ns_process_freeze(const struct ns_process *process,
                      int frozen,
                      struct ns_error *err);

/**
 * Kills everything in the program's group at once. Once it has been waited for there is nothing left to kill.
 */
int ns_process_kill_group(const struct ns_process *process,
                          struct ns_error *err);

/**
 * Makes the new namespaces of `spec`, with all that it says of them, runs no program in them, and stores a descriptor of each kind in
 * `kinds`, which the caller closes, in `fds`: as many as `kinds` has bits, in the order NS_TIME, NS_MNT, NS_CGROUP, NS_UTS, NS_IPC, NS_USER, NS_NET. The namespaces exist as
 * long as these descriptors or processes in them: ns_spec_join takes programs there. Returns how many. -EINVAL for NS_PID, which ends with its
 * first process.
 */
int ns_hold(const struct ns_spec *spec,
            uint64_t kinds,
            int *fds,
            struct ns_error *err);

/**
 * A socket in the network namespace `network`, where it stays, socket(2): a descriptor that the caller closes. The calling thread stays where it is.
 * An ordinary user makes sockets in the network namespaces of its own user namespaces.
 */
int ns_socket(int network,
              int domain,
              int type,
              int protocol,
              struct ns_error *err);

/**
 * A new end: in the caller's own network namespace, or, as the inner end of ns_spec_link, in the program's. NULL when memory is used up. Free it
 * with ns_endpoint_free.
 */
struct ns_endpoint *ns_endpoint_new(void);

/**
 * Frees an end; NULL is allowed. What was made with it stays.
 */
void ns_endpoint_free(struct ns_endpoint *endpoint);

/**
 * The network namespace of the end: a descriptor that must stay open as long as the end is used.
 */
int ns_endpoint_netns(struct ns_endpoint *endpoint, int network, struct ns_error *err);

/**
 * The device's name, at most 15 bytes; by default the first of eth0, eth1, ... that is free, in the caller's own namespace of veth0, veth1, ...
 */
int ns_endpoint_name(struct ns_endpoint *endpoint,
                     const char *name,
                     struct ns_error *err);

/**
 * The hardware address, as "02:00:00:00:00:01"; one by chance otherwise.
 */
int ns_endpoint_mac(struct ns_endpoint *endpoint, const char *mac, struct ns_error *err);

/**
 * The most bytes of a packet, 68 to 65535; 1500 by default.
 */
int ns_endpoint_mtu(struct ns_endpoint *endpoint, uint32_t bytes, struct ns_error *err);

/**
 * One more address with its network, as "10.0.0.1/24" or "fd00::1/64". When the link is made, -EEXIST if the network overlaps that of another
 * device in the namespace.
 */
int ns_endpoint_address(struct ns_endpoint *endpoint,
                        const char *address,
                        struct ns_error *err);

/**
 * Packets for the network `to`, as "10.1.0.0/16", go through the device, to the router with the address `via` unless that is NULL.
 */
int ns_endpoint_route(struct ns_endpoint *endpoint,
                      const char *to,
                      const char *via,
                      struct ns_error *err);

/**
 * The router for all other networks, by its address.
 */
int ns_endpoint_gateway(struct ns_endpoint *endpoint, const char *via, struct ns_error *err);

/**
 * The device becomes a port of this bridge, which is in the same namespace: ns_bridge.
 */
int ns_endpoint_port_of(struct ns_endpoint *endpoint, const char *bridge, struct ns_error *err);

/**
 * How long packets that leave through this end are held up, give or take `jitter`, in nanoseconds. tc-netem(8).
 */
int ns_endpoint_delay(struct ns_endpoint *endpoint,
                      uint64_t delay,
                      uint64_t jitter,
                      struct ns_error *err);

/**
 * The part of the packets leaving through this end that gets lost, 0 to 1: 0.01 is one of a hundred. tc-netem(8).
 */
int ns_endpoint_loss(struct ns_endpoint *endpoint,
                     double part,
                     struct ns_error *err);

/**
 * The most bits per second that leave through this end. tc-tbf(8).
 */
int ns_endpoint_rate(struct ns_endpoint *endpoint, uint64_t bits_per_second, struct ns_error *err);

/**
 * Makes a link between two network namespaces, or within one: a pair of devices, veth(4), each at its end, up and with all that the end says. All or
 * nothing. `names`, unless it is NULL, has room for two names and gets those of the devices at `a` and `b`. The pair is there until one of its
 * namespaces ends or one device is removed. Takes CAP_NET_ADMIN in the user namespaces that own both: root has it; an ordinary user
 * where one user namespace owns both. -EEXIST: a name or an address is taken; -EPERM; -ENOENT at NS_STEP_QDISC: the kernel has no netem.
 */
int ns_link(const struct ns_endpoint *a,
            const struct ns_endpoint *b,
            char (*names)[NS_DEVICE_NAME],
            struct ns_error *err);

/**
 * Makes a bridge, up and without ports, in the network namespace `network` (-1: the caller's own). Ends of links become its ports,
 * ns_endpoint_port_of. It is there until the namespace ends or it is removed.
 */
int ns_bridge(int network,
              const char *name,
              struct ns_error *err);

/**
 * Moves a network device from the network namespace `from` (-1: the caller's own) to that of `to`, with what that says: its name (the old one by
 * default), addresses and all else.
 */
int ns_device_move(int from,
                   const char *device,
                   const struct ns_endpoint *to,
                   struct ns_error *err);

/**
 * Removes a network device from the network namespace `network` (-1: the caller's own), with the other end of its pair.
 */
int ns_device_remove(int network,
                     const char *name,
                     struct ns_error *err);

/**
 * Makes a router of the network namespace `network`: packets for others are passed on between its devices, or (0) are not any more. ip(7).
 */
int ns_forward(int network,
               int on,
               struct ns_error *err);

/**
 * Links the program's new network namespace to that of `outside`: the pair is there when the program starts. It is removed
 * when the program has been waited for, unless its network namespace is pinned or held; nobody waiting, it goes with that. Both ends are copied; the namespace of `inside` does not matter. Permissions and errors as for ns_link.
 */
int ns_spec_link(struct ns_spec *spec,
                 const struct ns_endpoint *inside,
                 const struct ns_endpoint *outside,
                 struct ns_error *err);

/**
 * Moves a network device of the caller's network namespace into the program's new one, with what `inside` says (NULL: nothing but up). When the namespace
 * ends, the kernel gives hardware back and removes what is virtual.
 */
int ns_spec_device(struct ns_spec *spec,
                   const char *device,
                   const struct ns_endpoint *inside,
                   struct ns_error *err);

/**
 * Gives the program a way to the outside, as an ordinary user, too: pasta(1), which must be installed, runs beside it and ends with it. The
 * program reaches what the caller reaches, the host's loopback excepted. Ports of the host are led to ports of the program: `tcp` and
 * `udp` are tables of `tcp_count` and `udp_count` pairs of numbers, the host's first; NULL with 0. `listen` is the host's address for them; NULL is "127.0.0.1".
 */
int ns_spec_uplink(struct ns_spec *spec,
                   const char *listen,
                   const uint16_t (*tcp)[2],
                   size_t tcp_count,
                   const uint16_t (*udp)[2],
                   size_t udp_count,
                   struct ns_error *err);

/**
 * Starts the program of `spec` and stores it in `*out`. Returns 0 when the program runs. On failure
 * the step tells what went wrong, nothing is left behind and `*out` is not touched. Blocks until the
 * program has been executed. Many threads may spawn from one spec at a time.
 *
 * A helper program does the set-up in memory of its own, so a process that may trace the program
 * reaches nothing of the caller. Where a pid namespace is new or joined, or a cgroup of version 2
 * is used, the helper makes the program's process and ends: the caller, whose child both are, gets
 * SIGCHLD for each.
 */
int ns_spawn(const struct ns_spec *spec,
             struct ns_process **out,
             struct ns_error *err);

/**
 * The calling process becomes the program of `spec`, as by execve(2). It keeps its pid, its parent
 * and its terminal; its other threads end. Buffers of stdio are not flushed: call fflush(3)
 * before.
 *
 *     ns_spec_argv(spec, argv, &err) || ns_spec_map_root(spec, &err) || ns_exec(spec, &err);
 *     fprintf(stderr, "%s\n%s\n", err.message, err.hint);
 *
 * Returns only where it fails before the process has changed: a negative errno. Descriptors and
 * their flags, signal mask and capabilities are then as before, and there is no child. EINVAL for
 * an option that takes a parent (below), ENOENT for a missing interpreter of the program, EACCES
 * or EPERM where the helper program may not be executed.
 *
 * What fails later, as a mount or the program itself, is written to descriptor 2: the caller's
 * name, the step, the object and the cause. The process then exits with 127 if the program is not
 * found, with 126 otherwise.
 *
 * The program gets descriptors 0 to 2 and those of ns_spec_fd. Signals that the caller ignores
 * stay ignored, but for SIGPIPE and SIGXFSZ; all others are at their default, and none is blocked.
 *
 * A new or joined pid namespace is that of the program's children: its first child is PID 1, and
 * the program itself stays where the caller was. With ns_spec_limits the cgroup stays when the
 * program has ended; the next call that uses limits removes it and kills what is left in it. A pin
 * stays if a later step fails.
 *
 * Id maps of others than the caller's own ids, and pins, take a caller with one thread: a child of
 * it writes them, and is reaped before the program is executed. EINVAL with several threads.
 *
 * EINVAL for options that take a parent: ns_spec_init and what brings it (ns_spec_sandbox,
 * ns_spec_deadline), NS_STDIO_PIPE, ns_spec_pty, ns_spec_link, ns_spec_device, ns_spec_uplink,
 * ns_spec_seccomp_notify, ns_spec_sync_fds; and for a fresh proc beside a new pid namespace. For those
 * use ns_spawn.
 *
 * May be called from any thread. Other threads must not change the environment meanwhile.
 */
int ns_exec(const struct ns_spec *spec,
            struct ns_error *err);

/**
 * Frees the handle; NULL is allowed. It neither kills the process nor waits for it. A process that
 * has ended is reaped. A process that still runs is detached: it runs on, in its cgroup. When it
 * has ended, the next ns_spawn, the next ns_process_wait that returns a status or the next
 * ns_process_free reaps it and removes its cgroup; processes left in that cgroup are killed. Until
 * then it is a zombie, and the library keeps a descriptor of it. Init reaps it if the caller ends
 * first. A copy of the caller that fork(2) made neither reaps nor removes. A pipe that was not
 * taken is closed. The pidfd must not be used any more.
 */
void ns_process_free(struct ns_process *process);

/**
 * The process id in the caller's pid namespace; -EINVAL for NULL. For signals use ns_process_signal,
 * which cannot hit another process that got the same id later.
 */
int ns_process_pid(const struct ns_process *process);

/**
 * The process's pidfd, which stays the process's: poll(2) finds it readable once the program has ended.
 * -EINVAL for NULL. pidfd_open(2).
 */
int ns_process_pidfd(const struct ns_process *process);

/**
 * Hands out the caller's end of the pipe at the program's descriptor 0, 1 or 2: a descriptor that the
 * caller closes. -EBADF if there is none or it has been taken.
 */
int ns_process_take_pipe(struct ns_process *process,
                         int child_fd,
                         struct ns_error *err);

/**
 * Hands out the host's end of the program's terminal, ns_spec_pty: a descriptor that the caller closes. -EBADF if there is none or it
 * has been taken.
 */
int ns_process_take_pty(struct ns_process *process,
                        struct ns_error *err);

/**
 * Hands out the host's end of ns_spec_seccomp_notify: a descriptor that the caller closes, readable when the program waits for an
 * answer. -EBADF if there is none or it has been taken.
 */
int ns_process_take_notify(struct ns_process *process,
                           struct ns_error *err);

/**
 * Waits until the program has ended, `timeout_ns` nanoseconds at most (0: does not wait;
 * negative: no limit), and stores its status in `*out`, which has `size` bytes: pass
 * sizeof(ns_status). -ETIMEDOUT if it still runs. It may be called again, and by many threads: all
 * get the same status. -ECHILD if the status is lost because the caller reaps all children or
 * ignores SIGCHLD and the kernel is older than 6.15.
 *
 * A cancellation point while it waits: a thread that pthread_cancel(3) ends there has collected
 * nothing, and the process can still be waited for.
 */
int ns_process_wait(const struct ns_process *process,
                    int64_t timeout_ns,
                    struct ns_status *out,
                    size_t size,
                    struct ns_error *err);

/**
 * Sends a signal; 0 only asks whether it could be sent. -ESRCH once the process has been reaped.
 */
int ns_process_signal(const struct ns_process *process, int signal, struct ns_error *err);

/**
 * Opens a namespace by a file of /proc/PID/ns or a bind mount of one, and returns a descriptor of it, which the caller
 * closes. The namespace exists as long as the descriptor is open. Any other file is -EINVAL and not opened for reading.
 */
int ns_open(const char *path,
            struct ns_error *err);

/**
 * The same with the network namespace that ip-netns(8) knows by this name.
 */
int ns_open_name(const char *name, struct ns_error *err);

/**
 * The same with the namespace of one kind that a process is in, given by its pidfd, pidfd_open(2). -ESRCH if it has
 * ended. Takes the right to ptrace(2) it.
 */
int ns_open_process(int pidfd,
                    uint64_t kind,
                    struct ns_error *err);

/**
 * The same by a pid; 0 is the calling thread. A pid must not be held over time: another process may get it.
 */
int ns_open_pid(int pid,
                uint64_t kind,
                struct ns_error *err);

/**
 * Opens the process `pid`: its pidfd, close-on-exec and the caller's, which never means another process, also when the pid is
 * used again. Whoever has to keep a process in words keeps its pid and the inode of its pidfd, fstat(2), which no other process ever gets
 * (Linux 6.9): with that as `inode`, another process is refused with -ESRCH; 0 takes any. pidfd_open(2).
 */
int ns_pidfd(int pid,
             uint64_t inode,
             struct ns_error *err);

/**
 * Opens the namespace, NS_PID or NS_TIME, that the future children of a process will be in; as ns_open_process.
 */
int ns_open_for_children(int pidfd,
                         uint64_t kind,
                         struct ns_error *err);

/**
 * The same with the network namespace that a socket was made in. Takes CAP_NET_ADMIN in it.
 */
int ns_open_socket(int socket, struct ns_error *err);

/**
 * The user namespace that owns the namespace `fd`; of a user namespace, its parent. Returns a descriptor as ns_open
 * does; -ENOENT where there is none or it lies out of the caller's sight. ioctl_nsfs(2).
 */
int ns_open_owner(int fd,
                  struct ns_error *err);

/**
 * The same with the parent of a user or pid namespace.
 */
int ns_open_parent(int fd, struct ns_error *err);

/**
 * Tells what namespace `fd` is. `out` has `size` bytes: pass sizeof(ns_identity). Two descriptors are of one
 * namespace if their inodes are equal while both are open.
 */
int ns_identify(int fd,
                struct ns_identity *out,
                size_t size,
                struct ns_error *err);

/**
 * Takes the calling thread, no other, into `count` existing namespaces of the kinds net, uts, ipc and cgroup, and
 * stores in `*out` what ns_leave brings it back with. What it opens meanwhile belongs to them: a socket stays in the network
 * namespace that it was made in. Calls may nest, if they are left in the reverse order. On failure the thread is where
 * it was. Takes CAP_SYS_ADMIN in the owners and in the caller's own user namespace. setns(2).
 */
int ns_enter(const int *fds,
             size_t count,
             struct ns_entered **out,
             struct ns_error *err);

/**
 * Brings the thread back and frees `entered`. On failure the thread is lost where it is: end it. -EINVAL on
 * another thread than the one that entered; then nothing is done and nothing freed.
 */
int ns_leave(struct ns_entered *entered,
             struct ns_error *err);

/**
 * Calls `function(argument)` on a new thread inside `count` existing namespaces of the kinds net,
 * uts, ipc, cgroup and mnt, waits until that thread has ended, and stores what the function
 * returns in `*result` (NULL is allowed). So a threaded program opens a socket or a file inside
 * other namespaces. The thread has a root and a working directory of its own. No exception and no
 * longjmp may leave the function. pthread_exit in it ends the new thread alone, and gives the
 * result; after pthread_cancel of the new thread the result is PTHREAD_CANCELED. The thread that
 * calls ns_call is not cancelled in it. Needs what ns_enter needs, and CAP_SYS_CHROOT for mount
 * namespaces.
 *
 * The function runs on a thread that the caller's language runtime did not make. C, C++, Rust, Go
 * (cgo) and Python (ctypes, cffi) allow that; a runtime with a global lock must release it during
 * the call, or both threads wait for ever; a JVM thread must be attached. Ruby, Perl, Node.js, R,
 * Lua and most other interpreters do not allow it: they crash, or pass the function on to a thread
 * of their own, which is not in the namespaces. From there use ns_socket for a socket, ns_enter
 * and ns_leave around code that stays on its thread (no await, no fiber switch, no yield in
 * between), or ns_spawn with ns_spec_join for a program.
 */
int ns_call(const int *fds,
            size_t count,
            void *(*function)(void *argument),
            void *argument,
            void **result,
            struct ns_error *err);

/**
 * Keeps the namespace `fd` at `path`, by a bind mount on an empty file, made if it is not there. nsenter(1) and
 * unshare(1) find it there; below /run/netns, ip-netns(8) too. Takes CAP_SYS_ADMIN over the caller's mount namespace.
 */
int ns_pin(int fd,
           const char *path,
           struct ns_error *err);

/**
 * Undoes ns_pin: unmounts the namespace at `path` and removes the file. -EINVAL if no namespace is there.
 */
int ns_unpin(const char *path,
             struct ns_error *err);

/**
 * Takes a snapshot of the namespaces of `kinds` (NS_ALL, or some joined by |: the cost falls with them), looked for at
 * what each process is in and in `scope` besides: NS_LIST_* joined by |. Stores it in `*out`, which
 * ns_listing_free frees. What comes and goes meanwhile may be in it or not. -ENOENT without a proc file system at /proc. Safe
 * to be called from many threads. proc_pid_ns(5), ioctl_nsfs(2).
 */
int ns_list(uint64_t wanted,
            uint32_t scope,
            struct ns_listing **out,
            struct ns_error *err);

/**
 * Frees a snapshot and all texts it has given; NULL is allowed.
 */
void ns_listing_free(struct ns_listing *listing);

/**
 * How many namespaces there are in it, ordered by inode; 0 for NULL.
 */
size_t ns_listing_len(const struct ns_listing *listing);

/**
 * Stores namespace number `index`, from 0, in `*out`, which has `size` bytes: pass sizeof(ns_namespace). -ERANGE past
 * the end.
 */
int ns_listing_get(const struct ns_listing *listing,
                   size_t index,
                   struct ns_namespace *out,
                   size_t size,
                   struct ns_error *err);

/**
 * The arguments of the process with the lowest pid in namespace number `index`, with blanks between them, or its name in case it
 * has none. NULL if it is not known. The text lives as long as the snapshot.
 */
const char *ns_listing_command(const struct ns_listing *listing,
                               size_t index);

/**
 * The name of the user of `uid` of namespace number `index`; NULL if it has none. Looked up at the first call, getpwuid(3). The text
 * lives as long as the snapshot.
 */
const char *ns_listing_user(const struct ns_listing *listing,
                            size_t index);

/**
 * Stores in `*pids` the processes in namespace number `index`, in ascending order, and returns how many they are. They live as long
 * as the snapshot.
 */
int ns_listing_processes(const struct ns_listing *listing,
                         size_t index,
                         const int32_t **pids,
                         struct ns_error *err);

/**
 * Stores in `*out`, which has `size` bytes, who holds namespace number `index` without being a process in it: number `nth`, from 0, of its
 * `holders`. -ERANGE past the end.
 */
int ns_listing_holder(const struct ns_listing *listing,
                      size_t index,
                      size_t nth,
                      struct ns_holder *out,
                      size_t size,
                      struct ns_error *err);

/**
 * Where the mount `nth` of the holders of namespace number `index` is, as its `pid` sees it; NULL for holders that are no mounts. The text
 * lives as long as the snapshot.
 */
const char *ns_listing_holder_path(const struct ns_listing *listing,
                                   size_t index,
                                   size_t nth);

/**
 * The index of the namespace that the descriptor is. -EINVAL if it is none, -ESRCH if it is not in the snapshot.
 */
int ns_listing_find_fd(const struct ns_listing *listing,
                       int fd,
                       struct ns_error *err);

/**
 * The index of the namespace at a path: /proc/PID/ns/net, /run/netns/NAME. -EINVAL if it is none, -ESRCH if it is not
 * in the snapshot.
 */
int ns_listing_find_path(const struct ns_listing *listing,
                         const char *path,
                         struct ns_error *err);

/**
 * The index of the namespace of one kind in which a process is, by the snapshot; -ESRCH if there is none.
 */
int ns_listing_find_process(const struct ns_listing *listing,
                            int32_t pid,
                            uint64_t kind,
                            struct ns_error *err);

/**
 * The index of the namespace with an inode; -ESRCH if there is none.
 */
int ns_listing_find_inode(const struct ns_listing *listing, uint64_t inode, struct ns_error *err);

/**
 * Stores in `*out`, which has `size` bytes, what could not be seen.
 */
int ns_listing_gaps(const struct ns_listing *listing,
                    struct ns_gaps *out,
                    size_t size,
                    struct ns_error *err);

/**
 * Tries what this kernel, this user and this host allow, in children that are thrown away, and stores what was found in `*out`. Nothing is
 * kept from one call to the next. Takes some milliseconds. Free it with ns_features_free.
 */
int ns_probe(struct ns_features **out,
             struct ns_error *err);

/**
 * How many there are; 0 for NULL.
 */
size_t ns_features_len(const struct ns_features *features);

/**
 * Number `index`, counted from 0. `out` has `size` bytes: pass sizeof(ns_feature). -ERANGE past the end.
 */
int ns_features_get(const struct ns_features *features,
                    size_t index,
                    struct ns_feature *out,
                    size_t size,
                    struct ns_error *err);

/**
 * Frees them; NULL is allowed.
 */
void ns_features_free(struct ns_features *features);

/**
 * Moves the calling program itself into new namespaces, unshare(2); with `map_root` (not 0) it is root in a new user
 * namespace. There is no way back. New pid and time namespaces are for children to come. -EINVAL in a program with threads, which may
 * have net, uts and ipc alone, for the calling thread: it starts a program with ns_spawn.
 */
int ns_unshare(uint64_t wanted,
               int map_root,
               struct ns_error *err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NSISO_H */
