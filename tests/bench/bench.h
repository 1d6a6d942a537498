/* Shared by the C contenders: the cases, the line protocol ("CASE COUNT\n" in, the nanoseconds of
 * COUNT runs out on one line) and a parent made large by --parent SIZE. A contender defines
 * spawn_and_reap(), which is what is timed, and ends with BENCH_MAIN. */
#ifndef BENCH_H
#define BENCH_H

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define BENCH_ALL_KINDS                                                                          \
    (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWTIME | CLONE_NEWCGROUP)

struct bench_case {
    const char *name;
    unsigned long kinds;
    int root; /* maps the caller to root and mounts procfs */
    int network;
    char *argv[2];
};

static struct bench_case bench_cases[] = {
    {"none", 0, 0, 0, {"/bin/true"}},
    {"box", CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS, 1, 0, {"/bin/true"}},
    {"net", CLONE_NEWUSER | CLONE_NEWNET, 0, 1, {"/bin/true"}},
    {"all", BENCH_ALL_KINDS, 1, 1, {"/bin/true"}},
};

static void spawn_and_reap(const struct bench_case *wanted);

__attribute__((noreturn, unused)) static void bench_fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *bench_idle(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void bench_grow(const char *size)
{
    char *unit;
    size_t bytes = strtoul(size, &unit, 10) << (*unit == 'G' ? 30 : *unit == 'M' ? 20 : 0);
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("mmap");
    /* Small pages, as in a heap that has been in use for a while. */
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    memset(memory, 1, bytes);
    for (int n = 0; n < 64; n++) {
        pthread_t thread;
        pthread_create(&thread, NULL, bench_idle, NULL);
    }
}

static int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* "box" runs /bin/true; "box-static" runs the program that BENCH_STATIC names. */
static struct bench_case bench_find(char *name)
{
    char *suffix = strchr(name, '-');
    if (suffix)
        *suffix = 0;
    for (size_t n = 0; n < sizeof bench_cases / sizeof *bench_cases; n++) {
        struct bench_case found = bench_cases[n];
        if (strcmp(found.name, name) == 0) {
            if (suffix)
                found.argv[0] = getenv("BENCH_STATIC");
            return found;
        }
    }
    fprintf(stderr, "no case %s\n", name);
    exit(1);
}

static int bench_main(void)
{
    char name[32];
    int count;
    while (scanf("%31s %d", name, &count) == 2) {
        struct bench_case wanted = bench_find(name);
        for (int n = 0; n < count; n++) {
            int64_t start = bench_now();
            spawn_and_reap(&wanted);
            printf("%s%lld", n ? " " : "", (long long)(bench_now() - start));
        }
        puts("");
        fflush(stdout);
    }
    return 0;
}

#define BENCH_MAIN                                                                               \
    int main(int argc, char **argv)                                                              \
    {                                                                                            \
        if (argc >= 3 && strcmp(argv[1], "--parent") == 0)                                       \
            bench_grow(argv[2]);                                                                 \
        return bench_main();                                                                     \
    }

#endif
