/* A program that is root inside writes a status of its own making in place of the init process. */
#include "check.h"

#include <stdint.h>
#include <sys/resource.h>

/* What the init process writes; its first two fields are internal to the library. */
struct record {
    uint32_t timed_out;
    int32_t status;
    struct rusage usage;
};

/* The status of a program that writes `record` into its init process's pipe and exits with 7. */
static ns_status told(const void *record, size_t size, int waits)
{
    ns_process *process;
    ns_status status;
    int in;
    ns_spec *spec = shell("cat >/proc/1/fd/3 && exit 7; exit 99");

    OK(ns_spec_unshare(spec, NS_USER | NS_PID | NS_MNT, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_mount_proc(spec, "/proc", &err));
    OK(ns_spec_init(spec, 0, &err));
    OK(ns_spec_stdio(spec, 0, NS_STDIO_PIPE, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(in = ns_process_take_pipe(process, 0, &err));
    CHECK(write(in, record, size) == (ssize_t)size);
    close(in);
    if (waits)
        OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    else
        memset(&status, 0, sizeof status);
    /* Reads the record, too, if nobody has waited. */
    ns_process_free(process);
    ns_spec_free(spec);
    return status;
}

static void check_own(const void *record, size_t size)
{
    ns_status status = told(record, size, 1);
    CHECK(status.exit_code == 7 && status.signal == 0 && !status.timed_out && status.usage_known);
    told(record, size, 0);
}

static struct record plain(void)
{
    struct record record;
    memset(&record, 0, sizeof record);
    record.status = 7 << 8;
    return record;
}

static void a_record_that_cannot_be_true_is_ignored(void)
{
    struct record record = plain();
    record.usage.ru_utime.tv_usec = 4294967;
    record.usage.ru_utime.tv_sec = -1;
    check_own(&record, sizeof record);
    record = plain();
    record.usage.ru_maxrss = INT64_MAX;
    check_own(&record, sizeof record);
    record = plain();
    record.timed_out = 7;
    check_own(&record, sizeof record);
    memset(&record, 0xFF, sizeof record);
    check_own(&record, sizeof record);
    check_own(&record, 1);
    check_own(&record, sizeof record - 1);
}

static void a_record_that_the_exit_code_belies_is_ignored(void)
{
    struct record record = plain();
    record.status = 0;
    check_own(&record, sizeof record);
    record.status = 9;
    check_own(&record, sizeof record);
}

/* Nobody can tell this one from the truth: so says the documentation of ns_status. */
static void the_rest_is_the_word_of_the_program(void)
{
    struct record record = plain();
    record.timed_out = 1;
    record.usage.ru_maxrss = 5;
    ns_status status = told(&record, sizeof record, 1);
    CHECK(status.exit_code == 7 && status.timed_out && status.peak_memory == 5 * 1024);
}

int main(void)
{
    RUN(a_record_that_cannot_be_true_is_ignored);
    RUN(a_record_that_the_exit_code_belies_is_ignored);
    RUN(the_rest_is_the_word_of_the_program);
    return 0;
}
