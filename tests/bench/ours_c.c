/* The contender that uses libnsiso from C. */
#define _GNU_SOURCE
#include "bench.h"
#include <nsiso.h>

__attribute__((noreturn)) static void failed(const ns_error *error)
{
    fprintf(stderr, "nsiso: %s %s\n", error->message, error->hint);
    exit(1);
}

static void spawn_and_reap(const struct bench_case *wanted)
{
    ns_error error;
    ns_status status;
    ns_process *process = NULL;
    const char *argv[] = {wanted->argv[0], NULL};
    ns_spec *spec = ns_spec_new();
    if (ns_spec_argv(spec, argv, &error) || ns_spec_unshare(spec, wanted->kinds, &error))
        failed(&error);
    if (wanted->root && (ns_spec_map_root(spec, &error) || ns_spec_mount_proc(spec, "/proc", &error)))
        failed(&error);
    if (ns_spawn(spec, &process, &error))
        failed(&error);
    if (ns_process_wait(process, -1, &status, sizeof status, &error) < 0 || status.exit_code != 0)
        failed(&error);
    ns_process_free(process);
    ns_spec_free(spec);
}

BENCH_MAIN
