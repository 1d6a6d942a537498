/* nsenter(1) on top of libnsiso: the options of util-linux 2.42, as its manual page describes them.
 *
 * The tool becomes the program, except that entering a pid namespace needs a child. If signal N
 * kills the child, the exit code is 128 + N. If the set-up fails, the exit code is 126, not 1. The
 * tool keeps a pidfd of the target, so that a reused pid cannot be mistaken for it. --join-cgroup
 * works only with cgroup v2. --follow-context is not supported. */
#define _GNU_SOURCE
#include "tool.h"

#include <sys/stat.h>
#include <sys/syscall.h>

const char tool[] = "nsenter";

enum { USER_PARENT = 256, PRESERVE, KEEP_CAPS };

static const struct option options[] = {
    {"all", no_argument, NULL, 'a'},
    {"target", required_argument, NULL, 't'},
    {"mount", optional_argument, NULL, 'm'},
    {"uts", optional_argument, NULL, 'u'},
    {"ipc", optional_argument, NULL, 'i'},
    {"net", optional_argument, NULL, 'n'},
    {"net-socket", required_argument, NULL, 'N'},
    {"pid", optional_argument, NULL, 'p'},
    {"user", optional_argument, NULL, 'U'},
    {"user-parent", no_argument, NULL, USER_PARENT},
    {"cgroup", optional_argument, NULL, 'C'},
    {"time", optional_argument, NULL, 'T'},
    {"setuid", required_argument, NULL, 'S'},
    {"setgid", required_argument, NULL, 'G'},
    {"preserve-credentials", no_argument, NULL, PRESERVE},
    {"keep-caps", no_argument, NULL, KEEP_CAPS},
    {"root", optional_argument, NULL, 'r'},
    {"wd", optional_argument, NULL, 'w'},
    {"wdns", required_argument, NULL, 'W'},
    {"env", no_argument, NULL, 'e'},
    {"no-fork", no_argument, NULL, 'F'},
    {"join-cgroup", no_argument, NULL, 'c'},
    {"follow-context", no_argument, NULL, 'Z'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static const char help[] =
    "nsenter [options] [program [argument...]]\n"
    "Runs a program (your shell) in existing namespaces.\n\n"
    "  -t, --target PID[:INODE]  the process whose namespaces are meant; INODE is that of its pidfd\n"
    "  -a, --all                 all of them\n"
    "  -U -p -m -n -i -u -C -T   --user, --pid, --mount, --net, --ipc, --uts, --cgroup, --time:\n"
    "                            that of the target, or =FILE\n"
    "  -N, --net-socket FD       the network namespace of the target's socket FD\n"
    "      --user-parent         the parent of the user namespace\n"
    "  -S, --setuid UID|follow   run as this uid; follow: the target's\n"
    "  -G, --setgid GID|follow   run as this gid\n"
    "      --preserve-credentials  keep uid, gid and groups in a user namespace\n"
    "      --keep-caps           keep the user namespace's capabilities\n"
    "  -r, --root[=DIR]          root directory: DIR, or the target's\n"
    "  -w, --wd[=DIR]            working directory: DIR, or the target's\n"
    "  -W, --wdns DIR            working directory, as seen inside\n"
    "  -e, --env                 the target's environment\n"
    "  -c, --join-cgroup         in the target's cgroup\n"
    "  -F, --no-fork             become the program: its children are in the pid namespace\n"
    "  -h, --help  -V, --version\n";

static uint64_t kind_of(int key)
{
    switch (key) {
    case 'm': return NS_MNT;
    case 'u': return NS_UTS;
    case 'i': return NS_IPC;
    case 'n': return NS_NET;
    case 'p': return NS_PID;
    case 'U': return NS_USER;
    case 'C': return NS_CGROUP;
    case 'T': return NS_TIME;
    default: return 0;
    }
}

/* The target's pid, and a pidfd that shows later whether it is still the same process. */
struct target {
    int pid, pidfd;
};

static struct target target(const char *text)
{
    char *end;
    struct target target = {.pid = (int)strtol(text, &end, 10)};
    if (end == text || (*end && *end != ':') || target.pid <= 0)
        fail("'%s' is no process id", text);
    must(target.pidfd = ns_pidfd(target.pid, *end ? strtoull(end + 1, NULL, 10) : 0, &err));
    return target;
}

static int open_of(struct target target, const char *name, int flags)
{
    char path[64];
    if (!target.pid)
        fail("no target process is given, with --target");
    snprintf(path, sizeof path, "/proc/%d/%s", target.pid, name);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_pidfd_send_signal, target.pidfd, 0, NULL, 0) < 0)
        fail("%s: %s", path, strerror(errno));
    return fd;
}

