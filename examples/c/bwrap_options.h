/* The options of bubblewrap 0.11 as one table. */
#ifndef BWRAP_OPTIONS_H
#define BWRAP_OPTIONS_H

#include <stdio.h>

enum option_key {
    HELP = 256, VERSION, ARGS, ARGV0, LEVEL_PREFIX, UNSHARE_ALL, SHARE_NET, UNSHARE_USER, UNSHARE_USER_TRY, UNSHARE_IPC, UNSHARE_PID,
    UNSHARE_NET, UNSHARE_UTS, UNSHARE_CGROUP, UNSHARE_CGROUP_TRY, USERNS, PIDNS, DISABLE_USERNS, ASSERT_USERNS, UID, GID, HOSTNAME,
    CHDIR, CLEARENV, SETENV, UNSETENV, SYNC_FD, BIND, BIND_TRY, DEV_BIND, DEV_BIND_TRY, RO_BIND, RO_BIND_TRY, BIND_FD, RO_BIND_FD,
    REMOUNT_RO, OVERLAY_SRC, OVERLAY, TMP_OVERLAY, RO_OVERLAY, CHMOD, PROC, DEV, TMPFS, MQUEUE, DIR_, FILE_, BIND_DATA, RO_BIND_DATA, SYMLINK, SECCOMP,
    ADD_SECCOMP, BLOCK_FD, USERNS_BLOCK_FD, LOCK_FILE, EXEC_LABEL, FILE_LABEL, INFO_FD, JSON_STATUS_FD, NEW_SESSION, DIE_WITH_PARENT, AS_PID_1, CAP_ADD, CAP_DROP, PERMS, SIZE, UNSUPPORTED,
};

