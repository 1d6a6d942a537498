/* bubblewrap's command line (0.11) on top of libnsiso, as its manual page describes it.
 * Differences:
 * - --userns2 is not supported, and neither are set-user-ID installations;
 * - without --chdir the program starts in the caller's directory, if it exists there, or in "/":
 *   HOME is not tried;
 * - a --symlink whose target path exists is an error, even if it is the same link;
 * - parent directories of a target have mode 0755, whatever --perms says;
 * - --lock-file takes the lock when the program is already running, and this program keeps
 *   --sync-fd open;
 * - without --unshare-pid there is no init process, with or without --as-pid-1;
 * - with --disable-userns the program never has CAP_SYS_RESOURCE, with which it could undo that. */
#define _GNU_SOURCE
#include "tool.h"

#include "bwrap_options.h"
#include "bwrap_outside.h"

const char tool[] = "bwrap";

enum { MAX_WORDS = 9000, MAX_TREES = 500, MAX_LOCKS = 64, MAX_FILTERS = 64 };

/* The options collected so far. */
static struct {
    ns_spec *spec;
    uint64_t kinds, caps;
    bool caps_chosen, mounted, session, die, as_pid_1, joined_user, joined_pid, disable, assert_disabled;
    int64_t uid, gid, perms, size;
    const char *argv0, *cwd;
    const char *trees[MAX_TREES + 1], *locks[MAX_LOCKS], *filters[MAX_FILTERS], *only_filter;
    int tree_count, lock_count, filter_count;
    int block_fd, userns_block_fd, info_fd, status_fd;
} want = {.uid = -1, .gid = -1, .perms = -1, .size = -1, .block_fd = -1, .userns_block_fd = -1, .info_fd = -1, .status_fd = -1};

static uint32_t permissions(uint32_t otherwise)
{
    uint32_t mode = want.perms < 0 ? otherwise : (uint32_t)want.perms;
    want.perms = -1;
    return mode;
}

/* bubblewrap's root is an empty tmpfs, unless "/" is mounted first. */
static void root_unless(const char *target)
{
    if (!want.mounted && strcmp(target, "/") != 0)
        must(ns_spec_mount_tmpfs(want.spec, "/", 0, 0755, 0, &err));
    want.mounted = true;
}

/* Returns the mask of a capability. "ALL" means those that the caller has, or would have in a new
 * user namespace. */
static uint64_t capability(const char *name)
{
    if (strcasecmp(name, "ALL") == 0)
        return (UINT64_C(1) << CAPABILITIES) - 1;
    for (int n = 0; n < CAPABILITIES; n++)
        if (strncasecmp(name, "CAP_", 4) == 0 && strcasecmp(name + 4, capabilities[n]) == 0)
            return UINT64_C(1) << n;
    fail("'%s' is no capability", name);
}

/* The library expects the uppermost lower tree first. bwrap names the undermost first. */
static void overlay(const char *name, const char *upper, const char *work, const char *target, int least, uint64_t flags)
{
    const char *trees[MAX_TREES + 1] = {NULL};
    if (want.tree_count < least)
        fail("--%s needs %s --overlay-src before it", name, least > 1 ? "two" : "an");
    for (int n = 0; n < want.tree_count; n++)
        trees[n] = want.trees[want.tree_count - 1 - n];
    want.tree_count = 0;
    root_unless(target);
    must(ns_spec_mount_overlay_trees(want.spec, trees, upper, work, target, flags, &err));
}

static void add_seccomp(const char *fd)
{
    size_t size;
    char *data = content(descriptor(fd), &size);
    must(ns_spec_seccomp_raw(want.spec, data, size / 8, &err));
    free(data);
}

static int64_t octal(const char *text)
{
    char *end;
    long mode = strtol(text, &end, 8);
    if (*end || end == text || mode < 0 || mode > 07777)
        fail("'%s' are no permissions", text);
    return mode;
}

/* Options that modify the next option must be followed by it at once. */
static void check_order(enum option_key key)
{
    if (want.tree_count > 0 && key != OVERLAY_SRC && key != OVERLAY && key != TMP_OVERLAY && key != RO_OVERLAY)
        fail("--overlay-src must be followed by --overlay, --tmp-overlay, --ro-overlay or one more of its kind");
    if (want.size >= 0 && key != TMPFS && key != PERMS)
        fail("--size must be followed by --tmpfs");
}

