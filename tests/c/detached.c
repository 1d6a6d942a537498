/* Tests processes that are freed while they run: later calls reap them and remove their cgroups. */
#include "check.h"

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* Returns whether /proc shows the process, running or as a zombie. */
static int is_there(int pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", pid);
    return access(path, F_OK) == 0;
}

static char prefix[32];
static int groups_found;

static int count_group(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about;
    groups_found += type == FTW_D && strncmp(path + where->base, prefix, strlen(prefix)) == 0;
    return 0;
}

/* Counts the existing cgroups that this process has created. */
static int groups(void)
{
    snprintf(prefix, sizeof prefix, "nsiso-%d.", getpid());
    groups_found = 0;
    nftw("/sys/fs/cgroup", count_group, 16, FTW_PHYS);
    return groups_found;
}

static void with_group(ns_spec *spec)
{
    ns_limits *limits = ns_limits_new();
    OK(ns_limits_set(limits, NS_LIMIT_PIDS, 50, &err));
    OK(ns_spec_limits(spec, limits, &err));
    ns_limits_free(limits);
}

/* Starts a program and frees its handle. Returns its pid, and in *pidfd a copy of its pidfd. */
static int detached(ns_spec *spec, int *pidfd)
{
    ns_process *process;
    OK(ns_spawn(spec, &process, &err));
    int pid = ns_process_pid(process);
    CHECK((*pidfd = dup(ns_process_pidfd(process))) >= 0);
    ns_process_free(process);
    ns_spec_free(spec);
    return pid;
}

static void until_ended(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    CHECK(poll(&ended, 1, 10000) == 1);
    close(pidfd);
}

static void run_another(void)
{
    char text[8];
    CHECK(output(shell("exit 3"), text, sizeof text).exit_code == 3);
}

static void a_detached_process_runs_on_and_is_reaped_by_a_later_call(void)
{
    int before = open_descriptors(), pidfd;
    int pid = detached(shell("exec sleep 1000"), &pidfd);
    run_another();
    CHECK(is_there(pid) && kill(pid, SIGKILL) == 0);
    until_ended(pidfd);
    CHECK(is_there(pid));
    run_another();
    CHECK(!is_there(pid));
    CHECK(open_descriptors() == before);
}

static void many_frees_keep_nothing(void)
{
    int before = open_descriptors(), pidfds[20], pids[20];
    for (int i = 0; i < 20; i++)
        pids[i] = detached(shell(i % 2 ? "exit 0" : "sleep 0.2"), &pidfds[i]);
    for (int i = 0; i < 20; i++)
        until_ended(pidfds[i]);
    ns_process_free(NULL);
    run_another();
    for (int i = 0; i < 20; i++)
        CHECK(!is_there(pids[i]));
    CHECK(open_descriptors() == before);
}

static void its_group_goes_with_it(void)
{
    int pidfd;
    ns_spec *spec = shell("sleep 1000 & sleep 1000");
    with_group(spec);
    int pid = detached(spec, &pidfd);
    CHECK(groups() > 0);
    run_another();
    CHECK(is_there(pid) && groups() > 0 && kill(pid, SIGKILL) == 0);
    until_ended(pidfd);
    run_another();
    CHECK(!is_there(pid));
    CHECK(groups() == 0);
}

/* Calls the library in a forked copy of this process. */
static void run_another_in_a_copy(void)
{
    int status, copy = fork();
    if (copy == 0) {
        run_another();
        _exit(0);
    }
    CHECK(waitpid(copy, &status, 0) == copy && status == 0);
}

static void a_copy_of_the_host_neither_reaps_nor_removes(int limited)
{
    int pidfd;
    ns_spec *spec = shell("exec sleep 1000");
    if (limited)
        with_group(spec);
    int pid = detached(spec, &pidfd), made = groups();
    run_another_in_a_copy();
    CHECK(is_there(pid) && groups() == made);
    CHECK(kill(pid, SIGKILL) == 0);
    until_ended(pidfd);
    run_another_in_a_copy();
    CHECK(is_there(pid) && groups() == made);
    run_another();
    CHECK(!is_there(pid) && groups() == 0);
}

static void a_copy_of_the_host_may_free_its_copy_of_a_handle(void)
{
    ns_process *process;
    ns_status status;
    int copied, copy;
    ns_spec *spec = shell("exit 5");
    OK(ns_spawn(spec, &process, &err));
    struct pollfd ended = {.fd = ns_process_pidfd(process), .events = POLLIN};
    CHECK(poll(&ended, 1, 10000) == 1);
    if ((copy = fork()) == 0) {
        ns_process_free(process);
        run_another();
        _exit(0);
    }
    CHECK(waitpid(copy, &copied, 0) == copy && copied == 0);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 5);
    ns_process_free(process);
    ns_spec_free(spec);
}

static void other_parts_of_the_host_may_reap_it(void)
{
    int pidfd, pid = detached(shell("sleep 0.1"), &pidfd);
    CHECK(waitpid(pid, NULL, 0) == pid);
    int before = open_descriptors();
    run_another();
    /* The library has closed its own pidfd. */
    CHECK(open_descriptors() == before - 1);
    close(pidfd);
}

static int may_have_groups(void)
{
    ns_process *process;
    ns_error err;
    ns_spec *spec = shell("exit 0");
    with_group(spec);
    int spawned = ns_spawn(spec, &process, &err);
    ns_spec_free(spec);
    if (spawned < 0) {
        CHECK(geteuid() != 0);
        printf("skipped: groups: %s\n", err.message);
        return 0;
    }
    ns_status status;
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    ns_process_free(process);
    return 1;
}

int main(void)
{
    int limited = may_have_groups();
    RUN(a_detached_process_runs_on_and_is_reaped_by_a_later_call);
    RUN(many_frees_keep_nothing);
    if (limited)
        RUN(its_group_goes_with_it);
    a_copy_of_the_host_neither_reaps_nor_removes(limited);
    printf("ok a_copy_of_the_host_neither_reaps_nor_removes\n");
    RUN(a_copy_of_the_host_may_free_its_copy_of_a_handle);
    RUN(other_parts_of_the_host_may_reap_it);
    return 0;
}
