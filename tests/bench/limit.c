/* The "shared" lower bound: the smallest C program that does the work. It makes one clone3 call
 * whose child shares memory, on a stack allocated once. */
#define _GNU_SOURCE
#include "bench.h"
#include "inside.h"
#include <linux/sched.h>
#include <sys/wait.h>

extern char **environ;

static char stack[65536] __attribute__((aligned(16)));

__attribute__((noreturn, noinline)) static void child(const struct bench_case *wanted,
                                                      const struct inside_maps *maps)
{
    if (wanted->root) {
        inside_map(maps);
        inside_mount();
    }
    if (wanted->network)
        inside_loopback();
    execve(wanted->argv[0], wanted->argv, environ);
    _exit(127);
}

static void spawn_and_reap(const struct bench_case *wanted)
{
    struct inside_maps maps;
    if (wanted->root)
        inside_prepare(&maps);
    struct clone_args args = {
        .flags = wanted->kinds | CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = sizeof stack,
    };
    register const void *first __asm__("r12") = wanted;
    register const void *second __asm__("r13") = &maps;
    register void *entry __asm__("r14") = (void *)child;
    long pid;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r12, %%rdi\n\t"
                     "mov %%r13, %%rsi\n\t"
                     "call *%%r14\n"
                     "1:"
                     : "=a"(pid)
                     : "a"(SYS_clone3), "D"(&args), "S"(sizeof args), "r"(first), "r"(second), "r"(entry)
                     : "rcx", "r11", "memory");
    siginfo_t info;
    if (pid < 0 || waitid(P_PID, pid, &info, WEXITED) || info.si_status != 0) {
        fprintf(stderr, "limit: %s: clone3 %ld, status %d\n", wanted->name, pid, info.si_status);
        exit(1);
    }
}

BENCH_MAIN
