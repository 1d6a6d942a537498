/* Tests every option of a spec, from C. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static char out[65536];

static void is(ns_spec *spec, const char *expected)
{
    ns_status status = output(spec, out, sizeof out);
    if (strcmp(out, expected) || status.exit_code != 0) {
        fprintf(stderr, "expected \"%s\", got \"%s\" and code %d\n", expected, out, status.exit_code);
        exit(1);
    }
}

static void the_plain_scenario(void)
{
    ns_spec *spec = shell("id -u; ps -e -o pid=,comm=");
    OK(ns_spec_unshare(spec, NS_USER | NS_PID, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_mount_proc(spec, "/proc", &err));
    output(spec, out, sizeof out);
    CHECK(!strncmp(out, "0\n", 2) && strstr(out, " 1 sh\n") && !strstr(out, "systemd"));
}

static void all_eight_are_new(void)
{
    static const char *names[] = {"user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"};
    ns_spec *spec = shell("cd /proc/self/ns && readlink user pid mnt net ipc uts time cgroup");
    char *line;

    OK(ns_spec_unshare(spec, NS_ALL, &err));
    OK(ns_spec_map_root(spec, &err));
    output(spec, out, sizeof out);
    line = strtok(out, "\n");
    for (int i = 0; i < 8; i++, line = strtok(NULL, "\n")) {
        char path[64], mine[64] = "";
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        CHECK(line && readlink(path, mine, sizeof mine - 1) > 0);
        CHECK(!strncmp(line, names[i], strlen(names[i])) && strcmp(line, mine));
    }
}

static void names_clock_and_ids(void)
{
    ns_spec *spec = shell("hostname; cat /proc/sys/kernel/domainname; test $(cut -d. -f1 /proc/uptime) -gt 900000000"
                          " && id -u && id -g && cat /proc/self/setgroups");
    OK(ns_spec_hostname(spec, "house", &err));
    OK(ns_spec_domainname(spec, "garden", &err));
    OK(ns_spec_boottime(spec, 900000000, 5, &err));
    OK(ns_spec_monotonic(spec, -1, 500000000, &err));
    OK(ns_spec_uid_map(spec, 3000000000u, geteuid(), 1, &err));
    OK(ns_spec_gid_map(spec, 7, getegid(), 1, &err));
    OK(ns_spec_setgroups(spec, 0, &err));
    OK(ns_spec_uid(spec, 3000000000u, &err));
    OK(ns_spec_gid(spec, 7, &err));
    is(spec, "house\ngarden\n3000000000\n7\ndeny\n");
}

static void a_user_and_groups_inside_ranges(void)
{
    const uint32_t groups[] = {9, 10};
    ns_spec *spec = shell("id -u; id -g; id -G");

    if (geteuid() != 0) { /* the hint names the line that is missing in /etc/subuid */
        ns_process *process;
        ns_error err;
        OK(ns_spec_uid_map(spec, 0, 100000, 65536, &err));
        CHECK(ns_spawn(spec, &process, &err) == -EPERM && err.step == NS_STEP_UID_MAP);
        CHECK(strstr(err.hint, ":100000:65536") && strstr(err.hint, "/etc/subuid"));
        ns_spec_free(spec);
        return;
    }
    OK(ns_spec_uid_map(spec, 0, 100000, 1000, &err));
    OK(ns_spec_uid_map(spec, 2000, 200000, 5, &err));
    OK(ns_spec_gid_map(spec, 0, 100000, 1000, &err));
    OK(ns_spec_uid(spec, 2004, &err));
    OK(ns_spec_gid(spec, 8, &err));
    OK(ns_spec_groups(spec, groups, 2, &err));
    is(spec, "2004\n8\n8 9 10\n");
}

static void capabilities_are_kept(void)
{
    ns_spec *spec = shell("grep -q 'CapAmb:.*[1-9a-f]' /proc/self/status && test $(id -u) = $UID_OUTSIDE && echo kept");
    char uid[16];
    snprintf(uid, sizeof uid, "%u", geteuid());
    OK(ns_spec_env_set(spec, "UID_OUTSIDE", uid, &err));
    OK(ns_spec_map_current(spec, &err));
    OK(ns_spec_keep_caps(spec, &err));
    is(spec, "kept\n");
}

