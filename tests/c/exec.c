/* Tests ns_exec: the calling process becomes the program, or it gets an error and is unchanged. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The output of a process that became a program, and its status as wait(2) returns it. */
struct ended {
    char out[8192], err[8192];
    int pid, status;
};

/* Runs `body` in a child whose descriptors 1 and 2 are pipes. */
static struct ended in_child(void body(void))
{
    struct ended ended = {0};
    int out[2], err[2];
    CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    fflush(NULL);
    CHECK((ended.pid = fork()) >= 0);
    if (ended.pid == 0) {
        dup2(out[1], 1);
        dup2(err[1], 2);
        body();
        exit(0);
    }
    close(out[1]);
    close(err[1]);
    struct pollfd ends[] = {{.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}};
    size_t length[2] = {0, 0};
    char *texts[] = {ended.out, ended.err};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        CHECK(poll(ends, 2, 60000) > 0);
        for (int i = 0; i < 2; i++) {
            if (!ends[i].revents)
                continue;
            ssize_t got = read(ends[i].fd, texts[i] + length[i], sizeof ended.out - 1 - length[i]);
            if (got > 0)
                length[i] += (size_t)got;
            else
                ends[i].fd = -1;
        }
    }
    close(out[0]);
    close(err[0]);
    CHECK(waitpid(ended.pid, &ended.status, 0) == ended.pid);
    return ended;
}

static void prints(void body(void), const char *expected)
{
    struct ended ended = in_child(body);
    if (strcmp(ended.out, expected) || *ended.err || ended.status) {
        fprintf(stderr, "expected \"%s\", got \"%s\", \"%s\" and status %#x\n", expected, ended.out, ended.err, ended.status);
        exit(1);
    }
}

/* Checks that the child exits with `code` and writes the caller's name, `first` and `second` to
 * descriptor 2. */
static void fails_late(void body(void), int code, const char *first, const char *second)
{
    struct ended ended = in_child(body);
    if (!WIFEXITED(ended.status) || WEXITSTATUS(ended.status) != code || strncmp(ended.err, "exec: ", 6) ||
        !strstr(ended.err, first) || !strstr(ended.err, second) || *ended.out) {
        fprintf(stderr, "expected %d and \"%s\", got \"%s\", \"%s\" and status %#x\n", code, first, ended.out, ended.err, ended.status);
        exit(1);
    }
}

static void succeeds(void body(void))
{
    prints(body, "");
}

static _Noreturn void become(ns_spec *spec)
{
    ns_error err;
    ns_exec(spec, &err);
    fprintf(stderr, "%s (%s)\n", err.message, err.hint);
    exit(99);
}

static char self[4096];

/* Returns a spec that runs this file again, to report what it inherited. */
static ns_spec *look_at(const char *what)
{
    const char *argv[] = {"exec", what, NULL};
    ns_spec *spec = ns_spec_new();
    OK(ns_spec_argv(spec, argv, &err));
    OK(ns_spec_program(spec, self, &err));
    return spec;
}

static void pid_and_parent(void)
{
    char line[128];
    snprintf(line, sizeof line, "test $$ = %d && test $PPID = %d && echo same", (int)getpid(), (int)getppid());
    become(shell(line));
}

static void the_pid_stays(void)
{
    prints(pid_and_parent, "same\n");
}

