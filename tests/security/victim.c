/* Spawns programs for a given time while a marker is in its memory.
 *
 *     usage: victim SCENARIO THREADS SECONDS
 *
 * It prints "marker ADDRESS MARKER" and reads a line with the pid of the container to join, or 0.
 * Then it spawns programs, and prints how often and whether the marker is unchanged. Scenarios
 * whose name begins with control_ do not use libnsiso: their children share its memory on purpose,
 * long enough for an attacker to find them. */
#include "common.h"

#include <linux/capability.h>
#include <nsiso.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { NOBODY = 65534, MAX_THREADS = 64, STACK = 64 * 1024, MARKER = 32 };

static _Alignas(64) volatile char marker[MARKER + 1];
static const char *const docker_caps[] = {
    "chown",   "dac_override", "fowner",  "fsetid",     "kill",  "setgid",      "setuid",
    "setpcap", "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap",
    NULL,
};
static const char *const no_caps[] = {NULL};
static int container = -1, joins_user;
static double deadline;
static atomic_long spawns, failures;

static void check(int result, const ns_error *err)
{
    if (result < 0) {
        fprintf(stderr, "%s (%s)\n", err->message, err->hint);
        exit(1);
    }
}

#define OK(call) do { ns_error err; int result = (call); check(result, &err); } while (0)

/* --- Scenarios with libnsiso. --- */

static void as_nobody(ns_spec *spec)
{
    OK(ns_spec_uid(spec, NOBODY, &err));
    OK(ns_spec_gid(spec, NOBODY, &err));
    OK(ns_spec_groups(spec, NULL, 0, &err));
}

static void without_caps(ns_spec *spec)
{
    OK(ns_spec_caps(spec, no_caps, &err));
}

static void in_new_user_namespace(ns_spec *spec)
{
    OK(ns_spec_map_root(spec, &err));
}

static void in_new_user_namespace_without_caps(ns_spec *spec)
{
    in_new_user_namespace(spec);
    without_caps(spec);
}

static void in_new_pid_namespace(ns_spec *spec)
{
    OK(ns_spec_unshare(spec, NS_PID, &err));
}

static void in_new_pid_namespace_as_nobody(ns_spec *spec)
{
    in_new_pid_namespace(spec);
    as_nobody(spec);
}

static void in_new_pid_namespace_without_caps(ns_spec *spec)
{
    in_new_pid_namespace(spec);
    without_caps(spec);
}

static void in_sandbox(ns_spec *spec)
{
    OK(ns_spec_sandbox(spec, &err));
}

static void joined(ns_spec *spec)
{
    OK(ns_spec_join_process(spec, container, NS_ALL, &err));
}

static void joined_with_docker_caps(ns_spec *spec)
{
    joined(spec);
    OK(ns_spec_caps(spec, docker_caps, &err));
}

static void joined_and_new_user_namespace(ns_spec *spec)
{
    joined(spec);
    in_new_user_namespace(spec);
}

static void joined_and_new_time_namespace(ns_spec *spec)
{
    joined(spec);
    OK(ns_spec_boottime(spec, 5000, 0, &err));
}

/* Returns whether the program ran and succeeded. */
static int spawn(const ns_spec *spec)
{
    ns_process *process;
    ns_status status;
    ns_error err;
    int result = ns_spawn(spec, &process, &err);

    if (result == 0) {
        result = ns_process_wait(process, -1, &status, sizeof status, &err);
        ns_process_free(process);
    }
    if (result < 0) {
        if (atomic_load(&failures) == 0)
            fprintf(stderr, "%s (%s)\n", err.message, err.hint);
        return 0;
    }
    if (status.exit_code != 0 && atomic_load(&failures) == 0)
        fprintf(stderr, "the program ended with code %d, signal %d\n", status.exit_code,
                status.signal);
    return status.exit_code == 0;
}

/* --- Scenarios without libnsiso. The children use only raw system calls, as after vfork(2). --- */

static void linger(void)
{
    struct timespec time = {.tv_nsec = 3000000};
    nanosleep(&time, NULL);
}

/* A change of ids makes the process undumpable. The control scenarios undo that. */
static void show_memory(void)
{
    syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int becomes_nobody(void *unused)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    (void)unused;
    if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
        syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) || syscall(SYS_capset, &header, none))
        return 1;
    show_memory();
    linger();
    return 0;
}

static int does_nothing(void *unused)
{
    (void)unused;
    linger();
    return 0;
}

static int becomes_root_with_docker_caps(void *unused)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2] = {{.effective = DOCKER_CAPS, .permitted = DOCKER_CAPS}};
    (void)unused;
    if (syscall(SYS_setresgid, 0, 0, 0) || syscall(SYS_setresuid, 0, 0, 0) ||
        syscall(SYS_capset, &header, caps))
        return 1;
    show_memory();
    linger();
    return 0;
}

