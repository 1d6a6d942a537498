/* bubblewrap's command line (0.11) on top of libnsiso, as its manual page describes it. What differs:
 * - one --overlay-src for each overlay, and no --ro-overlay; --lock-file, --exec-label, --file-label, --chmod, --userns2 and --userns-block-fd
 *   are not supported, and neither are set-user-ID installations;
 * - --die-with-parent watches this program (its parent is watched by a parent-death signal), and takes --unshare-pid;
 * - without --unshare-pid there is no init process, whether --as-pid-1 is given or not. */
#define _GNU_SOURCE
#include "tool.h"


#include <sys/prctl.h>
#include <sys/stat.h>

const char tool[] = "bwrap";

enum option_key {
    HELP = 256, VERSION, ARGS, ARGV0, LEVEL_PREFIX, UNSHARE_ALL, SHARE_NET, UNSHARE_USER, UNSHARE_USER_TRY, UNSHARE_IPC, UNSHARE_PID,
    UNSHARE_NET, UNSHARE_UTS, UNSHARE_CGROUP, UNSHARE_CGROUP_TRY, USERNS, PIDNS, DISABLE_USERNS, ASSERT_USERNS, UID, GID, HOSTNAME,
    CHDIR, CLEARENV, SETENV, UNSETENV, SYNC_FD, BIND, BIND_TRY, DEV_BIND, DEV_BIND_TRY, RO_BIND, RO_BIND_TRY, BIND_FD, RO_BIND_FD,
    REMOUNT_RO, OVERLAY_SRC, OVERLAY, TMP_OVERLAY, PROC, DEV, TMPFS, MQUEUE, DIR_, FILE_, BIND_DATA, RO_BIND_DATA, SYMLINK, SECCOMP,
    ADD_SECCOMP, BLOCK_FD, INFO_FD, JSON_STATUS_FD, NEW_SESSION, DIE_WITH_PARENT, AS_PID_1, CAP_ADD, CAP_DROP, PERMS, SIZE, UNSUPPORTED,
};

/* Every option with the arguments it takes. */
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
    {"level-prefix", LEVEL_PREFIX, 0, "accepted"},
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
    {"sync-fd", SYNC_FD, 1, "FD: keep it open while the program runs"},
    {"bind", BIND, 2, "SOURCE TARGET: show a tree"},
    {"bind-try", BIND_TRY, 2, "the same if it exists"},
    {"dev-bind", DEV_BIND, 2, "SOURCE TARGET: show a tree with its devices"},
    {"dev-bind-try", DEV_BIND_TRY, 2, "the same if it exists"},
    {"ro-bind", RO_BIND, 2, "SOURCE TARGET: show a tree read-only"},
    {"ro-bind-try", RO_BIND_TRY, 2, "the same if it exists"},
    {"bind-fd", BIND_FD, 2, "FD TARGET: show what is open"},
    {"ro-bind-fd", RO_BIND_FD, 2, "FD TARGET: the same read-only"},
    {"remount-ro", REMOUNT_RO, 1, "TARGET: make it read-only, with what is below it"},
    {"overlay-src", OVERLAY_SRC, 1, "SOURCE: the lower tree of the next overlay"},
    {"overlay", OVERLAY, 3, "UPPER WORK TARGET: an overlay whose changes are kept"},
    {"tmp-overlay", TMP_OVERLAY, 1, "TARGET: an overlay whose changes are thrown away"},
    {"proc", PROC, 1, "TARGET: a fresh proc"},
    {"dev", DEV, 1, "TARGET: a small /dev"},
    {"tmpfs", TMPFS, 1, "TARGET: an empty file system in memory"},
    {"mqueue", MQUEUE, 1, "TARGET: POSIX message queues"},
    {"dir", DIR_, 1, "TARGET: a directory"},
    {"file", FILE_, 2, "FD TARGET: a file with what is read from a descriptor"},
    {"bind-data", BIND_DATA, 2, "the same"},
    {"ro-bind-data", RO_BIND_DATA, 2, "the same, read-only"},
    {"symlink", SYMLINK, 2, "TO TARGET: a symbolic link"},
    {"seccomp", SECCOMP, 1, "FD: a filter of system calls, as the kernel runs it"},
    {"add-seccomp-fd", ADD_SECCOMP, 1, "FD: one more"},
    {"block-fd", BLOCK_FD, 1, "FD: wait until it can be read"},
    {"info-fd", INFO_FD, 1, "FD: where to write the pid, as JSON"},
    {"json-status-fd", JSON_STATUS_FD, 1, "FD: where to write the pid and the exit code, as JSON"},
    {"new-session", NEW_SESSION, 0, "a session of its own"},
    {"die-with-parent", DIE_WITH_PARENT, 0, "kill everything when this program or its parent dies"},
    {"as-pid-1", AS_PID_1, 0, "no init process"},
    {"cap-add", CAP_ADD, 1, "NAME: keep a capability"},
    {"cap-drop", CAP_DROP, 1, "NAME: give it up, or ALL"},
    {"perms", PERMS, 1, "OCTAL: permissions of what the next option makes"},
    {"size", SIZE, 1, "BYTES: size of the next tmpfs"},
    {"ro-overlay", UNSUPPORTED, 1, NULL}, {"lock-file", UNSUPPORTED, 1, NULL}, {"exec-label", UNSUPPORTED, 1, NULL},
    {"file-label", UNSUPPORTED, 1, NULL}, {"chmod", UNSUPPORTED, 2, NULL}, {"userns2", UNSUPPORTED, 1, NULL},
    {"userns-block-fd", UNSUPPORTED, 1, NULL},
};