static void all_new(void)
{
    /* The shell starts a child, because the first child is PID 1 of the new pid namespace. */
    ns_spec *spec = shell("sh -c 'hostname; id -u; echo child $$; for kind in user mnt net ipc uts time cgroup pid; do"
                          " test $(readlink /proc/self/ns/$kind) != \"$(eval echo \\$$kind)\" || echo old $kind; done'; :");
    static const char *names[] = {"user", "mnt", "net", "ipc", "uts", "time", "cgroup", "pid"};
    for (int i = 0; i < 8; i++) {
        char path[64], link[64] = "";
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        CHECK(readlink(path, link, sizeof link - 1) > 0);
        OK(ns_spec_env_set(spec, names[i], link, &err));
    }
    OK(ns_spec_unshare(spec, NS_ALL, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_hostname(spec, "other", &err));
    OK(ns_spec_boottime(spec, 1000, 0, &err));
    become(spec);
}

static void kinds_are_new(void)
{
    prints(all_new, "other\n0\nchild 1\n");
}

static int target_pidfd;

static void joined(void)
{
    ns_spec *spec = shell("hostname; id -u; sh -c 'test $$ -lt 10 && echo child'; :");
    OK(ns_spec_join_process(spec, target_pidfd, NS_USER | NS_UTS | NS_PID | NS_NET, &err));
    become(spec);
}

static void kinds_are_joined(void)
{
    ns_process *target;
    ns_status status;
    ns_spec *spec = shell("echo; exec cat");
    char byte;
    int in, out;
    OK(ns_spec_unshare(spec, NS_USER | NS_UTS | NS_PID | NS_NET, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_hostname(spec, "there", &err));
    OK(ns_spec_stdio(spec, 0, NS_STDIO_PIPE, &err));
    OK(ns_spec_stdio(spec, 1, NS_STDIO_PIPE, &err));
    OK(ns_spawn(spec, &target, &err));
    OK(in = ns_process_take_pipe(target, 0, &err));
    OK(out = ns_process_take_pipe(target, 1, &err));
    CHECK(read(out, &byte, 1) == 1);
    target_pidfd = ns_process_pidfd(target);
    prints(joined, "there\n0\nchild\n");
    close(in);
    close(out);
    OK(ns_process_wait(target, -1, &status, sizeof status, &err));
    ns_process_free(target);
    ns_spec_free(spec);
}

/* The state of a process that a failed ns_exec() must not change. */
struct state {
    int descriptors, flags[2], capabilities[6];
    sigset_t mask;
};

static void capabilities(int sets[6])
{
    int header[2] = {0x20080522, 0};
    CHECK(syscall(SYS_capget, header, sets) == 0);
}

static struct state state(int fd)
{
    struct state now = {.descriptors = open_descriptors()};
    now.flags[0] = fcntl(fd, F_GETFD);
    now.flags[1] = fcntl(1, F_GETFD);
    capabilities(now.capabilities);
    sigemptyset(&now.mask);
    sigprocmask(SIG_SETMASK, NULL, &now.mask);
    return now;
}

static void same_state(struct state before, int fd)
{
    struct state now = state(fd);
    CHECK(now.descriptors == before.descriptors && !memcmp(now.flags, before.flags, sizeof now.flags));
    CHECK(!memcmp(now.capabilities, before.capabilities, sizeof now.capabilities));
    for (int number = 1; number < 65; number++)
        CHECK(sigismember(&now.mask, number) == sigismember(&before.mask, number));
    /* There is no child either. */
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void refused(ns_spec *spec, int number, const char *words, const char *hint)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ns_error err;
    OK(ns_spec_fd(spec, 7, fd, &err));
    struct state before = state(fd);
    int result = ns_exec(spec, &err);
    if (result != -number || !strstr(err.message, words) || !strstr(err.hint, hint)) {
        fprintf(stderr, "expected \"%s\" and \"%s\", got %d, %s (%s)\n", words, hint, result, err.message, err.hint);
        exit(1);
    }
    same_state(before, fd);
    close(fd);
    ns_spec_free(spec);
}

static void options_that_take_a_parent(void)
{
    const char *calls[] = {"mount", NULL};
    int one = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t some;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR2);
    sigprocmask(SIG_BLOCK, &some, NULL);
    for (int option = 0; option < 9; option++) {
        static const char *words[] = {"init process", "init process", "init process", "pipe", "terminal", "filter",
                                      "waiting", "fresh proc", "uplink"};
        ns_spec *spec = shell("echo not to be seen");
        OK(ns_spec_map_root(spec, &err));
        switch (option) {
        case 0: OK(ns_spec_init(spec, 1, &err)); break;
        case 1: OK(ns_spec_sandbox(spec, &err)); break;
        case 2: OK(ns_spec_deadline(spec, 1000000000, &err)); break;
        case 3: OK(ns_spec_stdio(spec, 1, NS_STDIO_PIPE, &err)); break;
        case 4: OK(ns_spec_pty(spec, 24, 80, &err)); break;
        case 5: OK(ns_spec_new_privs(spec, 0, &err)); OK(ns_spec_seccomp_notify(spec, calls, &err)); break;
        case 6: OK(ns_spec_sync_fds(spec, one, one, &err)); break;
        case 7: OK(ns_spec_unshare(spec, NS_PID, &err)); OK(ns_spec_mount_proc(spec, "/proc", &err)); break;
        case 8: OK(ns_spec_uplink(spec, NULL, NULL, 0, NULL, 0, &err)); break;
        }
        refused(spec, EINVAL, words[option], "spawn");
    }
    FAILS(ns_exec(NULL, &err), EINVAL, "spec");
}

static void what_takes_a_parent_is_refused(void)
{
    succeeds(options_that_take_a_parent);
}

static void filter_calls(struct sock_filter *code, unsigned short length)
{
    struct sock_fprog program = {length, code};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Installs a filter with which the kernel refuses every exec. */
static void forbid_exec(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter_calls(code, sizeof code / sizeof *code);
}

static volatile sig_atomic_t children_ended;

static void count(int number)
{
    (void)number;
    children_ended++;
}

static void exec_is_forbidden(void)
{
    forbid_exec();
    signal(SIGCHLD, count);
    ns_spec *spec = shell("echo not to be seen");
    OK(ns_spec_unshare(spec, NS_USER | NS_MNT, &err));
    OK(ns_spec_map_root(spec, &err));
    refused(spec, EPERM, "helper", "may not be executed");
    /* The child that would write the maps has ended, and no SIGCHLD handler has run for it. */
    spec = shell("echo not to be seen");
    OK(ns_spec_uid_map(spec, 0, geteuid(), 1, &err));
    OK(ns_spec_uid_map(spec, 1, 100000, 10, &err));
    OK(ns_spec_gid_map(spec, 0, getegid(), 1, &err));
    OK(ns_spec_gid_map(spec, 1, 100000, 10, &err));
    refused(spec, EPERM, "helper", "may not be executed");
    CHECK(children_ended == 0);
}

static void a_refused_exec_leaves_the_process_as_it_was(void)
{
    succeeds(exec_is_forbidden);
}

/* A filter refuses only execveat(2), so the helper must be executed by its path. */
static void execveat_is_forbidden(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter_calls(code, sizeof code / sizeof *code);
    become(shell("echo here"));
}

static void a_filter_may_refuse_execveat(void)
{
    prints(execveat_is_forbidden, "here\n");
}

static void *from_another_thread(void *spec)
{
    become(spec);
}

static void *sleep_for_ever(void *nothing)
{
    while (1)
        pause();
    return nothing;
}

static void with_threads(void)
{
    pthread_t thread;
    char line[128];
    for (int i = 0; i < 8; i++)
        CHECK(!pthread_create(&thread, NULL, sleep_for_ever, NULL));
    snprintf(line, sizeof line, "test $$ = %d && hostname && ls /proc/$$/task | wc -l", (int)getpid());
    ns_spec *spec = shell(line);
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_hostname(spec, "alone", &err));
    CHECK(!pthread_create(&thread, NULL, from_another_thread, spec));
    pthread_join(thread, NULL);
}

static void other_threads_end(void)
{
    prints(with_threads, "alone\n1\n");
}

static ns_spec *with_ranges(void)
{
    ns_spec *spec = look_at("ranges");
    OK(ns_spec_uid_map(spec, 0, geteuid(), 1, &err));
    OK(ns_spec_uid_map(spec, 1, 100000, 10, &err));
    OK(ns_spec_gid_map(spec, 0, getegid(), 1, &err));
    OK(ns_spec_gid_map(spec, 1, 100000, 10, &err));
    return spec;
}

static void ranges(void)
{
    become(with_ranges());
}

static void ranges_as_subreaper(void)
{
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    become(with_ranges());
}

static void ranges_with_threads(void)
{
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, sleep_for_ever, NULL));
    refused(with_ranges(), EINVAL, "one thread", "spawn");
}