/* Waits for a child. Returns whether it succeeded. */
static int ended_well(int pid)
{
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Runs `function` in a child that shares this process's memory, and waits for the child. */
static int share(int (*function)(void *), int flags)
{
    char *stack = malloc(STACK);
    if (!stack)
        return 0;
    int pid = clone(function, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD | flags, NULL);
    int good = ended_well(pid);
    free(stack);
    return good;
}

static int joins(void *unused)
{
    static char stacks[MAX_THREADS][STACK];
    static atomic_uint next;
    char *stack = stacks[atomic_fetch_add(&next, 1) % MAX_THREADS];
    (void)unused;
    if (syscall(SYS_setns, container, CLONE_NEWPID | (joins_user ? CLONE_NEWUSER : 0)))
        return 1;
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    return !ended_well(clone(becomes_root_with_docker_caps, stack + STACK, flags, NULL));
}

static int control_uid(void)
{
    return share(becomes_nobody, 0);
}

static int control_user(void)
{
    return share(does_nothing, CLONE_NEWUSER);
}

static int control_join(void)
{
    return share(joins, 0);
}

static int control_vfork(void)
{
    return share(does_nothing, 0);
}

/* --- The table of scenarios. --- */

static const struct scenario {
    const char *name;
    void (*set)(ns_spec *spec);
    int (*control)(void);
} scenarios[] = {
    {"uid", as_nobody, NULL},
    {"caps", without_caps, NULL},
    {"user", in_new_user_namespace, NULL},
    {"user_caps", in_new_user_namespace_without_caps, NULL},
    {"pid", in_new_pid_namespace, NULL},
    {"pid_uid", in_new_pid_namespace_as_nobody, NULL},
    {"pid_caps", in_new_pid_namespace_without_caps, NULL},
    {"sandbox", in_sandbox, NULL},
    {"join", joined, NULL},
    {"join_caps", joined_with_docker_caps, NULL},
    {"join_user", joined_and_new_user_namespace, NULL},
    {"join_time", joined_and_new_time_namespace, NULL},
    {"control_uid", NULL, control_uid},
    {"control_user", NULL, control_user},
    {"control_join", NULL, control_join},
    {"control_vfork", NULL, control_vfork},
};

static const struct scenario *scenario;

static void *run(void *unused)
{
    const char *const argv[] = {"/bin/true", NULL};
    ns_spec *spec = NULL;

    if (scenario->set) {
        spec = ns_spec_new();
        OK(ns_spec_argv(spec, argv, &err));
        scenario->set(spec);
    }
    while (now() < deadline) {
        if (spec ? spawn(spec) : scenario->control())
            atomic_fetch_add(&spawns, 1);
        else if (atomic_fetch_add(&failures, 1) > 100)
            break;
    }
    ns_spec_free(spec);
    return unused;
}

static void write_marker(char copy[MARKER + 1])
{
    unsigned char random[MARKER / 2];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        fail("getrandom");
    for (size_t n = 0; n < sizeof random; n++)
        sprintf(copy + 2 * n, "%02x", random[n]);
    for (size_t n = 0; n <= MARKER; n++)
        marker[n] = copy[n];
}

static void open_container(int pid)
{
    char path[64];
    struct stat own, other;

    container = (int)syscall(SYS_pidfd_open, pid, 0);
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    if (container < 0 || stat(path, &other) || stat("/proc/self/ns/user", &own))
        fail("the container");
    joins_user = own.st_ino != other.st_ino;
}

int main(int argc, char **argv)
{
    char copy[MARKER + 1], line[32];
    pthread_t threads[MAX_THREADS];
    int intact = 1;

    for (size_t n = 0; argc == 4 && n < sizeof scenarios / sizeof *scenarios; n++)
        if (!strcmp(argv[1], scenarios[n].name))
            scenario = &scenarios[n];
    if (!scenario) {
        fprintf(stderr, "usage: victim SCENARIO THREADS SECONDS\n");
        return 2;
    }
    int count = (int)number(argv[2]);
    if (count < 1 || count > MAX_THREADS)
        return 2;
    /* The victim ends when the test ends, and also when the test hangs. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm((unsigned)number(argv[3]) + 120);
    write_marker(copy);
    printf("marker %p %s\n", (void *)marker, copy);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return 1;
    if (atoi(line) > 0)
        open_container(atoi(line));
    deadline = now() + number(argv[3]);
    for (int n = 0; n < count; n++)
        if (pthread_create(&threads[n], NULL, run, NULL))
            fail("pthread_create");
    for (int n = 0; n < count; n++)
        pthread_join(threads[n], NULL);
    for (size_t n = 0; n < MARKER; n++)
        intact &= marker[n] == copy[n];
    printf("spawns=%ld failures=%ld intact=%d\n", spawns, failures, intact);
    return 0;
}
