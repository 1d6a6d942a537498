/* Does the work as a C program does it without a library: fork, unshare, and a second fork for the
 * pid namespace. */
#define _GNU_SOURCE
#include "bench.h"
#include "inside.h"
#include <sys/wait.h>

__attribute__((noreturn)) static void inner(const struct bench_case *wanted)
{
    if (wanted->root)
        inside_mount();
    if (wanted->network)
        inside_loopback();
    execv(wanted->argv[0], wanted->argv);
    _exit(127);
}

static int reap(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void spawn_and_reap(const struct bench_case *wanted)
{
    struct inside_maps maps;
    inside_prepare(&maps);
    pid_t pid = fork();
    if (pid == 0) {
        if (wanted->kinds && unshare(wanted->kinds))
            _exit(1);
        if (wanted->root)
            inside_map(&maps);
        if (!(wanted->kinds & CLONE_NEWPID))
            inner(wanted);
        pid_t inside = fork();
        if (inside == 0)
            inner(wanted);
        _exit(reap(inside) != 0);
    }
    if (pid < 0 || reap(pid) != 0)
        bench_fail("fork");
}

BENCH_MAIN