/* A first pass over all options: handles those that others depend on. */
static void choose(enum option_key key)
{
    switch (key) {
    case UNSHARE_ALL: want.kinds |= NS_USER | NS_IPC | NS_PID | NS_NET | NS_UTS | NS_CGROUP; break;
    case SHARE_NET: want.kinds &= ~(uint64_t)NS_NET; break;
    case UNSHARE_USER: case UNSHARE_USER_TRY: want.kinds |= NS_USER; break;
    case UNSHARE_IPC: want.kinds |= NS_IPC; break;
    case UNSHARE_PID: want.kinds |= NS_PID; break;
    case UNSHARE_NET: want.kinds |= NS_NET; break;
    case UNSHARE_UTS: want.kinds |= NS_UTS; break;
    case UNSHARE_CGROUP_TRY:
        if (access("/proc/self/ns/cgroup", F_OK) < 0)
            break;
        /* fall through */
    case UNSHARE_CGROUP: want.kinds |= NS_CGROUP; break;
    case LEVEL_PREFIX: level = "<3>"; break;
    case USERNS: want.joined_user = true; break;
    case PIDNS: want.joined_pid = true; break;
    default: break;
    }
}

static void apply(enum option_key key, const char *name, char *argument[])
{
    ns_spec *spec = want.spec;
    check_order(key);
    switch (key) {
    case HELP: print_help(); exit(0);
    case VERSION: printf("bubblewrap 0.11.0 (nsiso %s)\n", ns_version()); exit(0);
    /* choose() and collect() have handled these. */
    case ARGS: case LEVEL_PREFIX: case UNSHARE_ALL: case SHARE_NET: case UNSHARE_USER: case UNSHARE_USER_TRY: case UNSHARE_IPC:
    case UNSHARE_PID: case UNSHARE_NET: case UNSHARE_UTS: case UNSHARE_CGROUP: case UNSHARE_CGROUP_TRY: break;
    case ARGV0: want.argv0 = argument[0]; break;
    case USERNS: must(ns_spec_join(spec, descriptor(argument[0]), &err)); break;
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
    case CHDIR: want.cwd = argument[0]; break;
    case CLEARENV: must(ns_spec_env_clear(spec, &err)); break;
    case SETENV: must(ns_spec_env_set(spec, argument[0], argument[1], &err)); break;
    case UNSETENV: must(ns_spec_env_unset(spec, argument[0], &err)); break;
    case LOCK_FILE:
        if (want.lock_count == MAX_LOCKS)
            fail("too many lock files");
        want.locks[want.lock_count++] = argument[0];
        break;
    case SYNC_FD: descriptor(argument[0]); break;
    case BIND: case BIND_TRY: case DEV_BIND: case DEV_BIND_TRY: case RO_BIND: case RO_BIND_TRY: {
        uint64_t flags = key == BIND_TRY || key == DEV_BIND_TRY || key == RO_BIND_TRY ? NS_MOUNT_IF_EXISTS : 0;
        flags |= key == DEV_BIND || key == DEV_BIND_TRY ? NS_MOUNT_DEV : 0;
        flags |= key == RO_BIND || key == RO_BIND_TRY ? NS_MOUNT_RDONLY : 0;
        root_unless(argument[1]);
        must(ns_spec_mount_bind(spec, argument[0], argument[1], flags, &err));
        break;
    }
    case BIND_FD: case RO_BIND_FD:
        root_unless(argument[1]);
        must(ns_spec_mount_bind_fd(spec, descriptor(argument[0]), argument[1], key == RO_BIND_FD ? NS_MOUNT_RDONLY : 0, &err));
        break;
    case REMOUNT_RO: root_unless(argument[0]), must(ns_spec_mount_read_only(spec, argument[0], NS_MOUNT_NON_RECURSIVE, &err)); break;
    case OVERLAY_SRC:
        if (want.tree_count == MAX_TREES)
            fail("too many trees for an overlay");
        want.trees[want.tree_count++] = argument[0];
        break;
    case OVERLAY: overlay(name, argument[0], argument[1], argument[2], 1, 0); break;
    case TMP_OVERLAY: overlay(name, NULL, NULL, argument[0], 1, 0); break;
    case RO_OVERLAY: overlay(name, NULL, NULL, argument[0], 2, NS_MOUNT_RDONLY); break;
    case PROC:
        /* Without a new pid namespace, /proc has the caller's processes. The kernel lets only root
         * mount a fresh procfs of them, so others bind the existing one. */
        root_unless(argument[0]);
        must(want.kinds & NS_PID || want.joined_pid || !(want.kinds & NS_USER)
                 ? ns_spec_mount_procfs(spec, argument[0], NULL, 0, &err)
                 : ns_spec_mount_bind(spec, "/proc", argument[0], 0, &err));
        break;
    case DEV: root_unless(argument[0]), must(ns_spec_mount_dev(spec, argument[0], &err)); break;
    case TMPFS:
        root_unless(argument[0]);
        must(ns_spec_mount_tmpfs(spec, argument[0], want.size < 0 ? 0 : (uint64_t)want.size, permissions(0755), 0, &err));
        want.size = -1;
        break;
    case MQUEUE: root_unless(argument[0]), must(ns_spec_mount_mqueue(spec, argument[0], &err)); break;
    case DIR_: root_unless(argument[0]), must(ns_spec_mount_dir(spec, argument[0], permissions(0755), &err)); break;
    case CHMOD: root_unless(argument[1]), must(ns_spec_mount_chmod(spec, argument[1], (uint32_t)octal(argument[0]), &err)); break;
    case FILE_: {
        size_t size;
        char *data = content(descriptor(argument[0]), &size);
        root_unless(argument[1]);
        must(ns_spec_mount_file(spec, data, size, argument[1], permissions(0666), &err));
        free(data);
        break;
    }
    case BIND_DATA: case RO_BIND_DATA: {
        const char *file = data_file(descriptor(argument[0]), permissions(0600));
        root_unless(argument[1]);
        must(ns_spec_mount_bind(spec, file, argument[1], key == RO_BIND_DATA ? NS_MOUNT_RDONLY : 0, &err));
        break;
    }
    case SYMLINK: root_unless(argument[1]), must(ns_spec_mount_symlink(spec, argument[0], argument[1], &err)); break;
    case SECCOMP: want.only_filter = argument[0]; break;
    case ADD_SECCOMP:
        if (want.filter_count == MAX_FILTERS)
            fail("too many filters");
        want.filters[want.filter_count++] = argument[0];
        break;
    case EXEC_LABEL: label("exec", argument[0]); break;
    case FILE_LABEL: label("fscreate", argument[0]); break;
    case BLOCK_FD: want.block_fd = descriptor(argument[0]); break;
    case USERNS_BLOCK_FD: want.userns_block_fd = descriptor(argument[0]); break;
    case INFO_FD: want.info_fd = descriptor(argument[0]); break;
    case JSON_STATUS_FD: want.status_fd = descriptor(argument[0]); break;
    case NEW_SESSION: want.session = true; break;
    case DIE_WITH_PARENT: want.die = true; break;
    case AS_PID_1: want.as_pid_1 = true; break;
    case CAP_ADD: want.caps_chosen = true, want.caps |= capability(argument[0]); break;
    case CAP_DROP: want.caps_chosen = true, want.caps &= ~capability(argument[0]); break;
    case PERMS: want.perms = octal(argument[0]); break;
    case SIZE:
        if (!number(argument[0], &want.size) || want.size <= 0)
            fail("'%s' is no size", argument[0]);
        break;
    case UNSUPPORTED: fail("--%s is not supported", name);
    }
}

