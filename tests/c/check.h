/* Helpers of the C tests: each behavior is a test function, each assertion a CHECK. */
#ifndef CHECK_H
#define CHECK_H

#include <dirent.h>
#include <nsiso.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(claim)                                                                        \
    do {                                                                                    \
        if (!(claim)) {                                                                     \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #claim); \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

/* One millisecond, in nanoseconds. */
#define MS INT64_C(1000000)

#define RUN(test) (test(), printf("ok %s\n", #test))

/* The call must succeed. */
#define OK(call)                                                                                \
    do {                                                                                        \
        ns_error err;                                                                           \
        if ((call) < 0) {                                                                       \
            fprintf(stderr, "%s:%d: %s: %s (%s)\n", __FILE__, __LINE__, #call, err.message, err.hint); \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

/* The call must fail with this errno, and the message must contain these words. */
#define FAILS(call, number, words)                                                              \
    do {                                                                                        \
        ns_error err;                                                                           \
        int result = (call);                                                                    \
        if (result != -(number) || !strstr(err.message, words)) {                               \
            fprintf(stderr, "%s:%d: %s: %d, %s\n", __FILE__, __LINE__, #call, result,           \
                    result < 0 ? err.message : "no error");                                     \
            exit(1);                                                                            \
        }                                                                                       \
    } while (0)

static inline int open_descriptors(void)
{
    int count = 0;
    DIR *listing = opendir("/proc/self/fd");
    while (listing && readdir(listing))
        count++;
    closedir(listing);
    return count;
}

/* Returns a spec that runs a shell command line. */
static inline ns_spec *shell(const char *line)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    ns_spec *spec = ns_spec_new();
    OK(ns_spec_argv(spec, argv, &err));
    return spec;
}

/* Spawns, reads the output into `out`, waits, and frees the spec. */
static inline ns_status output(ns_spec *spec, char *out, size_t size)
{
    ns_process *process;
    ns_status status;
    size_t len = 0;
    ssize_t got;
    int pipe;

    OK(ns_spec_stdio(spec, 1, NS_STDIO_PIPE, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(pipe = ns_process_take_pipe(process, 1, &err));
    while (len + 1 < size && (got = read(pipe, out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = 0;
    close(pipe);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    ns_process_free(process);
    ns_spec_free(spec);
    return status;
}

#endif