static int directory(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        fail("%s: %s", path, strerror(errno));
    return fd;
}

/* Translates an id of the host to one inside the target's user namespace. */
static uint32_t inside(struct target target, const char *map, uint32_t outer)
{
    uint32_t in, out, count;
    FILE *file = fdopen(open_of(target, map, O_RDONLY), "r");
    while (file && fscanf(file, "%u %u %u", &in, &out, &count) == 3)
        if (outer >= out && outer - out < count) {
            fclose(file);
            return in + (outer - out);
        }
    fail("id %u of the target is not mapped in its user namespace", outer);
}

/* Moves this process, which becomes the program, into the target's cgroup. The kernel gives the
 * path relative to the cgroup2 mount. */
static void join_cgroup(struct target target)
{
    char line[4096], path[8192] = "", cgroup[4096] = "", type[64], mount[4096];
    FILE *file = fdopen(open_of(target, "cgroup", O_RDONLY), "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "0::", 3) == 0)
            snprintf(cgroup, sizeof cgroup, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (file)
        fclose(file);
    file = fopen("/proc/self/mounts", "re");
    while (file && !*path && fscanf(file, "%*s %4095s %63s %*[^\n]", mount, type) == 2)
        if (strcmp(type, "cgroup2") == 0)
            snprintf(path, sizeof path, "%s%s/cgroup.procs", mount, cgroup);
    if (file)
        fclose(file);
    if (!*cgroup || !*path)
        fail("--join-cgroup: no cgroup v2 is mounted");
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        fail("%s: %s", path, strerror(errno));
    close(fd);
}

/* Returns the id for --setuid=follow or --setgid=follow, or -1 for other text. */
static int64_t follow(const char *text, struct target target, const char *map, bool mapped)
{
    struct stat about;
    if (strcmp(text, "follow") != 0)
        return -1;
    int fd = open_of(target, "", O_PATH | O_DIRECTORY);
    fstat(fd, &about);
    close(fd);
    uint32_t outer = *map == 'u' ? about.st_uid : about.st_gid;
    return mapped ? inside(target, map, outer) : outer;
}

static void take_environment(ns_spec *spec, struct target target)
{
    FILE *file = fdopen(open_of(target, "environ", O_RDONLY), "r");
    char *entry = NULL;
    size_t size = 0;
    must(ns_spec_env_clear(spec, &err));
    while (file && getdelim(&entry, &size, '\0', file) > 0) {
        char *value = strchr(entry, '=');
        if (!value || value == entry)
            continue;
        *value = '\0';
        must(ns_spec_env_set(spec, entry, value + 1, &err));
    }
    free(entry);
    if (file)
        fclose(file);
}

/* Opens the network namespace of a socket: descriptor FD of the target, by pidfd_getfd(2). */
static int net_of_socket(struct target target, const char *text)
{
    if (!target.pid)
        fail("no target process is given, with --target");
    int socket = (int)syscall(SYS_pidfd_getfd, target.pidfd, atoi(text), 0), net;
    if (socket < 0)
        fail("descriptor %s of process %d: %s", text, target.pid, strerror(errno));
    must(net = ns_open_socket(socket, &err));
    close(socket);
    return net;
}

int main(int argc, char *argv[])
{
    struct target of = {0};
    uint64_t kinds = 0;
    int files[32], count = 0, user_file = -1;
    bool all = false, user_parent = false, no_fork = false, enters_pid = false, env = false, keep = false;
    const char *uid = NULL, *gid = NULL, *net_socket = NULL, *root = NULL, *wd = NULL;
    bool with_root = false, with_wd = false, with_cgroup = false;
    ns_spec *spec = ns_spec_new();
    if (!spec)
        fail("out of memory");

    for (int key; (key = getopt_long(argc, argv, "+at:m::u::i::n::N:p::U::C::T::S:G:r::w::W:eFcZhV", options, NULL)) != -1;) {
        uint64_t kind = kind_of(key);
        enters_pid |= kind == NS_PID;
        if (kind && optarg) {
            int fd;
            const char *path = *optarg == '=' ? optarg + 1 : optarg; /* accepts -n=FILE too */
            must(fd = ns_open(path, &err));
            if (count == sizeof files / sizeof *files)
                fail("too many files");
            files[count++] = fd;
            if (kind == NS_USER)
                user_file = fd;
            continue;
        }
        kinds |= kind;
        switch (key) {
        case 'a': all = enters_pid = true; break;
        case 'F': no_fork = true; break;
        case 't': of = target(optarg); break;
        case 'N': net_socket = optarg; break;
        case USER_PARENT: user_parent = true; break;
        case 'S': uid = optarg; break;
        case 'G': gid = optarg; break;
        case PRESERVE: keep = true; break;
        case KEEP_CAPS: must(ns_spec_keep_caps(spec, &err)); break;
        case 'r': with_root = true, root = optarg; break;
        case 'w': with_wd = true, wd = optarg; break;
        case 'W': must(ns_spec_cwd(spec, optarg, &err)); break;
        case 'e': env = true; break;
        case 'c': with_cgroup = true; break;
        case 'Z': fail("--follow-context is not supported: it takes SELinux");
        case 'h': fputs(help, stdout); return 0;
        case 'V': printf("nsenter from nsiso %s\n", ns_version()); return 0;
        case '?': fputs("Try 'nsenter --help'.\n", stderr); return FAILED;
        default: break;
        }
    }
    if (all)
        kinds = NS_ALL;
    if (kinds && !of.pid)
        fail("no target process is given, with --target");
    if (user_parent) {
        if (user_file < 0)
            must(user_file = ns_open_process(of.pidfd, NS_USER, &err));
        must(files[count++] = ns_open_owner(user_file, &err));
        kinds &= ~(uint64_t)NS_USER;
    }
    if (net_socket)
        files[count++] = net_of_socket(of, net_socket);
    for (int n = 0; n < count; n++)
        if (!user_parent || files[n] != user_file)
            must(ns_spec_join(spec, files[n], &err));
    if (kinds)
        must(ns_spec_join_process(spec, of.pidfd, kinds, &err));
    if (keep)
        must(ns_spec_keep_credentials(spec, &err));
    if (uid) {
        int64_t followed = follow(uid, of, "uid_map", kinds & NS_USER);
        must(ns_spec_uid(spec, followed < 0 ? user(uid) : (uint32_t)followed, &err));
    }
    if (gid) {
        int64_t followed = follow(gid, of, "gid_map", kinds & NS_USER);
        must(ns_spec_gid(spec, followed < 0 ? group(gid) : (uint32_t)followed, &err));
    }
    if (with_root)
        must(ns_spec_root_at(spec, root ? directory(root) : open_of(of, "root", O_PATH | O_DIRECTORY), &err));
    if (with_wd)
        must(ns_spec_cwd_at(spec, wd ? directory(wd) : open_of(of, "cwd", O_PATH | O_DIRECTORY), &err));
    if (env)
        take_environment(spec, of);
    if (with_cgroup)
        join_cgroup(of);
    inherit_descriptors(spec);
    set_program(spec, argv + optind);
    if (!enters_pid || no_fork)
        become(spec);
    return run(spec, false);
}