enum { MAX_WORDS = 9000, MAX_CAPS = 64 };

/* What the options have asked for so far. */
static struct {
    ns_spec *spec;
    uint64_t kinds;
    const char *caps[MAX_CAPS + 1];
    int cap_count;
    bool caps_chosen, mounted, share_net, with_cwd, session, die, as_pid_1, joined_user, disable, assert_disabled;
    int64_t uid, gid, perms, size;
    const char *argv0, *overlay_source;
    int block_fd, info_fd, status_fd;
} want = {.uid = -1, .gid = -1, .perms = -1, .size = -1, .block_fd = -1, .info_fd = -1, .status_fd = -1};

static int descriptor(const char *text)
{
    int64_t value;
    if (!number(text, &value) || value < 0 || fcntl((int)value, F_GETFD) < 0)
        fail("'%s' is no open descriptor", text);
    return (int)value;
}

/* All that can be read from a descriptor, which is closed. */
static char *content(int fd, size_t *size)
{
    size_t room = 65536, got = 0;
    char *data = malloc(room);
    for (ssize_t n; data && (n = read(fd, data + got, room - got)) != 0; got += (size_t)n) {
        if (n < 0)
            fail("descriptor %d: %s", fd, strerror(errno));
        if (got + (size_t)n == room)
            data = realloc(data, room *= 2);
    }
    if (!data)
        fail("out of memory");
    close(fd);
    *size = got;
    return data;
}

static uint32_t permissions(uint32_t otherwise)
{
    uint32_t mode = want.perms < 0 ? otherwise : (uint32_t)want.perms;
    want.perms = -1;
    return mode;
}

/* bubblewrap's root is an empty tmpfs, unless something is mounted at "/" first. */
static void root_unless(const char *target)
{
    if (!want.mounted && strcmp(target, "/") != 0)
        must(ns_spec_tmpfs(want.spec, "/", 0, 0755, 0, &err));
    want.mounted = true;
}

static void file_of(const char *fd, const char *target, uint32_t mode)
{
    size_t size;
    char *data = content(descriptor(fd), &size);
    root_unless(target);
    must(ns_spec_file(want.spec, data, size, target, mode, &err));
    free(data);
}

