/* Tests limits that cgroups enforce, from C. */
#include "check.h"

#include <errno.h>
#include <signal.h>

static ns_process *started(const char *line, const ns_limits *limits)
{
    ns_process *process;
    ns_spec *spec = shell(line);
    OK(ns_spec_limits(spec, limits, &err));
    OK(ns_spawn(spec, &process, &err));
    ns_spec_free(spec);
    return process;
}

static ns_status ended(ns_process *process)
{
    ns_status status;
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    ns_process_free(process);
    return status;
}

static void memory_runs_out(void)
{
    ns_limits *limits = ns_limits_new();
    OK(ns_limits_set(limits, NS_LIMIT_MEMORY, 32 << 20, &err));
    OK(ns_limits_set(limits, NS_LIMIT_PIDS, 50, &err));
    ns_status status = ended(started("head -c 200000000 /dev/zero | tail >/dev/null", limits));
    CHECK(status.out_of_memory && !status.timed_out);
    status = ended(started("exit 3", limits));
    CHECK(status.exit_code == 3 && !status.out_of_memory);
    ns_limits_free(limits);
}

static void a_group_is_counted_frozen_changed_and_killed(void)
{
    ns_resources before, after;
    ns_status status;
    char *json;
    ns_limits *limits = ns_limits_new();
    OK(ns_limits_set(limits, NS_LIMIT_CPU, 500, &err));
    OK(ns_limits_set(limits, NS_LIMIT_CPU_WEIGHT, 50, &err));
    ns_process *process = started("while :; do :; done", limits);
    OK(ns_process_freeze(process, 1, &err));
    OK(ns_process_resources(process, &before, sizeof before, &err));
    CHECK(before.pids == 1 && before.cpu_time != NS_UNKNOWN);
    usleep(200000);
    OK(ns_process_resources(process, &after, sizeof after, &err));
    CHECK(after.cpu_time - before.cpu_time < 20000000);
    /* An older program passes a shorter structure: no more than its bytes may be written. */
    memset(&after, 1, sizeof after);
    OK(ns_process_resources(process, &after, offsetof(ns_resources, memory_pressure), &err));
    CHECK(after.pids == 1 && after.memory_pressure.some.total == 0x0101010101010101);
    CHECK((before.cpu_pressure.some.total == NS_UNKNOWN) == (before.io_pressure.some.total == NS_UNKNOWN));
    CHECK(before.cpu_pressure.some.avg10 >= 0 && before.cpu_pressure.some.avg10 <= 100);
    OK(ns_process_resources_to_json(process, &json, &err));
    CHECK(strstr(json, "{\"memory\":") == json && strstr(json, "\"pids\":1,") && strstr(json, "\"cpu_time\":0."));
    CHECK(!!strstr(json, "\"cpu_pressure\":null") == (before.cpu_pressure.some.total == NS_UNKNOWN));
    ns_string_free(json);
    FAILS(ns_process_status_to_json(process, &json, &err), ETIMEDOUT, "process");
    OK(ns_process_freeze(process, 0, &err));
    OK(ns_limits_set(limits, NS_LIMIT_CPU, 1500, &err));
    OK(ns_process_set_limits(process, limits, &err));
    OK(ns_process_kill_group(process, &err));
    CHECK(ns_process_wait(process, -1, &status, sizeof status, NULL) == 0 && status.signal == SIGKILL);
    OK(ns_process_status_to_json(process, &json, &err));
    CHECK(strstr(json, "\"resources\":{\"memory\":") && strstr(json, "\"signal\":9"));
    ns_string_free(json);
    ns_process_free(process);
    ns_limits_free(limits);
}

static void bad_input_is_refused(void)
{
    ns_limits *limits = ns_limits_new();
    ns_resources resources;
    char *json;
    FAILS(ns_limits_set(NULL, NS_LIMIT_MEMORY, 1, &err), EINVAL, "limits is NULL");
    FAILS(ns_limits_set(limits, 99, 1, &err), EINVAL, "is no limit");
    FAILS(ns_limits_set(limits, NS_LIMIT_CPU, 0, &err), EINVAL, "share of processors");
    FAILS(ns_limits_set(limits, NS_LIMIT_CPU_WEIGHT, 20000, &err), EINVAL, "is no weight");
    FAILS(ns_limits_cpus(limits, "none", &err), EINVAL, "list of processors");
    FAILS(ns_limits_io(limits, "/proc", 1, 1, 1, 1, &err), EINVAL, "no block device");
    FAILS(ns_limits_io(limits, "/does/not/exist", 1, 1, 1, 1, &err), ENOENT, "/does/not/exist");
    FAILS(ns_limits_huge_pages(limits, "../x", 1, &err), EINVAL, "huge pages");
    FAILS(ns_spec_limits(NULL, limits, &err), EINVAL, "spec is NULL");
    ns_process *process;
    ns_spec *spec = shell("true");
    FAILS(ns_spec_limits(spec, NULL, &err), EINVAL, "limits is NULL");
    OK(ns_spawn(spec, &process, &err));
    FAILS(ns_process_resources(process, &resources, sizeof resources, &err), ENOTSUP, "cgroup");
    FAILS(ns_process_resources(process, NULL, sizeof resources, &err), EINVAL, "out is NULL");
    FAILS(ns_process_resources_to_json(process, &json, &err), ENOTSUP, "cgroup");
    FAILS(ns_process_resources_to_json(process, NULL, &err), EINVAL, "out is NULL");
    FAILS(ns_process_resources_to_json(NULL, &json, &err), EINVAL, "process is NULL");
    FAILS(ns_process_freeze(process, 1, &err), ENOTSUP, "cgroup");
    ended(process);
    ns_spec_free(spec);
    ns_limits_free(limits);
    ns_limits_free(NULL);
}

/* Returns whether this user may create cgroups here; if not, prints the reason. */
static int possible(void)
{
    ns_error err;
    ns_process *process;
    ns_limits *limits = ns_limits_new();
    ns_spec *spec = shell("true");
    OK(ns_limits_set(limits, NS_LIMIT_PIDS, 50, &err));
    OK(ns_spec_limits(spec, limits, &err));
    int result = ns_spawn(spec, &process, &err);
    if (result == 0)
        ended(process);
    else
        printf("skipped limits: %s (%s)\n", err.message, err.hint);
    CHECK(result == 0 || geteuid() != 0);
    ns_spec_free(spec);
    ns_limits_free(limits);
    return result == 0;
}

int main(void)
{
    RUN(bad_input_is_refused);
    if (possible()) {
        RUN(memory_runs_out);
        RUN(a_group_is_counted_frozen_changed_and_killed);
    }
    return 0;
}