static void ranges_are_mapped_and_no_child_is_left(void)
{
    succeeds(ranges_with_threads);
    if (geteuid() == 0) {
        prints(ranges, "2 lines, no child\n");
        prints(ranges_as_subreaper, "2 lines, no child\n");
    } else {
        fails_late(ranges, 126, "gid_map of the child: Operation not permitted (EPERM)\n", "/etc/subgid");
    }
}

static void pinned_nowhere(void)
{
    ns_spec *spec = shell("echo not to be seen");
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_pin(spec, NS_NET, "/does/not/exist/net", &err));
    become(spec);
}

static void what_the_child_cannot_do_is_told_once(void)
{
    struct ended ended = in_child(pinned_nowhere);
    CHECK(WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 126 && !*ended.out);
    CHECK(!strncmp(ended.err, "exec: ", 6) && strstr(ended.err, "/does/not/exist/net") && strstr(ended.err, "(E"));
    CHECK(!strstr(ended.err, "ESRCH"));
}

static char place[] = "/tmp/nsiso-exec-XXXXXX";

/* Enters user and mount namespaces of its own, as root there. */
static void enter_namespaces(void)
{
    char map[64];
    int uid = (int)geteuid(), gid = (int)getegid();
    CHECK(unshare((uid ? CLONE_NEWUSER : 0) | CLONE_NEWNS) == 0);
    if (uid) {
        const char *files[] = {"setgroups", "uid_map", "gid_map"};
        for (int i = 0; i < 3; i++) {
            char path[64];
            snprintf(path, sizeof path, "/proc/self/%s", files[i]);
            snprintf(map, sizeof map, "0 %d 1", i == 1 ? uid : gid);
            int fd = open(path, O_WRONLY);
            const char *text = i ? map : "deny";
            CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
            close(fd);
        }
    }
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void pinned(void)
{
    char path[64], line[256];
    enter_namespaces();
    CHECK(mount("tmpfs", place, "tmpfs", 0, NULL) == 0);
    snprintf(path, sizeof path, "%s/net", place);
    snprintf(line, sizeof line, "test $(stat -Lc %%i %s) = $(stat -Lc %%i /proc/self/ns/net) && echo kept", path);
    ns_spec *spec = shell(line);
    OK(ns_spec_pin(spec, NS_NET, path, &err));
    become(spec);
}

static void namespaces_are_pinned(void)
{
    prints(pinned, "kept\n");
}

static ns_spec *missing;

static void not_found(void)
{
    become(missing);
}

static ns_spec *argv_of(const char *program)
{
    const char *argv[] = {program, NULL};
    ns_spec *spec = ns_spec_new();
    OK(ns_spec_argv(spec, argv, &err));
    return spec;
}

static void late_failures_name_object_and_cause(void)
{
    missing = argv_of("/does/not/exist");
    fails_late(not_found, 127, "execute /does/not/exist", "No such file or directory (ENOENT)\n");
    missing = argv_of("nsiso-has-no-such-program");
    OK(ns_spec_env_set(missing, "PATH", "/usr/bin:/bin", &err));
    fails_late(not_found, 127, "execute nsiso-has-no-such-program", "ENOENT");
    missing = argv_of("/etc/passwd");
    fails_late(not_found, 126, "execute /etc/passwd", "Permission denied (EACCES)\n");
    missing = shell("true");
    OK(ns_spec_cwd(missing, "/does/not/exist", &err));
    fails_late(not_found, 126, "enter working directory /does/not/exist", "ENOENT");
    missing = shell("true");
    OK(ns_spec_map_root(missing, &err));
    OK(ns_spec_uid(missing, 77, &err));
    fails_late(not_found, 126, "become uid 77", "Invalid argument (EINVAL)\n");
}

static void no_interpreter(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/script", place);
    FILE *script = fopen(path, "w");
    CHECK(script && fputs("#!/no/such/interpreter\n", script) >= 0 && fclose(script) == 0 && chmod(path, 0755) == 0);
    refused(argv_of(path), ENOENT, "/no/such/interpreter", "install");
}

static void a_missing_interpreter_is_told_before(void)
{
    succeeds(no_interpreter);
}

static void with_signals(void)
{
    sigset_t some;
    signal(SIGHUP, SIG_IGN);
    /* A shell ignores these two signals in the jobs that it runs in the background. */
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGUSR1, count);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigprocmask(SIG_BLOCK, &some, NULL);
    become(look_at("signals"));
}

