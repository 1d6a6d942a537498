/* Tests the file system view, privileges, the init process, terminals and the sandbox, from C. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static ns_spec *rooted(const char *script)
{
    ns_spec *spec = shell(script);
    OK(ns_spec_map_root(spec, &err));
    return spec;
}

/* Runs a spec until the program ends, and frees it. */
static ns_status ended(ns_spec *spec)
{
    ns_process *process;
    ns_status status;
    OK(ns_spawn(spec, &process, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    ns_process_free(process);
    ns_spec_free(spec);
    return status;
}

static void succeeds(ns_spec *spec)
{
    ns_status status = ended(spec);
    CHECK(status.exit_code == 0);
}

static void a_view_is_built(void)
{
    ns_spec *spec = rooted("test \"$(cat /mnt/text)\" = hello && test ! -e /mnt/none && ! touch /usr/x 2>/dev/null && test -c /mnt/dev/null && "
                           "test -L /mnt/link && test -d /mnt/dir && test -e /mnt/proc/self && ! ls /etc/* >/dev/null 2>&1 && touch /srv/x && "
                           "test ! -s /mnt/passwd");
    int directory = open("/usr", O_PATH | O_CLOEXEC);
    OK(ns_spec_unshare(spec, NS_PID | NS_IPC | NS_NET, &err));
    OK(ns_spec_mount_bind(spec, "/", "/", 0, &err));
    OK(ns_spec_mount_tmpfs(spec, "/mnt", 1 << 20, 0755, 0, &err));
    OK(ns_spec_mount_bind_fd(spec, directory, "/usr", NS_MOUNT_RDONLY, &err));
    OK(ns_spec_mount_bind(spec, "/does/not/exist", "/mnt/none", NS_MOUNT_IF_EXISTS, &err));
    OK(ns_spec_mount_bind(spec, "/etc/passwd", "/mnt/passwd", NS_MOUNT_RDONLY | NS_MOUNT_NOEXEC, &err));
    OK(ns_spec_mount_mask(spec, "/mnt/passwd", &err));
    OK(ns_spec_mount_file(spec, "hello", 5, "/mnt/text", 0644, &err));
    OK(ns_spec_mount_dir(spec, "/mnt/dir", 0700, &err));
    OK(ns_spec_mount_symlink(spec, "/mnt/text", "/mnt/link", &err));
    OK(ns_spec_mount_dev(spec, "/mnt/dev", &err));
    OK(ns_spec_mount_mqueue(spec, "/mnt/mqueue", &err));
    OK(ns_spec_mount_sysfs(spec, "/mnt/sys", &err));
    OK(ns_spec_mount_procfs(spec, "/mnt/proc", "invisible", NS_MOUNT_SUBSET_PID, &err));
    OK(ns_spec_mount_overlay(spec, "/srv", NULL, NULL, "/srv", 0, &err));
    OK(ns_spec_mount_read_only(spec, "/mnt/dir", 0, &err));
    OK(ns_spec_mount_mask(spec, "/etc", &err));
    succeeds(spec);
    close(directory);
    CHECK(access("/srv/x", F_OK) != 0);
}

static void an_overlay_has_several_lower_trees(void)
{
    static const char *const trees[] = {"/etc", "/usr", NULL}, *const none[] = {NULL};
    for (int read_only = 0; read_only < 2; read_only++) {
        ns_spec *spec = rooted("test -e /mnt/passwd && test -d /mnt/bin && mkdir /mnt/nsiso-x 2>/dev/null");
        OK(ns_spec_mount_overlay_trees(spec, trees, NULL, NULL, "/mnt", read_only ? NS_MOUNT_RDONLY : 0, &err));
        CHECK(ended(spec).exit_code == read_only);
    }
    ns_spec *spec = ns_spec_new();
    FAILS(ns_spec_mount_overlay_trees(spec, none, NULL, NULL, "/mnt", 0, &err), EINVAL, "needs a lower tree");
    FAILS(ns_spec_mount_overlay_trees(spec, NULL, NULL, NULL, "/mnt", 0, &err), EINVAL, "lower is NULL");
    ns_spec_free(spec);
}

static void a_part_of_the_view_is_changed(void)
{
    ns_spec *spec = rooted("test $(stat -c %a /mnt) = 711 && ! mkdir /mnt/x 2>/dev/null && mkdir /mnt/sub/x");
    OK(ns_spec_mount_tmpfs(spec, "/mnt", 0, 0700, 0, &err));
    OK(ns_spec_mount_tmpfs(spec, "/mnt/sub", 0, 0755, 0, &err));
    OK(ns_spec_mount_chmod(spec, "/mnt", 0711, &err));
    OK(ns_spec_mount_read_only(spec, "/mnt", NS_MOUNT_NON_RECURSIVE, &err));
    succeeds(spec);
}

static void a_child_is_held(void)
{
    int tell[2], go[2];
    char line[32] = "";
    ns_status status;
    ns_process *process;
    CHECK(pipe(tell) == 0 && pipe(go) == 0 && write(go[1], "", 1) == 1);
    ns_spec *spec = rooted("true");
    OK(ns_spec_sync_fds(spec, tell[1], go[0], &err));
    OK(ns_spawn(spec, &process, &err));
    CHECK(read(tell[0], line, sizeof line - 1) > 0 && atoi(line) == ns_process_pid(process));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    ns_process_free(process);
    /* Nobody reads the pipe: the call must fail with EPIPE, and SIGPIPE must not be raised. */
    close(tell[0]);
    FAILS(ns_spawn(spec, &process, &err), EPIPE, "info descriptor of sync_fds");
    FAILS(ns_spec_sync_fds(spec, -1, go[0], &err), EINVAL, "is not open");
    close(tell[1]), close(go[0]), close(go[1]);
    ns_spec_free(spec);
}

static void privileges_are_given_up(void)
{
    static const char *const none[] = {NULL}, *const some[] = {"chown", "CAP_KILL", NULL};
    static const char *const calls[] = {"mkdir", "mkdirat", NULL};
    const uint32_t cpu = 0;
    ns_spec *spec = rooted("grep -q '^CapBnd:.0000000000000021$' /proc/self/status && test $(ulimit -n) = 66 && test $(nice) = 4 && test $(umask) = 0027 && "
                           "! unshare -U true 2>/dev/null && ! mkdir /tmp/nsiso-c-never 2>/dev/null && test $(cat /proc/self/oom_score_adj) = 400");
    OK(ns_spec_caps(spec, some, &err));
    OK(ns_spec_rlimit(spec, "nofile", 66, 66, &err));
    OK(ns_spec_nice(spec, 4, &err));
    OK(ns_spec_umask(spec, 027, &err));
    OK(ns_spec_oom_score_adj(spec, 400, &err));
    OK(ns_spec_cpus(spec, &cpu, 1, &err));
    OK(ns_spec_personality(spec, 0x40000, &err));
    OK(ns_spec_user_namespaces(spec, 0, &err));
    OK(ns_spec_new_privs(spec, 0, &err));
    OK(ns_spec_securebits(spec, 0, &err));
    OK(ns_spec_seccomp_deny(spec, calls, NS_SECCOMP_FAIL, EROFS, &err));
    succeeds(spec);
    static const char *const resource[] = {"CAP_SYS_RESOURCE", NULL};
    ns_process *process;
    spec = rooted("true");
    OK(ns_spec_caps(spec, resource, &err));
    OK(ns_spec_user_namespaces(spec, 0, &err));
    FAILS(ns_spawn(spec, &process, &err), EINVAL, "CAP_SYS_RESOURCE");
    ns_spec_free(spec);
    spec = rooted("grep -q '^CapEff:.0000000000000000$' /proc/self/status");
    OK(ns_spec_caps(spec, none, &err));
    succeeds(spec);
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    spec = shell("grep -q '^Seccomp_filters:.2$' /proc/self/status");
    OK(ns_spec_seccomp_raw(spec, &allow, 1, &err));
    OK(ns_spec_seccomp(spec, 1, &err));
    succeeds(spec);
    spec = shell("mkdir /tmp/nsiso-c-never");
    OK(ns_spec_seccomp_deny(spec, calls, NS_SECCOMP_KILL, 0, &err));
    CHECK(ended(spec).exit_code == 128 + SIGSYS);
}

static void landlock_restricts(void)
{
    const uint16_t port = 1;
    ns_landlock *rules = ns_landlock_new();
    OK(ns_landlock_path(rules, "/", NS_LANDLOCK_EXECUTE, &err));
    OK(ns_landlock_path(rules, "/dev", NS_LANDLOCK_READ | NS_LANDLOCK_WRITE, &err));
    OK(ns_landlock_bind_tcp(rules, NULL, 0, &err));
    OK(ns_landlock_connect_tcp(rules, &port, 1, &err));
    ns_spec *spec = shell("cat /etc/passwd >/dev/null && ! touch /tmp/nsiso-c-never 2>/dev/null");
    OK(ns_spec_landlock(spec, rules, NS_LANDLOCK_SCOPED | NS_LANDLOCK_BEST_EFFORT, &err));
    FAILS(ns_landlock_path(rules, "/", 0, &err), EINVAL, "no access");
    FAILS(ns_landlock_path(rules, NULL, 1, &err), EINVAL, "path is NULL");
    FAILS(ns_spec_landlock(spec, NULL, NS_LANDLOCK_SCOPED, &err), EINVAL, "rules is NULL");
    FAILS(ns_spec_landlock(spec, rules, 64, &err), EINVAL, "no flags");
    ns_landlock_free(rules);
    ns_landlock_free(NULL);
    succeeds(spec);
}

static void an_init_process_tells_the_status(void)
{
    ns_process *process;
    ns_status status;
    ns_spec *spec = rooted("test $$ = 2 && kill -TERM $$");
    OK(ns_spec_die_with_parent(spec, 1, &err));
    status = ended(spec);
    CHECK(status.signal == SIGTERM && status.usage_known && !status.timed_out);
    spec = rooted("sleep 100 & sleep 100");
    OK(ns_spec_deadline(spec, 100000000, &err));
    status = ended(spec);
    CHECK(status.signal == SIGKILL && status.timed_out);
    /* The caller reaps every child itself. */
    spec = rooted("exit 5");
    OK(ns_spec_init(spec, 1, &err));
    OK(ns_spawn(spec, &process, &err));
    CHECK(waitpid(-1, NULL, __WALL) == ns_process_pid(process));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 5);
    ns_process_free(process);
    ns_spec_free(spec);
}

static void an_init_process_hears_of_the_end_though_the_host_ignores_it(void)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        if (signal_number != SIGALRM)
            signal(signal_number, SIG_IGN);
    /* A wait that hangs would never end. */
    alarm(60);
    ns_spec *spec = rooted("exit 5");
    OK(ns_spec_init(spec, 1, &err));
    CHECK(ended(spec).exit_code == 5);
    spec = shell("exit 6");
    OK(ns_spec_sandbox(spec, &err));
    CHECK(ended(spec).exit_code == 6);
    spec = rooted("exit 7");
    OK(ns_spec_deadline(spec, 20000000000, &err));
    ns_status status = ended(spec);
    CHECK(status.exit_code == 7 && !status.timed_out);
    /* The program ignores the signals that the caller ignores, unless the spec says otherwise. */
    spec = rooted("kill -TERM $$; exit 8");
    OK(ns_spec_init(spec, 1, &err));
    CHECK(ended(spec).exit_code == 8);
    spec = rooted("kill -TERM $$");
    OK(ns_spec_init(spec, 1, &err));
    OK(ns_spec_reset_signals(spec, &err));
    CHECK(ended(spec).signal == SIGTERM);
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        signal(signal_number, SIG_DFL);
    alarm(0);
}

