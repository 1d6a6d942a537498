/* Starts a command-line tool with posix_spawn(3), to measure the whole command: the tool that
 * BENCH_TOOL names with the options of the case, or BENCH_COMMAND as it is. */
#define _GNU_SOURCE
#include "bench.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static const char *const commands[][2] = {
    {"unshare none", ""},
    {"unshare box", "--user --pid --fork --map-root-user --mount-proc"},
    {"unshare net", "--user --net"},
    {"unshare all",
     "--user --pid --fork --mount --net --ipc --uts --time --cgroup --map-root-user --mount-proc"},
    {"bwrap box", "--unshare-user --unshare-pid --uid 0 --gid 0 --bind / / --proc /proc"},
    {"bwrap net", "--unshare-user --unshare-net --bind / /"},
    {"bwrap all", "--unshare-all --uid 0 --gid 0 --bind / / --proc /proc"},
};

static void spawn_and_reap(const struct bench_case *wanted)
{
    char *argv[24], key[32], words[1000] = "";
    int count = 0, status;
    pid_t pid;
    char *whole = getenv("BENCH_COMMAND"), *tool = whole ? "" : getenv("BENCH_TOOL");
    char *style = strstr(tool, "bwrap") ? "bwrap" : "unshare";
    snprintf(key, sizeof key, "%s %s", style, wanted->name);
    for (size_t n = 0; n < sizeof commands / sizeof *commands; n++)
        if (strcmp(commands[n][0], key) == 0)
            snprintf(words, sizeof words, "%s", commands[n][1]);
    if (whole)
        snprintf(words, sizeof words, "%s", whole);
    if (wanted->kinds) {
        if (!whole)
            argv[count++] = tool;
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
            argv[count++] = word;
    }
    if (!whole)
        argv[count++] = wanted->argv[0];
    argv[count] = NULL;
    if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid || status)
        bench_fail(argv[0]);
}

BENCH_MAIN