/* The options in their order. Those from --args replace it in place. */
static struct given {
    const struct row *row;
    char **argument;
} given[MAX_WORDS];
static int given_count;

static int collect(int count, char *words[]);

static void more_options(const char *fd)
{
    size_t size;
    char *data = content(descriptor(fd), &size); /* kept, because the options point into it */
    char **words = calloc(size + 1, sizeof *words);
    int count = 0;
    if (!words || (size > 0 && data[size - 1] != '\0'))
        fail("--args: no NUL at the end");
    for (size_t at = 0; at < size; at += strlen(data + at) + 1)
        words[count++] = data + at;
    int end = collect(count, words);
    if (end < count)
        fail("--args: '%s' is no option", words[end]);
}

/* Returns the index of the program. */
static int collect(int count, char *words[])
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
        if (given_count == MAX_WORDS)
            fail("too many options");
        given[given_count++] = (struct given){row, words + at};
        if (row->key == ARGS)
            more_options(words[at]);
        at += row->arguments;
    }
    return at;
}

static int parse(int count, char *words[])
{
    int program = collect(count, words);
    for (int n = 0; n < given_count; n++)
        choose(given[n].row->key);
    if (geteuid() != 0 && !want.joined_user)
        want.kinds |= NS_USER;
    for (int n = 0; n < given_count; n++)
        apply(given[n].row->key, given[n].row->name, given[n].argument);
    check_order(HELP);
    return program;
}

