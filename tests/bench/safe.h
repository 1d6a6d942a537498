/* The caller's part of the "safe" lower bound: the smallest C program that starts a program in
 * other namespaces while no process in them shares the caller's memory. It writes a helper program
 * to a new sealed memfd. A child in the caller's own namespaces executes it; safe_helper.c is that
 * program.
 *
 * Layout A, no pid namespace: the helper becomes the program. Layout B, a pid namespace: the helper
 * creates the program's process as another child of the caller, and sends its pidfd. */
#ifndef SAFE_H
#define SAFE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

extern char **environ;

/* build.sh has built this file. */
__asm__(".pushsection .rodata\n"
        ".globl safe_helper_begin, safe_helper_end\n"
        "safe_helper_begin: .incbin \"build/bench/safe_helper\"\n"
        "safe_helper_end:\n"
        ".popsection");
extern const char safe_helper_begin[], safe_helper_end[];

struct safe_job {
    unsigned long kinds; /* new namespaces */
    int join;            /* a pidfd whose user, pid and mount namespaces are joined, or -1 */
    int root;            /* maps the caller to root and mounts procfs */
    int loopback;
    char *program;
};

/* The data that the child needs between clone and exec. */
struct safe_start {
    int helper, socket, join, errnum;
    char **argv;
    sigset_t before;
};

__attribute__((noreturn)) static void safe_fail(const char *what)
{
    fprintf(stderr, "safe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int safe_become_helper(void *argument)
{
    struct safe_start *start = argument;
    if (start->socket >= 0)
        fcntl(start->socket, F_SETFD, 0);
    if (start->join >= 0)
        fcntl(start->join, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, &start->before, NULL);
    syscall(SYS_execveat, start->helper, "", start->argv, environ, AT_EMPTY_PATH);
    start->errnum = errno;
    return 127;
}

static int safe_open_helper(void)
{
    const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    ssize_t size = safe_helper_end - safe_helper_begin;
    int fd = memfd_create("safe", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 || write(fd, safe_helper_begin, size) != size || fcntl(fd, F_ADD_SEALS, seals))
        safe_fail("helper");
    return fd;
}

/* Receives the pidfd that the helper of layout B sends. */
static int safe_receive(int socket)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    int failure = -1, pidfd = -1;
    struct iovec data = {&failure, sizeof failure};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof failure || failure || !CMSG_FIRSTHDR(&message))
        safe_fail("message");
    memcpy(&pidfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof pidfd);
    return pidfd;
}

static void safe_reap(idtype_t type, int id)
{
    siginfo_t info;
    if (waitid(type, id, &info, WEXITED | __WALL) || info.si_status)
        safe_fail("status");
}

static void safe_spawn_and_reap(const struct safe_job *job)
{
    static char stack[16384] __attribute__((aligned(16)));
    char numbers[5][24];
    int pair[2] = {-1, -1};
    int two = job->join >= 0 || job->kinds & CLONE_NEWPID;
    if (two && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        safe_fail("socketpair");
    snprintf(numbers[0], sizeof *numbers, "%d", pair[1]);
    snprintf(numbers[1], sizeof *numbers, "%d", job->join);
    snprintf(numbers[2], sizeof *numbers, "%lu", job->kinds);
    snprintf(numbers[3], sizeof *numbers, "0 %u 1\n", geteuid());
    snprintf(numbers[4], sizeof *numbers, "0 %u 1\n", getegid());
    char *argv[] = {"safe-helper", numbers[0], numbers[1], numbers[2], job->root ? numbers[3] : "",
                    numbers[4], job->loopback ? "1" : "", job->program, NULL};
    struct safe_start start = {safe_open_helper(), pair[1], job->join, 0, argv, {{0}}};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &start.before);
    pid_t helper = clone(safe_become_helper, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &start);
    sigprocmask(SIG_SETMASK, &start.before, NULL);
    close(start.helper);
    errno = start.errnum;
    if (helper < 0 || start.errnum)
        safe_fail("exec of the helper");
    if (two) {
        close(pair[1]);
        int pidfd = safe_receive(pair[0]);
        close(pair[0]);
        safe_reap(P_PID, helper);
        safe_reap(P_PIDFD, pidfd);
        close(pidfd);
    } else {
        safe_reap(P_PID, helper);
    }
}

#endif