static void the_loopback_device_is_up_unless_it_is_not_wanted(void)
{
    for (int up = 0; up < 2; up++) {
        ns_spec *spec = shell("ip -o link show lo | grep -c LOOPBACK,UP; true");
        OK(ns_spec_unshare(spec, NS_NET, &err));
        OK(ns_spec_map_root(spec, &err));
        OK(ns_spec_loopback(spec, up, &err));
        is(spec, up ? "1\n" : "0\n");
    }
}

static void mounts_propagate_as_asked(void)
{
    static const struct {
        int32_t propagation;
        const char *fields;
    } cases[] = {
        {NS_PROPAGATION_PRIVATE, ""},
        {NS_PROPAGATION_SHARED, "shared"},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        ns_spec *spec = shell("awk '$5 == \"/\" { for (i = 7; $i != \"-\"; i++) print $i }' /proc/self/mountinfo |"
                              " cut -d: -f1");
        char line[16];
        snprintf(line, sizeof line, "%s%s", cases[n].fields, *cases[n].fields ? "\n" : "");
        OK(ns_spec_unshare(spec, NS_MNT, &err));
        OK(ns_spec_map_root(spec, &err));
        OK(ns_spec_propagation(spec, cases[n].propagation, &err));
        is(spec, line);
    }
}

static void a_host_with_closed_standard_descriptors(void)
{
    int saved[3], pipe[2];
    ns_process *process;
    ns_status status;
    ns_spec *spec = shell("ls /proc/self/fd | xargs; cat");
    char text[64] = "";

    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        close(fd);
    }
    /* The ends of the pipe itself get the numbers 0 and 1. */
    int made = !pipe2(pipe, O_CLOEXEC) && pipe[0] == 0 && pipe[1] == 1;
    ns_error err;
    int set = ns_spec_fd(spec, 1, pipe[1], &err) | ns_spec_stdio(spec, 0, NS_STDIO_NULL, &err) |
              ns_spec_unshare(spec, NS_USER, &err);
    int spawned = ns_spawn(spec, &process, &err);
    close(pipe[1]);
    ssize_t got = read(pipe[0], text, sizeof text - 1);
    close(pipe[0]);
    for (int fd = 0; fd < 3; fd++) {
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    CHECK(made && !set && !spawned);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    if (got <= 0 || strcmp(text, "0 1 2\n"))
        fprintf(stderr, "got %s", text);
    CHECK(got > 0 && !strcmp(text, "0 1 2\n"));
    ns_process_free(process);
    ns_spec_free(spec);
}

static void environment_and_directory(void)
{
    ns_spec *spec = shell("pwd; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort");
    OK(ns_spec_cwd(spec, "/usr", &err));
    OK(ns_spec_env_clear(spec, &err));
    OK(ns_spec_env_set(spec, "PATH", "/usr/bin:/bin", &err));
    OK(ns_spec_env_set(spec, "B", "2", &err));
    OK(ns_spec_env_set(spec, "C", "3", &err));
    OK(ns_spec_env_unset(spec, "C", &err));
    is(spec, "/usr\nB=2\nPATH=/usr/bin:/bin\n");
}

static void argv0_may_differ_from_the_program(void)
{
    const char *argv[] = {"-name", "-c", "echo $0", NULL};
    ns_spec *spec = ns_spec_new();
    OK(ns_spec_argv(spec, argv, &err));
    OK(ns_spec_program(spec, "/bin/sh", &err));
    is(spec, "-name\n");
}

static void descriptors_are_permuted_and_all_others_closed(void)
{
    int a[2], b[2];
    ns_spec *spec = shell("read x <&8; read y <&9; echo $x $y; ls /proc/self/fd | xargs");
    CHECK(!pipe(a) && !pipe(b));
    CHECK(dup2(a[0], 8) == 8 && dup2(b[0], 9) == 9);
    CHECK(write(a[1], "a\n", 2) == 2 && write(b[1], "b\n", 2) == 2);
    OK(ns_spec_fd(spec, 8, 9, &err));
    OK(ns_spec_fd(spec, 9, 8, &err));
    is(spec, "b a\n0 1 2 3 8 9\n");
    for (int i = 0; i < 2; i++)
        close(a[i]), close(b[i]), close(8 + i);
}

/* The program has its own copy beside it. */
static void a_standard_descriptor_may_be_passed_as_another(void)
{
    char text[64];
    ns_spec *spec = shell("readlink /proc/self/fd/0 >/dev/null && readlink /proc/self/fd/7 >/dev/null && echo both");
    OK(ns_spec_fd(spec, 7, 0, &err));
    CHECK(output(spec, text, sizeof text).exit_code == 0 && !strcmp(text, "both\n"));
}