static void signals_are_as_after_execve(void)
{
    prints(with_signals, "SigBlk:\t0\nSigIgn:\t1\nSigCgt:\t0\n");
}

static int file_with(const char *text)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(write(fd, text, strlen(text)) > 0 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void with_descriptors(void)
{
    int left = file_with("left "), right = file_with("right "), input = file_with("input ");
    CHECK(dup2(input, 0) == 0);
    ns_spec *spec = shell("cat; cat <&3; cat <&4; ls /proc/$$/fd; :");
    /* Each descriptor is passed at the number that the other one has. */
    CHECK(dup3(right, 40, O_CLOEXEC) == 40 && dup3(left, 41, O_CLOEXEC) == 41);
    close(left), close(right), close(input);
    CHECK(dup3(40, 4, O_CLOEXEC) == 4 && dup3(41, 3, O_CLOEXEC) == 3);
    CHECK(dup2(40, 50) == 50); /* it has no close-on-exec and is not passed */
    OK(ns_spec_fd(spec, 3, 4, &err));
    OK(ns_spec_fd(spec, 4, 3, &err));
    become(spec);
}

static void descriptors_are_inherited_passed_and_closed(void)
{
    prints(with_descriptors, "input right left 0\n1\n2\n3\n4\n");
}

/* Runs in the program that look_at() starts: reports what it inherited. */
static int report(const char *what)
{
    char line[256];
    int lines = 0;
    if (!strcmp(what, "signals")) {
        FILE *status = fopen("/proc/self/status", "r");
        while (status && fgets(line, sizeof line, status))
            /* make ignores signals 32 and 33, so mask them out. */
            if (!strncmp(line, "Sig", 3) && line[3] != 'Q' && line[3] != 'P')
                printf("%.6s:\t%llx\n", line, strtoull(line + 7, NULL, 16) & 0x7fffffff);
        return 0;
    }
    FILE *map = fopen("/proc/self/uid_map", "r");
    while (map && fgets(line, sizeof line, map))
        lines++;
    errno = 0;
    int child = waitpid(-1, NULL, WNOHANG | __WALL);
    printf("%d lines, %s\n", lines, child == -1 && errno == ECHILD ? "no child" : "a child");
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc > 1)
        return report(argv[1]);
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    CHECK(mkdtemp(place));
    RUN(the_pid_stays);
    RUN(kinds_are_new);
    RUN(kinds_are_joined);
    RUN(what_takes_a_parent_is_refused);
    RUN(a_refused_exec_leaves_the_process_as_it_was);
    RUN(a_filter_may_refuse_execveat);
    RUN(other_threads_end);
    RUN(ranges_are_mapped_and_no_child_is_left);
    RUN(what_the_child_cannot_do_is_told_once);
    RUN(namespaces_are_pinned);
    RUN(late_failures_name_object_and_cause);
    RUN(a_missing_interpreter_is_told_before);
    RUN(signals_are_as_after_execve);
    RUN(descriptors_are_inherited_passed_and_closed);
    char line[64];
    snprintf(line, sizeof line, "rm -r %s", place);
    return system(line);
}
