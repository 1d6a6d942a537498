/* Tests that the functions reject bad input with a clear error and leave nothing behind. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

static void says(int result, int errnum, const ns_error *err, ns_step step, const char *text)
{
    if (result != -errnum || err->errnum != errnum || err->step != step || !strstr(err->message, text)) {
        fprintf(stderr, "result %d, errnum %d, step %d: %s\n", result, err->errnum, err->step, err->message);
        exit(1);
    }
}

static void null_is_named(void)
{
    ns_spec *spec = ns_spec_new();
    ns_process *process;
    ns_error err;

    says(ns_spec_cwd(NULL, "/", &err), EINVAL, &err, NS_STEP_ARGUMENT, "spec is NULL");
    says(ns_spec_cwd(spec, NULL, &err), EINVAL, &err, NS_STEP_ARGUMENT, "path is NULL");
    says(ns_spec_argv(spec, NULL, &err), EINVAL, &err, NS_STEP_ARGUMENT, "argv is NULL");
    says(ns_spec_groups(spec, NULL, 1, &err), EINVAL, &err, NS_STEP_ARGUMENT, "gids is NULL");
    says(ns_spec_groups(spec, &(uint32_t){0}, SIZE_MAX, &err), EINVAL, &err, NS_STEP_ARGUMENT, "more than memory can hold");
    says(ns_spawn(NULL, &process, &err), EINVAL, &err, NS_STEP_ARGUMENT, "spec is NULL");
    says(ns_spawn(spec, NULL, &err), EINVAL, &err, NS_STEP_ARGUMENT, "out is NULL");
    says(ns_process_wait(NULL, -1, NULL, 0, &err), EINVAL, &err, NS_STEP_ARGUMENT, "out is NULL");
    says(ns_process_signal(NULL, 9, &err), EINVAL, &err, NS_STEP_ARGUMENT, "process is NULL");
    CHECK(ns_process_pid(NULL) == -EINVAL && ns_process_pidfd(NULL) == -EINVAL);
    CHECK(ns_spec_cwd(NULL, "/", NULL) == -EINVAL);
    ns_spec_free(NULL);
    ns_process_free(NULL);
    ns_spec_free(spec);
}

static void unknown_values_are_refused(void)
{
    ns_spec *spec = ns_spec_new();
    const char *nothing[] = {NULL}, *empty[] = {"", NULL};
    ns_error err;

    says(ns_spec_unshare(spec, NS_USER | 4, &err), EINVAL, &err, NS_STEP_ARGUMENT, "0x4 is no kind");
    says(ns_spec_propagation(spec, 9, &err), EINVAL, &err, NS_STEP_ARGUMENT, "NS_PROPAGATION_");
    says(ns_spec_stdio(spec, 1, 9, &err), EINVAL, &err, NS_STEP_ARGUMENT, "NS_STDIO_");
    says(ns_spec_stdio(spec, 3, NS_STDIO_NULL, &err), EINVAL, &err, NS_STEP_ARGUMENT, "descriptor 3");
    says(ns_spec_fd(spec, 5, 987, &err), EINVAL, &err, NS_STEP_ARGUMENT, "987 is not open");
    says(ns_spec_fd(spec, -1, 0, &err), EINVAL, &err, NS_STEP_ARGUMENT, "-1");
    says(ns_spec_argv(spec, nothing, &err), EINVAL, &err, NS_STEP_ARGUMENT, "argv is empty");
    says(ns_spec_argv(spec, empty, &err), EINVAL, &err, NS_STEP_ARGUMENT, "name is empty");
    says(ns_spec_uid(spec, UINT32_MAX, &err), EINVAL, &err, NS_STEP_ARGUMENT, "no change");
    says(ns_spec_uid_map(spec, 0, 0, 0, &err), EINVAL, &err, NS_STEP_ARGUMENT, "empty");
    says(ns_spec_env_set(spec, "A=B", "c", &err), EINVAL, &err, NS_STEP_ARGUMENT, "A=B");
    says(ns_spec_monotonic(spec, 0, 1000000000, &err), EINVAL, &err, NS_STEP_ARGUMENT, "1000000000");
    says(ns_spec_boottime(spec, INT64_MIN, 0, &err), ERANGE, &err, NS_STEP_ARGUMENT, "before 0");
    says(ns_spec_hostname(spec, "1234567890123456789012345678901234567890123456789012345678901234+", &err), EINVAL,
         &err, NS_STEP_ARGUMENT, "65 bytes");
    ns_spec_free(spec);
}

static void failures_are_told_apart(void)
{
    const char *missing[] = {"/no/such/program", NULL};
    int before = open_descriptors();
    ns_process *process = (ns_process *)0x1;
    ns_spec *spec = ns_spec_new();
    ns_error err;

    OK(ns_spec_argv(spec, missing, &err));
    says(ns_spawn(spec, &process, &err), ENOENT, &err, NS_STEP_EXEC, "/no/such/program");
    CHECK(err.hint[0] && process == (ns_process *)0x1);
    OK(ns_spec_cwd(spec, "/no/such/directory", &err));
    says(ns_spawn(spec, &process, &err), ENOENT, &err, NS_STEP_CWD, "/no/such/directory");
    OK(ns_spec_unshare(spec, NS_USER | NS_PID, &err));
    OK(ns_spec_mount_proc(spec, "/no/such/place", &err));
    says(ns_spawn(spec, &process, &err), ENOENT, &err, NS_STEP_MOUNT_PROC, "/no/such/place");
    ns_spec_free(spec);
    CHECK(open_descriptors() == before);
}

static void a_descriptor_closed_before_the_spawn_is_named(void)
{
    ns_spec *spec = shell("true");
    ns_process *process;
    ns_error err;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    OK(ns_spec_fd(spec, 700, fd, &err));
    close(fd);
    says(ns_spawn(spec, &process, &err), EBADF, &err, NS_STEP_DESCRIPTOR, "as 700");
    CHECK(err.index == 0);
    ns_spec_free(spec);
}

static void records_grow_by_size(void)
{
    struct { ns_status status; char tail[16]; } longer;
    struct { int32_t exit_code, signal; char guard[8]; } shorter;
    ns_spec *spec = shell("exit 3");
    ns_process *process;
    ns_error err;

    OK(ns_spawn(spec, &process, &err));
    memset(&shorter, 0x55, sizeof shorter);
    OK(ns_process_wait(process, -1, (ns_status *)&shorter, 8, &err));
    CHECK(shorter.exit_code == 3 && shorter.signal == 0 && shorter.guard[0] == 0x55);
    memset(&longer, 0x55, sizeof longer);
    OK(ns_process_wait(process, -1, &longer.status, sizeof longer, &err));
    CHECK(longer.status.exit_code == 3 && longer.tail[0] == 0 && longer.tail[15] == 0);
    says(ns_process_wait(process, -1, &longer.status, 0, &err), EINVAL, &err, NS_STEP_ARGUMENT, "size is 0");
    says(ns_process_signal(process, 15, &err), ESRCH, &err, NS_STEP_SIGNAL, "signal 15");
    ns_process_free(process);
    ns_spec_free(spec);
}

int main(void)
{
    RUN(null_is_named);
    RUN(unknown_values_are_refused);
    RUN(failures_are_told_apart);
    RUN(a_descriptor_closed_before_the_spawn_is_named);
    RUN(records_grow_by_size);
    return 0;
}