static void drop_cap(const char *name)
{
    int kept = 0;
    for (int n = 0; n < want.cap_count; n++)
        if (strcasecmp(name, "ALL") != 0 && strcasecmp(name, want.caps[n]) != 0)
            want.caps[kept++] = want.caps[n];
    want.cap_count = kept;
}

static void add_seccomp(const char *fd)
{
    size_t size;
    char *data = content(descriptor(fd), &size);
    must(ns_spec_seccomp_raw(want.spec, data, size / 8, &err));
    free(data);
}

static int parse(int count, char *words[]);

static void more_options(const char *fd)
{
    static char *words[MAX_WORDS];
    size_t size;
    char *data = content(descriptor(fd), &size); /* kept: the options point into it */
    int count = 0;
    for (size_t at = 0; at < size; at += strlen(data + at) + 1) {
        if (count == MAX_WORDS || !memchr(data + at, '\0', size - at))
            fail("--args: too many words, or no NUL at the end");
        words[count++] = data + at;
    }
    if (parse(count, words) != count)
        fail("--args: '%s' is no option", words[parse(count, words)]);
}

static void print_help(void)
{
    puts("usage: bwrap [OPTIONS...] [--] COMMAND [ARGS...]\n\nRuns a program in a view of the file system of its own.\n");
    for (const struct row *row = rows; row->help; row++)
        printf("    --%-24s %s\n", row->name, row->help);
}