/* Every option, with the number of its arguments. */
static const struct row {
    const char *name;
    enum option_key key;
    int arguments;
    const char *help;
} rows[] = {
    {"help", HELP, 0, "print this"},
    {"version", VERSION, 0, "print the version"},
    {"args", ARGS, 1, "FD: read more options, separated by NUL, from a descriptor"},
    {"argv0", ARGV0, 1, "NAME: what the program sees as its name"},
    {"level-prefix", LEVEL_PREFIX, 0, "begin messages with their level, as <3>"},
    {"unshare-all", UNSHARE_ALL, 0, "all of the following namespaces"},
    {"share-net", SHARE_NET, 0, "but not the network"},
    {"unshare-user", UNSHARE_USER, 0, "new user namespace (an ordinary user always gets one)"},
    {"unshare-user-try", UNSHARE_USER_TRY, 0, "the same"},
    {"unshare-ipc", UNSHARE_IPC, 0, "new IPC namespace"},
    {"unshare-pid", UNSHARE_PID, 0, "new pid namespace"},
    {"unshare-net", UNSHARE_NET, 0, "new network namespace"},
    {"unshare-uts", UNSHARE_UTS, 0, "new UTS namespace"},
    {"unshare-cgroup", UNSHARE_CGROUP, 0, "new cgroup namespace"},
    {"unshare-cgroup-try", UNSHARE_CGROUP_TRY, 0, "the same"},
    {"userns", USERNS, 1, "FD: join this user namespace"},
    {"pidns", PIDNS, 1, "FD: join this pid namespace"},
    {"disable-userns", DISABLE_USERNS, 0, "no user namespaces inside"},
    {"assert-userns-disabled", ASSERT_USERNS, 0, "fail unless there can be none"},
    {"uid", UID, 1, "UID: who to be inside"},
    {"gid", GID, 1, "GID: the same"},
    {"hostname", HOSTNAME, 1, "NAME: the host name inside"},
    {"chdir", CHDIR, 1, "DIR: the working directory"},
    {"clearenv", CLEARENV, 0, "an empty environment"},
    {"setenv", SETENV, 2, "NAME VALUE: set a variable"},
    {"unsetenv", UNSETENV, 1, "NAME: remove a variable"},
    {"lock-file", LOCK_FILE, 1, "TARGET: hold a lock on it while the program runs"},
    {"sync-fd", SYNC_FD, 1, "FD: keep it open while the program runs"},
    {"bind", BIND, 2, "SOURCE TARGET: show a tree"},
    {"bind-try", BIND_TRY, 2, "the same if it exists"},
    {"dev-bind", DEV_BIND, 2, "SOURCE TARGET: show a tree with its devices"},
    {"dev-bind-try", DEV_BIND_TRY, 2, "the same if it exists"},
    {"ro-bind", RO_BIND, 2, "SOURCE TARGET: show a tree read-only"},
    {"ro-bind-try", RO_BIND_TRY, 2, "the same if it exists"},
    {"bind-fd", BIND_FD, 2, "FD TARGET: show what is open"},
    {"ro-bind-fd", RO_BIND_FD, 2, "FD TARGET: the same read-only"},
    {"remount-ro", REMOUNT_RO, 1, "TARGET: make the mount read-only, without what is below it"},
    {"overlay-src", OVERLAY_SRC, 1, "SOURCE: a lower tree of the next overlay, on top of those before it"},
    {"overlay", OVERLAY, 3, "UPPER WORK TARGET: an overlay whose changes are kept"},
    {"tmp-overlay", TMP_OVERLAY, 1, "TARGET: an overlay whose changes are thrown away"},
    {"ro-overlay", RO_OVERLAY, 1, "TARGET: an overlay of two trees or more that cannot be written"},
    {"proc", PROC, 1, "TARGET: a fresh proc"},
    {"dev", DEV, 1, "TARGET: a small /dev"},
    {"tmpfs", TMPFS, 1, "TARGET: an empty file system in memory"},
    {"mqueue", MQUEUE, 1, "TARGET: POSIX message queues"},
    {"dir", DIR_, 1, "TARGET: a directory"},
    {"file", FILE_, 2, "FD TARGET: a new file with what is read from a descriptor"},
    {"bind-data", BIND_DATA, 2, "the same, mounted on what is there"},
    {"ro-bind-data", RO_BIND_DATA, 2, "the same, read-only"},
    {"symlink", SYMLINK, 2, "TO TARGET: a symbolic link"},
    {"chmod", CHMOD, 2, "OCTAL TARGET: permissions of what is there"},
    {"seccomp", SECCOMP, 1, "FD: a filter of system calls, as the kernel runs it"},
    {"add-seccomp-fd", ADD_SECCOMP, 1, "FD: one more"},
    {"exec-label", EXEC_LABEL, 1, "LABEL: the SELinux context of the program"},
    {"file-label", FILE_LABEL, 1, "LABEL: the SELinux context of the files that are made"},
    {"block-fd", BLOCK_FD, 1, "FD: wait until it can be read"},
    {"userns-block-fd", USERNS_BLOCK_FD, 1, "FD: the same, for whoever maps ids meanwhile"},
    {"info-fd", INFO_FD, 1, "FD: where to write the pid, as JSON"},
    {"json-status-fd", JSON_STATUS_FD, 1, "FD: where to write the pid and the exit code, as JSON"},
    {"new-session", NEW_SESSION, 0, "a session of its own"},
    {"die-with-parent", DIE_WITH_PARENT, 0, "kill everything when this program or its parent dies"},
    {"as-pid-1", AS_PID_1, 0, "no init process"},
    {"cap-add", CAP_ADD, 1, "NAME: keep a capability"},
    {"cap-drop", CAP_DROP, 1, "NAME: give it up, or ALL"},
    {"perms", PERMS, 1, "OCTAL: permissions of what the next option makes"},
    {"size", SIZE, 1, "BYTES: size of the next tmpfs"},
    {"userns2", UNSUPPORTED, 1, NULL},
};

static inline void print_help(void)
{
    puts("usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]\n\nRuns a program in a view of the file system of its own.\n");
    for (const struct row *row = rows; row->help; row++)
        printf("    --%-24s %s\n", row->name, row->help);
}

/* All capabilities in the order of their numbers, capabilities(7). */
static const char *const capabilities[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};
enum { CAPABILITIES = sizeof capabilities / sizeof *capabilities };

#endif
