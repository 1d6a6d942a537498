/* Lower bounds for joining. usage: enter WAY [--parent SIZE]
 *
 * It runs /bin/true (or, in case "enter-static", the program named by BENCH_STATIC) in the user,
 * pid and mount namespaces of process BENCH_TARGET. In case "thread", a thread enters the network
 * namespace of that process and leaves it. WAY "safe" is the smallest C program with two processes
 * that do not share the caller's memory; "shared" is the smallest with two that do. */
#define _GNU_SOURCE
#include "bench.h"
#include "safe.h"
#include <fcntl.h>
#include <nsiso.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KINDS (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS)

static char first_stack[65536] __attribute__((aligned(16))), second_stack[65536] __attribute__((aligned(16)));
static int pid, pidfd;
static char *program[2];

static void reap(pid_t child)
{
    int status;
    if (child < 0 || waitpid(child, &status, __WALL) != child || status)
        bench_fail("child");
}

static int second(void *unused)
{
    (void)unused;
    execve(program[0], program, environ);
    _exit(127);
}

static volatile pid_t grandchild;

static int first(void *unused)
{
    if (setns(pidfd, KINDS))
        _exit(1);
    grandchild = clone(second, second_stack + sizeof second_stack, CLONE_VM | CLONE_VFORK | CLONE_PARENT | SIGCHLD, unused);
    _exit(grandchild < 0);
}

static void shared(void)
{
    pid_t child = clone(first, first_stack + sizeof first_stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL);
    reap(child);
    reap(grandchild);
}

static void safe(void)
{
    struct safe_job job = {.join = pidfd, .program = program[0]};
    safe_spawn_and_reap(&job);
}

static void with_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        int status;
        if (setns(pidfd, KINDS))
            _exit(1);
        pid_t inner = fork();
        if (inner == 0)
            second(NULL);
        _exit(waitpid(inner, &status, 0) != inner || status);
    }
    reap(child);
}

static void tool(void)
{
    char target[16];
    char *argv[] = {getenv("BENCH_TOOL"), "-t", target, "-U", "-p", "-m", program[0], NULL};
    pid_t child;
    snprintf(target, sizeof target, "%d", pid);
    if (posix_spawn(&child, argv[0], NULL, NULL, argv, environ))
        bench_fail("posix_spawn");
    reap(child);
}

static void must(int result, const ns_error *error)
{
    if (result >= 0)
        return;
    fprintf(stderr, "nsiso: %s %s\n", error->message, error->hint);
    exit(1);
}

static void ours(void)
{
    ns_error error;
    ns_status status;
    ns_process *process;
    ns_spec *spec = ns_spec_new();
    must(ns_spec_argv(spec, (const char *const *)program, &error), &error);
    must(ns_spec_join_process(spec, pidfd, NS_USER | NS_PID | NS_MNT, &error), &error);
    must(ns_spawn(spec, &process, &error), &error);
    must(ns_process_wait(process, -1, &status, sizeof status, &error), &error);
    if (status.exit_code)
        bench_fail("status");
    ns_process_free(process);
    ns_spec_free(spec);
}

static int net;

static void limit_of_thread(void)
{
    int before = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (setns(net, CLONE_NEWNET) || setns(before, CLONE_NEWNET))
        bench_fail("setns");
    close(before);
}

static void our_thread(void)
{
    ns_error error;
    ns_entered *entered;
    must(ns_enter(&net, 1, &entered, &error), &error);
    must(ns_leave(entered, &error), &error);
}

static const struct { const char *name; void (*run)(void), (*thread)(void); } ways[] = {
    {"safe", safe, limit_of_thread}, {"shared", shared, NULL}, {"ours", ours, our_thread},
    {"fork", with_fork, NULL}, {"tool", tool, NULL},
};

#define WAYS (int)(sizeof ways / sizeof *ways)

static void (*now_run)(void);

static void spawn_and_reap(const struct bench_case *wanted)
{
    (void)wanted;
    now_run();
}

int main(int argc, char **argv)
{
    char name[32], path[64];
    int count, way = 0;
    (void)bench_main, (void)spawn_and_reap;
    while (way < WAYS && strcmp(ways[way].name, argc > 1 ? argv[1] : ""))
        way++;
    if (way == WAYS || !getenv("BENCH_TARGET"))
        return 2;
    if (argc > 3)
        bench_grow(argv[3]);
    pid = atoi(getenv("BENCH_TARGET"));
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
    net = open(path, O_RDONLY | O_CLOEXEC);
    while (scanf("%31s %d", name, &count) == 2) {
        program[0] = strstr(name, "static") ? getenv("BENCH_STATIC") : "/bin/true";
        now_run = strcmp(name, "thread") ? ways[way].run : ways[way].thread;
        for (int n = 0; n < count; n++) {
            int64_t start = bench_now();
            spawn_and_reap(NULL);
            printf("%lld ", (long long)(bench_now() - start));
        }
        puts("");
        fflush(stdout);
    }
    return 0;
}