static void apply(enum option_key key, const char *name, char *argument[])
{
    ns_spec *spec = want.spec;
    switch (key) {
    case HELP: print_help(); exit(0);
    case VERSION: printf("bubblewrap 0.11.0 (nsiso %s)\n", ns_version()); exit(0);
    case ARGS: more_options(argument[0]); break;
    case ARGV0: want.argv0 = argument[0]; break;
    case LEVEL_PREFIX: break;
    case UNSHARE_ALL: want.kinds |= NS_USER | NS_IPC | NS_PID | NS_NET | NS_UTS | NS_CGROUP; break;
    case SHARE_NET: want.share_net = true; break;
    case UNSHARE_USER: case UNSHARE_USER_TRY: want.kinds |= NS_USER; break;
    case UNSHARE_IPC: want.kinds |= NS_IPC; break;
    case UNSHARE_PID: want.kinds |= NS_PID; break;
    case UNSHARE_NET: want.kinds |= NS_NET; break;
    case UNSHARE_UTS: want.kinds |= NS_UTS; break;
    case UNSHARE_CGROUP: case UNSHARE_CGROUP_TRY: want.kinds |= NS_CGROUP; break;
    case USERNS: want.joined_user = true, must(ns_spec_join(spec, descriptor(argument[0]), &err)); break;
    case PIDNS: must(ns_spec_join(spec, descriptor(argument[0]), &err)); break;
    case DISABLE_USERNS: want.disable = true; break;
    case ASSERT_USERNS: want.assert_disabled = true; break;
    case UID: want.uid = user(argument[0]); break;
    case GID: want.gid = group(argument[0]); break;
    case HOSTNAME:
        if (!(want.kinds & NS_UTS))
            fail("--hostname needs --unshare-uts");
        must(ns_spec_hostname(spec, argument[0], &err));
        break;
    case CHDIR: want.with_cwd = true, must(ns_spec_cwd(spec, argument[0], &err)); break;
    case CLEARENV: must(ns_spec_env_clear(spec, &err)); break;
    case SETENV: must(ns_spec_env_set(spec, argument[0], argument[1], &err)); break;
    case UNSETENV: must(ns_spec_env_unset(spec, argument[0], &err)); break;
    case SYNC_FD: descriptor(argument[0]); break;
    case BIND: case BIND_TRY: case DEV_BIND: case DEV_BIND_TRY: case RO_BIND: case RO_BIND_TRY: {
        uint64_t flags = key == BIND_TRY || key == DEV_BIND_TRY || key == RO_BIND_TRY ? NS_MOUNT_IF_EXISTS : 0;
        flags |= key == DEV_BIND || key == DEV_BIND_TRY ? NS_MOUNT_DEV : 0;
        flags |= key == RO_BIND || key == RO_BIND_TRY ? NS_MOUNT_RDONLY : 0;
        root_unless(argument[1]);
        must(ns_spec_bind(spec, argument[0], argument[1], flags, &err));
        break;
    }
    case BIND_FD: case RO_BIND_FD:
        root_unless(argument[1]);
        must(ns_spec_bind_fd(spec, descriptor(argument[0]), argument[1], key == RO_BIND_FD ? NS_MOUNT_RDONLY : 0, &err));
        break;
    case REMOUNT_RO: root_unless(argument[0]), must(ns_spec_read_only(spec, argument[0], 0, &err)); break;
    case OVERLAY_SRC:
        if (want.overlay_source)
            fail("--overlay-src: more than one for an overlay is not supported");
        want.overlay_source = argument[0];
        break;
    case OVERLAY: case TMP_OVERLAY: {
        const char *target = argument[key == OVERLAY ? 2 : 0];
        if (!want.overlay_source)
            fail("--%s needs an --overlay-src before it", name);
        root_unless(target);
        must(ns_spec_overlay(spec, want.overlay_source, key == OVERLAY ? argument[0] : NULL, key == OVERLAY ? argument[1] : NULL,
                             target, 0, &err));
        want.overlay_source = NULL;
        break;
    }
    case PROC: root_unless(argument[0]), must(ns_spec_proc(spec, argument[0], NULL, 0, &err)); break;
    case DEV: root_unless(argument[0]), must(ns_spec_dev(spec, argument[0], &err)); break;
    case TMPFS:
        root_unless(argument[0]);
        must(ns_spec_tmpfs(spec, argument[0], want.size < 0 ? 0 : (uint64_t)want.size, permissions(0755), 0, &err));
        want.size = -1;
        break;
    case MQUEUE: root_unless(argument[0]), must(ns_spec_mqueue(spec, argument[0], &err)); break;
    case DIR_: root_unless(argument[0]), must(ns_spec_directory(spec, argument[0], permissions(0755), &err)); break;
    case FILE_: file_of(argument[0], argument[1], permissions(0666 & ~022)); break;
    case BIND_DATA: file_of(argument[0], argument[1], permissions(0600)); break;
    case RO_BIND_DATA:
        file_of(argument[0], argument[1], permissions(0600));
        must(ns_spec_read_only(spec, argument[1], 0, &err));
        break;
    case SYMLINK: root_unless(argument[1]), must(ns_spec_symlink(spec, argument[0], argument[1], &err)); break;
    case SECCOMP: case ADD_SECCOMP: add_seccomp(argument[0]); break;
    case BLOCK_FD: want.block_fd = descriptor(argument[0]); break;
    case INFO_FD: want.info_fd = descriptor(argument[0]); break;
    case JSON_STATUS_FD: want.status_fd = descriptor(argument[0]); break;
    case NEW_SESSION: want.session = true; break;
    case DIE_WITH_PARENT: want.die = true; break;
    case AS_PID_1: want.as_pid_1 = true; break;
    case CAP_ADD:
        want.caps_chosen = true;
        if (want.cap_count == MAX_CAPS)
            fail("too many capabilities");
        want.caps[want.cap_count++] = argument[0];
        break;
    case CAP_DROP: want.caps_chosen = true, drop_cap(argument[0]); break;
    case PERMS: {
        char *end;
        want.perms = strtol(argument[0], &end, 8);
        if (*end || end == argument[0] || want.perms < 0 || want.perms > 07777)
            fail("'%s' are no permissions", argument[0]);
        break;
    }
    case SIZE:
        if (!number(argument[0], &want.size) || want.size <= 0)
            fail("'%s' is no size", argument[0]);
        break;
    case UNSUPPORTED: fail("--%s is not supported", name);
    }
}

