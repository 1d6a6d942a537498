/* Helpers that the programs of the memory tests share. */
#ifndef COMMON_H
#define COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* Docker's 14 default capabilities, without sys_ptrace and sys_admin. */
#define DOCKER_CAPS 0xa80425fbu

static inline _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Parses a number on the command line; other text ends the program. */
static inline double number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text) {
        fprintf(stderr, "%s: not a number\n", text);
        exit(2);
    }
    return value;
}

static volatile sig_atomic_t terminated;

static inline void on_sigterm(int signal_number)
{
    (void)signal_number;
    terminated = 1;
}

static inline void handle_sigterm(void)
{
    struct sigaction action = {.sa_handler = on_sigterm};
    sigaction(SIGTERM, &action, NULL);
}

/* Returns whether standard input has ended. The test closes it, even when the test is killed. */
static inline int input_ended(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char byte;
    return poll(&input, 1, 0) == 1 && read(0, &byte, 1) == 0;
}

/* The pids near the newest one in this pid namespace: a window that moves with the newest pid. */
struct window {
    int fd, newest, max;
    int loadavg;
};

enum { BEHIND = 24, AHEAD = 4, WINDOW = BEHIND + AHEAD + 1 };

static inline int read_number(const char *path, int otherwise)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, text, sizeof text - 1) <= 0)
            text[0] = 0;
        close(fd);
    }
    return text[0] ? atoi(text) : otherwise;
}

static inline struct window open_window(void)
{
    struct window window = {.max = read_number("/proc/sys/kernel/pid_max", 1 << 22)};
    window.fd = open("/proc/sys/kernel/ns_last_pid", O_RDONLY | O_CLOEXEC);
    if (window.fd < 0) { /* the kernel lacks CONFIG_CHECKPOINT_RESTORE */
        window.loadavg = 1;
        window.fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    }
    if (window.fd < 0)
        fail("/proc/loadavg");
    return window;
}

/* Reads the newest pid and stores the pids around it, newest first. Returns their number. */
static inline int pids_in(struct window *window, int pids[WINDOW])
{
    char text[128];
    ssize_t got = pread(window->fd, text, sizeof text - 1, 0);
    int count = 0;

    if (got <= 0)
        fail("reading the newest pid");
    text[got] = 0;
    char *last = window->loadavg ? strrchr(text, ' ') : text;
    window->newest = last ? atoi(last) : 0;
    for (int pid = window->newest + AHEAD; pid >= window->newest - BEHIND; pid--) {
        /* The kernel does not reuse pids below 300. */
        int wrapped = pid >= window->max ? pid - window->max + 300 : pid;
        if (wrapped > 0)
            pids[count++] = wrapped;
    }
    return count;
}

#endif