static void a_terminal_is_handed_out(void)
{
    char text[256] = "";
    int pty;
    ssize_t got, all = 0;
    ns_process *process;
    ns_status status;
    ns_spec *spec = rooted("stty size; read word; echo got $word");
    OK(ns_spec_pty(spec, 12, 34, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(pty = ns_process_take_pty(process, &err));
    FAILS(ns_process_take_pty(process, &err), EBADF, "terminal");
    CHECK(write(pty, "it\n", 3) == 3);
    while ((got = read(pty, text + all, sizeof text - 1 - (size_t)all)) > 0)
        all += got;
    close(pty);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(strstr(text, "12 34") && strstr(text, "got it"));
    ns_process_free(process);
    ns_spec_free(spec);
}

static void *sandboxes(void *argument)
{
    for (int n = 0; n < 4; n++) {
        ns_spec *spec = shell("test ! -e /home && test ! -w /usr && echo x > /tmp/x && test $HOME = /tmp && ! unshare -U true 2>/dev/null");
        OK(ns_spec_sandbox(spec, &err));
        succeeds(spec);
    }
    return argument;
}

static void the_sandbox_holds(void)
{
    pthread_t threads[8];
    sandboxes(NULL);
    for (int n = 0; n < 8; n++)
        pthread_create(&threads[n], NULL, sandboxes, NULL);
    for (int n = 0; n < 8; n++)
        pthread_join(threads[n], NULL);
    char script[128], own[64] = "";
    CHECK(readlink("/proc/self/ns/net", own, sizeof own - 1) > 0);
    snprintf(script, sizeof script, "test $(readlink /proc/self/ns/net) = '%s'", own);
    ns_spec *spec = shell(script);
    OK(ns_spec_sandbox(spec, &err));
    OK(ns_spec_share(spec, NS_NET, &err));
    OK(ns_spec_landlock(spec, NULL, 0, &err));
    OK(ns_spec_seccomp(spec, 0, &err));
    succeeds(spec);
}

static void the_sandbox_is_loosened_part_by_part(void)
{
    char place[] = "/tmp/nsiso-c-XXXXXX", made[64];
    ns_process *process;
    CHECK(mkdtemp(place) && chmod(place, 0777) == 0);
    /* Mounts that are writable may be written. */
    ns_spec *spec = shell("echo x > /d/x && echo x > /t/x && ! touch /x 2>/dev/null");
    OK(ns_spec_sandbox(spec, &err));
    OK(ns_spec_mount_bind(spec, place, "/d", 0, &err));
    OK(ns_spec_mount_tmpfs(spec, "/t", 1 << 20, 0777, 0, &err));
    succeeds(spec);
    snprintf(made, sizeof made, "%s/x", place);
    CHECK(unlink(made) == 0 && rmdir(place) == 0);
    spec = shell("test $(uname -n) = sandbox && test $(ulimit -c) = 0 && ! chmod 4755 /tmp 2>/dev/null && chmod 755 /tmp");
    OK(ns_spec_sandbox(spec, &err));
    succeeds(spec);
    spec = shell("test $$ = 1");
    OK(ns_spec_sandbox(spec, &err));
    OK(ns_spec_init(spec, 0, &err));
    succeeds(spec);
    spec = shell("test $$ = 2 && grep -q 'NoNewPrivs:.0' /proc/self/status && unshare -U true");
    OK(ns_spec_sandbox(spec, &err));
    OK(ns_spec_die_with_parent(spec, 0, &err));
    OK(ns_spec_new_privs(spec, 1, &err));
    FAILS(ns_spawn(spec, &process, &err), EINVAL, "need new_privs to be off");
    OK(ns_spec_user_namespaces(spec, 1, &err));
    OK(ns_spec_landlock(spec, NULL, 0, &err));
    OK(ns_spec_seccomp(spec, 0, &err));
    succeeds(spec);
    spec = rooted("true");
    OK(ns_spec_deadline(spec, 1000000000, &err));
    OK(ns_spec_init(spec, 0, &err));
    FAILS(ns_spawn(spec, &process, &err), EINVAL, "deadline needs init, which is off");
    ns_spec_free(spec);
}

static void bad_input_is_refused(void)
{
    static const char *const wrong[] = {"everything", NULL}, *const calls[] = {"no_such_call", NULL}, *const fine[] = {"mkdir", NULL};
    ns_spec *spec = rooted("true");
    ns_process *process;
    int before = open_descriptors();
    FAILS(ns_spec_mount_bind(NULL, "/", "/", 0, &err), EINVAL, "spec is NULL");
    FAILS(ns_spec_mount_bind(spec, NULL, "/", 0, &err), EINVAL, "source is NULL");
    FAILS(ns_spec_mount_bind(spec, "/", "relative", 0, &err), EINVAL, "not absolute");
    FAILS(ns_spec_mount_bind(spec, "/", "/x", 1 << 20, &err), EINVAL, "no flag");
    FAILS(ns_spec_mount_bind_fd(spec, 9999, "/x", 0, &err), EINVAL, "descriptor 9999 is not open");
    FAILS(ns_spec_mount_bind_idmapped(spec, "/", "/x", -1, 0, &err), EINVAL, "descriptor -1 is not open");
    FAILS(ns_spec_mount_file(spec, NULL, 4, "/x", 0644, &err), EINVAL, "data is NULL");
    FAILS(ns_spec_mount_file(spec, "x", (size_t)-1, "/x", 0644, &err), EINVAL, "more than memory can hold");
    FAILS(ns_spec_mount_procfs(spec, "/x", "maybe", 0, &err), EINVAL, "is no hidepid");
    FAILS(ns_spec_mount_mask(spec, "/", &err), EINVAL, "root itself");
    FAILS(ns_spec_mount_dir(spec, "/x", 010000, &err), EINVAL, "permissions");
    FAILS(ns_spec_mount_overlay(spec, "/", "/upper", NULL, "/x", 0, &err), EINVAL, "work is NULL");
    FAILS(ns_spec_caps(spec, wrong, &err), EINVAL, "is no capability");
    FAILS(ns_spec_rlimit(spec, "files", 1, 1, &err), EINVAL, "is no resource limit");
    FAILS(ns_spec_nice(spec, 100, &err), EINVAL, "nice value");
    FAILS(ns_spec_cpus(spec, NULL, 1, &err), EINVAL, "cpus is NULL");
    FAILS(ns_spec_umask(spec, 01000, &err), EINVAL, "is no umask");
    FAILS(ns_spec_deadline(spec, 0, &err), EINVAL, "deadline");
    FAILS(ns_spec_seccomp_deny(spec, calls, NS_SECCOMP_KILL, 0, &err), EINVAL, "no_such_call");
    FAILS(ns_spec_seccomp_deny(spec, fine, 99, 0, &err), EINVAL, "is no action");
    FAILS(ns_spec_seccomp_allow(spec, fine, NS_SECCOMP_FAIL, 0, &err), EINVAL, "is no errno");
    FAILS(ns_spec_seccomp_raw(spec, NULL, 1, &err), EINVAL, "filter is NULL");
    OK(ns_spec_mount_bind(spec, "/does/not/exist", "/mnt", 0, &err));
    FAILS(ns_spawn(spec, &process, &err), ENOENT, "/does/not/exist");
    CHECK(open_descriptors() == before);
    ns_spec_free(spec);
}

int main(void)
{
    RUN(a_view_is_built);
    RUN(an_overlay_has_several_lower_trees);
    RUN(a_part_of_the_view_is_changed);
    RUN(a_child_is_held);
    RUN(privileges_are_given_up);
    RUN(landlock_restricts);
    RUN(an_init_process_tells_the_status);
    RUN(an_init_process_hears_of_the_end_though_the_host_ignores_it);
    RUN(a_terminal_is_handed_out);
    RUN(the_sandbox_holds);
    RUN(the_sandbox_is_loosened_part_by_part);
    RUN(bad_input_is_refused);
    return 0;
}