/* Goes through the options; returns where the program begins. */
static int parse(int count, char *words[])
{
    int at = 0;
    while (at < count && strncmp(words[at], "--", 2) == 0) {
        const char *name = words[at++] + 2;
        if (!*name)
            return at;
        const struct row *row = rows, *end = rows + sizeof rows / sizeof *rows;
        while (row < end && strcmp(row->name, name) != 0)
            row++;
        if (row == end)
            fail("--%s is no option", name);
        if (count - at < row->arguments)
            fail("--%s takes %d argument%s", name, row->arguments, row->arguments > 1 ? "s" : "");
        apply(row->key, name, words + at);
        at += row->arguments;
    }
    return at;
}

static void identity(void)
{
    ns_spec *spec = want.spec;
    bool ordinary = geteuid() != 0;
    if (ordinary && !want.joined_user)
        want.kinds |= NS_USER;
    if ((want.uid >= 0 || want.gid >= 0) && !(want.kinds & NS_USER))
        fail("--uid and --gid need --unshare-user");
    if (want.kinds & NS_USER) {
        must(ns_spec_uid_map(spec, want.uid < 0 ? geteuid() : (uint32_t)want.uid, geteuid(), 1, &err));
        must(ns_spec_gid_map(spec, want.gid < 0 ? getegid() : (uint32_t)want.gid, getegid(), 1, &err));
    }
    if (want.disable) {
        if (!(want.kinds & NS_USER))
            fail("--disable-userns needs --unshare-user");
        must(ns_spec_no_user_namespaces(spec, &err));
    }
    if (want.assert_disabled && !want.disable)
        fail("--assert-userns-disabled: user namespaces can be made inside; add --disable-userns");
    must(ns_spec_no_new_privs(spec, &err));
    /* Root keeps what it has unless it chooses; anybody else has nothing that was not given. */
    if (ordinary || want.caps_chosen)
        must(ns_spec_caps(spec, want.caps, &err));
}

static void write_status(int fd, const char *format, int value)
{
    if (fd >= 0)
        dprintf(fd, format, value);
}

int main(int argc, char *argv[])
{
    want.spec = ns_spec_new();
    if (!want.spec)
        fail("out of memory");
    int program = 1 + parse(argc - 1, argv + 1);
    if (program >= argc)
        fail("no program is given; try 'bwrap --help'");
    ns_spec *spec = want.spec;
    if (want.share_net)
        want.kinds &= ~(uint64_t)NS_NET;
    root_unless("");
    identity();
    must(ns_spec_unshare(spec, want.kinds | NS_MNT, &err));
    if (want.kinds & NS_PID && !want.as_pid_1)
        must(ns_spec_init(spec, want.die ? NS_INIT_DIE_WITH_HOST : 0, &err));
    if (want.die) {
        if (!(want.kinds & NS_PID) || want.as_pid_1)
            fail("--die-with-parent needs --unshare-pid, without --as-pid-1");
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    if (want.session)
        must(ns_spec_new_session(spec, &err));
    char *file = argv[program];
    if (want.argv0)
        argv[program] = (char *)want.argv0;
    must(ns_spec_argv(spec, (const char *const *)argv + program, &err));
    must(ns_spec_program(spec, file, &err));
    inherit_descriptors(spec);
    char byte;
    if (want.block_fd >= 0 && read(want.block_fd, &byte, 1) < 0)
        fail("descriptor %d: %s", want.block_fd, strerror(errno));

    ns_process *process;
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, NULL);
    must(ns_spawn(spec, &process, &err));
    write_status(want.info_fd, "{\n    \"child-pid\": %d\n}\n", ns_process_pid(process));
    write_status(want.status_fd, "{ \"child-pid\": %d }\n", ns_process_pid(process));
    int code = wait_for(process, &held, true);
    write_status(want.status_fd, "{ \"exit-code\": %d }\n", code);
    ns_process_free(process);
    ns_spec_free(spec);
    return code;
}