static void identity(void)
{
    ns_spec *spec = want.spec;
    bool ordinary = geteuid() != 0;
    if ((want.uid >= 0 || want.gid >= 0) && !(want.kinds & NS_USER))
        fail("--uid and --gid need --unshare-user");
    if (want.joined_user && want.kinds & NS_USER)
        fail("--userns does not go with --unshare-user");
    if (want.userns_block_fd >= 0) {
        if (!(want.kinds & NS_USER))
            fail("--userns-block-fd needs --unshare-user");
    } else if (want.kinds & NS_USER) {
        must(ns_spec_uid_map(spec, want.uid < 0 ? geteuid() : (uint32_t)want.uid, geteuid(), 1, &err));
        must(ns_spec_gid_map(spec, want.gid < 0 ? getegid() : (uint32_t)want.gid, getegid(), 1, &err));
    }
    if (want.disable) {
        if (!(want.kinds & NS_USER))
            fail("--disable-userns needs --unshare-user");
        must(ns_spec_user_namespaces(spec, 0, &err));
        want.caps &= ~capability("CAP_SYS_RESOURCE");
    }
    if (want.assert_disabled && !want.disable)
        fail("--assert-userns-disabled: user namespaces can be made inside; add --disable-userns");
    must(ns_spec_new_privs(spec, 0, &err));
    /* By default root keeps its capabilities. Others have only those that --cap-add names. */
    if (ordinary || want.caps_chosen || want.disable) {
        const char *kept[CAPABILITIES + 1] = {NULL};
        for (int n = 0, count = 0; n < CAPABILITIES; n++)
            if (want.caps >> n & 1 && (want.kinds & NS_USER || prctl(PR_CAPBSET_READ, n) == 1))
                kept[count++] = capabilities[n];
        must(ns_spec_caps(spec, kept, &err));
    }
}

static void filters(void)
{
    if (want.only_filter && want.filter_count)
        fail("--seccomp does not go with --add-seccomp-fd");
    if (want.only_filter)
        add_seccomp(want.only_filter);
    for (int n = 0; n < want.filter_count; n++)
        add_seccomp(want.filters[n]);
}

int main(int argc, char *argv[])
{
    want.spec = ns_spec_new();
    if (!want.spec)
        fail("out of memory");
    want.caps = geteuid() == 0 ? capability("ALL") : 0;
    int program = 1 + parse(argc - 1, argv + 1);
    if (program >= argc)
        fail("no program is given; try 'bwrap --help'");
    ns_spec *spec = want.spec;
    root_unless("");
    identity();
    filters();
    want.kinds |= NS_MNT;
    must(ns_spec_unshare(spec, want.kinds, &err));
    if (want.as_pid_1 && !(want.kinds & NS_PID))
        fail("--as-pid-1 needs --unshare-pid");
    bool init = want.kinds & NS_PID && !want.as_pid_1;
    if (init) {
        must(ns_spec_init(spec, 1, &err));
        must(ns_spec_die_with_parent(spec, want.die, &err));
    }
    if (want.die)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (want.cwd) {
        must(ns_spec_cwd(spec, want.cwd, &err));
        must(ns_spec_env_set(spec, "PWD", want.cwd, &err));
    }
    if (want.session)
        must(ns_spec_new_session(spec, &err));
    char *file = argv[program];
    if (want.argv0)
        argv[program] = (char *)want.argv0;
    must(ns_spec_argv(spec, (const char *const *)argv + program, &err));
    must(ns_spec_program(spec, file, &err));
    inherit_descriptors(spec);
    struct door door = {want.info_fd, want.status_fd, want.kinds, want.userns_block_fd, want.block_fd, want.die && !init};
    if (door.guard || want.info_fd >= 0 || want.status_fd >= 0 || want.userns_block_fd >= 0 || want.block_fd >= 0)
        hold(spec, door);

    ns_process *process;
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, NULL);
    must(ns_spawn(spec, &process, &err));
    forget_data();
    for (int n = 0; n < want.lock_count; n++)
        lock(process, want.locks[n]);
    int code = wait_for(process, &held, true);
    if (want.status_fd >= 0)
        dprintf(want.status_fd, "{ \"exit-code\": %d }\n", code);
    ns_process_free(process);
    ns_spec_free(spec);
    return code;
}