static void waiting_and_signals(void)
{
    ns_spec *spec = shell("exec sleep 1000");
    ns_process *process;
    ns_status status;
    ns_error err;
    char *json;

    OK(ns_spec_new_session(spec, &err));
    OK(ns_spawn(spec, &process, &err));
    CHECK(getsid(ns_process_pid(process)) == ns_process_pid(process));
    CHECK(ns_process_wait(process, 0, &status, sizeof status, &err) == -ETIMEDOUT);
    CHECK(ns_process_wait(process, 20 * MS, &status, sizeof status, &err) == -ETIMEDOUT);
    CHECK(ns_process_status_to_json(process, &json, &err) == -ETIMEDOUT);
    OK(ns_process_signal(process, SIGTERM, &err));
    struct pollfd ended = {.fd = ns_process_pidfd(process), .events = POLLIN};
    CHECK(poll(&ended, 1, 10000) == 1);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.signal == SIGTERM && status.exit_code == -1 && status.usage_known && status.peak_memory > 0);
    OK(ns_process_status_to_json(process, &json, &err));
    CHECK(strstr(json, "{\"exit_code\":null,\"signal\":15,\"core_dumped\":false,\"timed_out\":false,") == json);
    snprintf(out, sizeof out, "\"peak_memory\":%ju},\"resources\":null}", (uintmax_t)status.peak_memory);
    CHECK(strstr(json, "\"usage\":{\"user_time\":0.") && strstr(json, out));
    ns_string_free(json);
    FAILS(ns_process_status_to_json(process, NULL, &err), EINVAL, "out is NULL");
    FAILS(ns_process_status_to_json(NULL, &json, &err), EINVAL, "process is NULL");
    CHECK(ns_process_take_pipe(process, 1, &err) == -EBADF);
    ns_process_free(process);
    ns_spec_free(spec);
}

static volatile int stop;

static void *busy(void *nothing)
{
    while (!stop) {
        free(malloc(1000));
        close(open("/no/such/file", O_RDONLY));
        close(open("/dev/null", O_RDONLY));
    }
    return nothing;
}

static void *spawn_many(void *spec)
{
    for (int i = 0; i < 25; i++) {
        ns_process *process;
        ns_status status;
        OK(ns_spawn(spec, &process, &err));
        OK(ns_process_wait(process, -1, &status, sizeof status, &err));
        CHECK(status.exit_code == 0);
        ns_process_free(process);
    }
    return NULL;
}

static void eight_threads_share_a_spec_in_a_busy_host(void)
{
    pthread_t idle[16], spawners[8];
    int before = open_descriptors();
    ns_spec *spec = shell("set -- $(ls /proc/self/fd); test $# = 4");

    OK(ns_spec_unshare(spec, NS_USER | NS_PID | NS_MNT, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_mount_proc(spec, "/proc", &err));
    for (int i = 0; i < 16; i++)
        CHECK(!pthread_create(&idle[i], NULL, busy, NULL));
    for (int i = 0; i < 8; i++)
        CHECK(!pthread_create(&spawners[i], NULL, spawn_many, spec));
    for (int i = 0; i < 8; i++)
        CHECK(!pthread_join(spawners[i], NULL));
    stop = 1;
    for (int i = 0; i < 16; i++)
        CHECK(!pthread_join(idle[i], NULL));
    ns_spec_free(spec);
    CHECK(open_descriptors() == before);
}

int main(void)
{
    RUN(the_plain_scenario);
    RUN(all_eight_are_new);
    RUN(names_clock_and_ids);
    RUN(a_user_and_groups_inside_ranges);
    RUN(capabilities_are_kept);
    RUN(the_loopback_device_is_up_unless_it_is_not_wanted);
    RUN(mounts_propagate_as_asked);
    RUN(a_host_with_closed_standard_descriptors);
    RUN(environment_and_directory);
    RUN(argv0_may_differ_from_the_program);
    RUN(descriptors_are_permuted_and_all_others_closed);
    RUN(a_standard_descriptor_may_be_passed_as_another);
    RUN(waiting_and_signals);
    RUN(eight_threads_share_a_spec_in_a_busy_host);
    return 0;
}
