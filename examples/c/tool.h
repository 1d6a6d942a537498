/* Shared by the example tools: messages, numbers and names, and a program that the tool becomes or
 * runs as its child. */
#ifndef TOOL_H
#define TOOL_H

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <nsiso.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { FAILED = 1, CANNOT_EXECUTE = 126, NOT_FOUND = 127, KILLED = 128 };

static ns_error err;
/* The name that messages begin with, and the prefix before it. */
extern const char tool[];
static const char *level = "";

_Noreturn static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s%s: ", level, tool);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(FAILED);
}

/* If `result` is negative, prints the library's message and exits with `code`. */
static void check(int result, int code)
{
    if (result >= 0)
        return;
    fprintf(stderr, "%s%s: %s\n", level, tool, err.message);
    if (*err.hint)
        fprintf(stderr, "%shint: %s\n", level, err.hint);
    exit(code);
}

static void must(int result)
{
    check(result, FAILED);
}

static bool number(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0;
}

static uint32_t id(const char *what, const char *text)
{
    int64_t value;
    if (!number(text, &value) || value < 0 || value > UINT32_MAX)
        fail("%s '%s' is not known", what, text);
    return (uint32_t)value;
}

static uint32_t user(const char *text)
{
    const struct passwd *entry = getpwnam(text);
    return entry ? entry->pw_uid : id("user", text);
}

static uint32_t group(const char *text)
{
    const struct group *entry = getgrnam(text);
    return entry ? entry->gr_gid : id("group", text);
}

/* The library closes descriptors that the spec does not name; these tools pass theirs on. */
static void inherit_descriptors(ns_spec *spec)
{
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        int fd = isdigit((unsigned char)*entry->d_name) ? atoi(entry->d_name) : -1;
        int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            must(ns_spec_fd(spec, fd, fd, &err));
    }
    if (directory)
        closedir(directory);
}

/* Waits for the program to end. The signals in `held` are blocked; they are forwarded or stay
 * pending. Signals of the terminal reach the program directly. */
static int wait_for(ns_process *process, const sigset_t *held, bool forward)
{
    ns_status status;
    struct pollfd ready[] = {
        {.fd = ns_process_pidfd(process), .events = POLLIN},
        {.fd = forward ? signalfd(-1, held, SFD_NONBLOCK | SFD_CLOEXEC) : -1, .events = POLLIN},
    };
    while (forward && (poll(ready, 2, -1) < 0 || !ready[0].revents)) {
        struct signalfd_siginfo signal;
        if (read(ready[1].fd, &signal, sizeof signal) == sizeof signal && signal.ssi_code <= 0)
            ns_process_signal(process, (int)signal.ssi_signo, NULL);
    }
    must(ns_process_wait(process, -1, &status, sizeof status, &err));
    return status.signal ? KILLED + status.signal : status.exit_code;
}

/* Sets the program and its arguments. Without any, it is the user's shell. */
static inline void set_program(ns_spec *spec, char *argv[])
{
    const char *shell[] = {getenv("SHELL") ? getenv("SHELL") : "/bin/sh", NULL};
    if (*argv && !**argv) {
        fprintf(stderr, "%s: the program's name is empty\n", tool);
        exit(NOT_FOUND);
    }
    must(ns_spec_argv(spec, *argv ? (const char *const *)argv : shell, &err));
}

/* Returns the exit code of a shell that cannot start a program. */
static int code_of_failure(void)
{
    return err.step != NS_STEP_EXEC ? FAILED : err.errnum == ENOENT ? NOT_FOUND : CANNOT_EXECUTE;
}

/* Becomes the program. */
static inline _Noreturn void become(ns_spec *spec)
{
    ns_exec(spec, &err);
    check(-1, code_of_failure());
    abort();
}

/* Runs the program as a child until it ends, and frees the spec. Returns the exit code for the
 * tool. SIGINT and SIGTERM to the tool are forwarded or ignored. */
static inline int run(ns_spec *spec, bool forward)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, NULL);

    ns_process *process;
    if (ns_spawn(spec, &process, &err) < 0)
        check(-1, code_of_failure());
    int code = wait_for(process, &held, forward);
    ns_process_free(process);
    ns_spec_free(spec);
    return code;
}

#endif
