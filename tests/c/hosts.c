/* Tests callers in unusual states: other threads fork, children are killed or reaped by other code,
 * limits are reached, there are capabilities without uid 0, no /proc, closed standard descriptors.
 *
 * Each test runs in a process of its own. That process is the subreaper of everything that it
 * starts, and it must leave no child. NSISO_KILLS sets how many callers are killed (default: 300).
 * With the name of a test as argument, only that test runs. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* Docker's 14 default capabilities. */
#define DOCKER_CAPS 0xa80425fbull
#define NOBODY 65534

static int is_root;
static char own_path[PATH_MAX];

/* ---- shared by the tests ---- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Runs a test in a process of its own, which must succeed and have no child when it ends. */
static void apart(const char *name, void (*test)(void))
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        alarm(120);
        test();
        CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
        fflush(NULL);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status) {
        fprintf(stderr, "%s: status %#x\n", name, status);
        exit(1);
    }
    printf("ok %s\n", name);
}

/* How a spawn is laid out: one process; two processes (new pid namespace); an init process; one or
 * two processes that wait for the caller's answer before set-up; one or two processes whose id maps
 * the parent writes; a process that joins the namespaces of another process. */
enum layout { ONE, TWO, INIT, ASKS, ASKS_TWO, RANGES, RANGES_TWO, JOINS, LAYOUTS };
static const char *const layout_names[] = {"one", "two", "init", "asks", "asks_two", "ranges", "ranges_two", "joins"};

static ns_process *joined; /* a process in new namespaces */
static int go[2] = {-1, -1}, told = -1;

/* Prepares what the layouts need. Call it once in each test. */
static void prepare(void)
{
    const char *argv[] = {"cat", NULL};
    ns_spec *spec = ns_spec_new();

    OK(ns_spec_argv(spec, argv, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_unshare(spec, NS_PID | NS_UTS | NS_MNT | NS_NET, &err));
    OK(ns_spec_stdio(spec, 0, NS_STDIO_PIPE, &err));
    OK(ns_spawn(spec, &joined, &err));
    ns_spec_free(spec);
    CHECK(pipe2(go, O_CLOEXEC) == 0 && write(go[1], "g", 1) == 1);
    CHECK((told = open("/dev/null", O_WRONLY | O_CLOEXEC)) >= 0);
}

static void finish(void)
{
    if (joined) {
        ns_status status;
        ns_error err;
        ns_process_signal(joined, SIGKILL, &err);
        /* Another part of the test may have reaped it. */
        ns_process_wait(joined, -1, &status, sizeof status, &err);
        ns_process_free(joined);
        joined = NULL;
    }
}

static int has(int layout)
{
    return is_root || (layout != RANGES && layout != RANGES_TWO);
}

static ns_spec *in_layout(int layout, const char *const *argv)
{
    ns_spec *spec = ns_spec_new();

    OK(ns_spec_argv(spec, argv, &err));
    if (layout == RANGES || layout == RANGES_TWO) {
        OK(ns_spec_uid_map(spec, 0, 100000, 1000, &err));
        OK(ns_spec_gid_map(spec, 0, 100000, 1000, &err));
    } else if (layout != JOINS) {
        OK(ns_spec_map_root(spec, &err));
    }
    if (layout == TWO || layout == ASKS_TWO || layout == RANGES_TWO || layout == INIT)
        OK(ns_spec_unshare(spec, NS_PID | NS_UTS, &err));
    if (layout == ASKS || layout == ASKS_TWO)
        OK(ns_spec_sync_fds(spec, told, go[0], &err));
    if (layout == INIT)
        OK(ns_spec_die_with_parent(spec, 1, &err));
    if (layout == JOINS)
        OK(ns_spec_join_process(spec, ns_process_pidfd(joined), NS_ALL, &err));
    return spec;
}

static const char *const do_nothing[] = {"true", NULL};
static const char *const sleep_long[] = {"sleep", "30", NULL};

/* Spawns a program and waits for it. Its status may be lost. */
static void spawn_in(int layout, const char *const *argv)
{
    ns_spec *spec = in_layout(layout, argv);
    ns_process *process;
    ns_status status;
    ns_error err;
    double begin = now();
    int waited;

    OK(ns_spawn(spec, &process, &err));
    if (now() - begin >= 10) {
        fprintf(stderr, "layout %s took %f s\n", layout_names[layout], now() - begin);
        exit(1);
    }
    waited = ns_process_wait(process, 20000 * MS, &status, sizeof status, &err);
    CHECK(waited == 0 || waited == -ECHILD);
    CHECK(waited || (status.exit_code == 0 && status.signal == 0));
    ns_process_free(process);
    ns_spec_free(spec);
}

/* Copies the lines of a status file that begin with one of these words. Tabs become blanks. */
static void status_lines(const char *path, const char *words, char *out, size_t size)
{
    char line[512];
    FILE *file = fopen(path, "r");
    size_t len = 0;

    CHECK(file);
    out[0] = 0;
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        char word[32];
        if (!colon || colon - line > 20)
            continue;
        snprintf(word, sizeof word, "%.*s ", (int)(colon - line), line);
        if (strstr(words, word))
            len += (size_t)snprintf(out + len, size - len, "%s", line);
    }
    fclose(file);
}

static unsigned long long status_number(const char *path, const char *word)
{
    char text[512], words[32];
    snprintf(words, sizeof words, "%s ", word);
    status_lines(path, words, text, sizeof text);
    CHECK(strchr(text, ':'));
    return strtoull(strchr(text, ':') + 1, NULL, 16);
}


static atomic_int stop, copies_wrong;
static volatile int written_by_copies;

static void in_copy(void)
{
    struct stat about;
    char line[512];
    FILE *maps;

    /* The copy must stay dumpable, because tools such as strace inspect forked copies too. */
    if (prctl(PR_GET_DUMPABLE) != 1)
        _exit(1);
    if (stat("/proc/self", &about) || about.st_uid != geteuid())
        _exit(2);
    written_by_copies = 1;
    maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "memfd:") && strstr(line, "rw-s")) {
            fputs(line, stderr);
            _exit(3);
        }
    usleep(100000);
    _exit(0);
}

static void *fork_on(void *arg)
{
    int living = 0;

    (void)arg;
    while (!stop) {
        pid_t pid = fork();
        int status;
        if (pid == 0)
            in_copy();
        living += pid > 0;
        /* __WNOTHREAD: waits only for the children of this thread. */
        while (living > 0 && (pid = waitpid(-1, &status, __WNOTHREAD | (living < 60 ? WNOHANG : 0))) > 0) {
            living--;
            if (status)
                copies_wrong = status;
        }
        usleep((useconds_t)(rand() % 1500));
    }
    while (living-- > 0)
        waitpid(-1, NULL, __WNOTHREAD);
    return NULL;
}

static void a_thread_forks(void)
{
    pthread_t thread;
    int rounds = 0;

    prepare();
    CHECK(pthread_create(&thread, NULL, fork_on, NULL) == 0);
    for (int layout = 0; layout < LAYOUTS; layout++) {
        if (!has(layout))
            continue;
        for (double end = now() + 0.7; now() < end; rounds++)
            spawn_in(layout, do_nothing);
    }
    stop = 1;
    pthread_join(thread, NULL);
    if (copies_wrong)
        fprintf(stderr, "a copy of the host ended with status %#x\n", copies_wrong);
    CHECK(!copies_wrong && !written_by_copies && rounds > LAYOUTS);
    finish();
}

/* ---- killed children ---- */

static atomic_int spawning;
static atomic_long kills;
static int spawner;

static int list_children(int pid, int thread, int *pids, int room)
{
    char path[64], text[512];
    int fd, count = 0;
    ssize_t len;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, thread);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    len = read(fd, text, sizeof text - 1);
    close(fd);
    text[len > 0 ? len : 0] = 0;
    for (char *word = strtok(text, " "); word && count < room; word = strtok(NULL, " "))
        pids[count++] = atoi(word);
    return count;
}

static void *kill_on(void *arg)
{
    unsigned seed = 1;
    int last = 0, own = getpid(), spared = *(int *)arg;

    while (!stop) {
        int pids[16], count, round = spawning;
        if (round == last) {
            sched_yield();
            continue;
        }
        last = round;
        double until = now() + (rand_r(&seed) % 2000) / 1e6;
        while (now() < until)
            ;
        count = list_children(own, spawner, pids, 8);
        if (count > 0 && rand_r(&seed) % 4 == 0)
            count += list_children(pids[count - 1], pids[count - 1], pids + count, 4);
        for (int n = count - 1 - (int)(rand_r(&seed) % 2); n >= 0; n--)
            if (pids[n] != spared && spawning == last) {
                kills += kill(pids[n], SIGKILL) == 0;
                break;
            }
    }
    return NULL;
}

static void children_are_killed(void)
{
    int failed = 0, ran = 0, before, spared;
    pthread_t thread;

    prepare();
    spawner = (int)syscall(SYS_gettid);
    spared = ns_process_pid(joined);
    before = open_descriptors();
    CHECK(pthread_create(&thread, NULL, kill_on, &spared) == 0);
    /* On a busy machine it takes more rounds until both outcomes have occurred often. */
    for (int round = 1; round <= 1000 || ((failed <= 50 || ran <= 50) && round <= 100000); round++) {
        int layout = round % LAYOUTS;
        ns_process *process;
        ns_error err;
        double begin;
        ns_spec *spec;

        if (!has(layout))
            continue;
        spec = in_layout(layout, sleep_long);
        begin = now();
        spawning = round;
        if (ns_spawn(spec, &process, &err) == 0) {
            char path[64], comm[32] = "";
            ns_status status;
            int fd;

            snprintf(path, sizeof path, "/proc/%d/comm", ns_process_pid(process));
            /* The kernel renames a process shortly after it wakes the process that waits for the
             * exec. */
            for (double end = now() + 0.2; strcmp(comm, "sleep\n") && now() < end;) {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                memset(comm, 0, sizeof comm);
                CHECK(fd >= 0 && read(fd, comm, sizeof comm - 1) > 0);
                close(fd);
                if (layout == INIT)
                    break;
            }
            /* A process that was killed just before its exec has another name, but must end at
             * once. */
            if (strcmp(comm, "sleep\n") && layout != INIT &&
                ns_process_wait(process, 500 * MS, &status, sizeof status, &err)) {
                char state[256];
                snprintf(path, sizeof path, "/proc/%d/status", ns_process_pid(process));
                status_lines(path, "Name State Threads ShdPnd SigPnd TracerPid ", state, sizeof state);
                fprintf(stderr, "layout %s: %s does not become the program: %s\n%s", layout_names[layout], comm, err.message, state);
                exit(1);
            }
            ns_process_signal(process, SIGKILL, &err); /* it may already be killed and reaped */
            OK(ns_process_wait(process, 5000 * MS, &status, sizeof status, &err));
            CHECK(status.signal == SIGKILL || status.exit_code == 128 + SIGKILL);
            ns_process_free(process);
            ran++;
        } else {
            CHECK(err.message[0]);
            failed++;
        }
        if (now() - begin > 10) {
            fprintf(stderr, "layout %s took %f s: %s (%s)\n", layout_names[layout], now() - begin, err.message, err.hint);
            exit(1);
        }
        ns_spec_free(spec);
        for (int pids[8], count = list_children(getpid(), spawner, pids, 8), n = 0; n < count; n++)
            if (pids[n] != spared) {
                fprintf(stderr, "layout %s leaves child %d\n", layout_names[layout], pids[n]);
                exit(1);
            }
    }
    stop = 1;
    pthread_join(thread, NULL);
    CHECK(open_descriptors() == before);
    printf("   %d ran, %d failed, %ld kills\n", ran, failed, (long)kills);
    CHECK(failed > 50 && ran > 50);
    finish();
}

/* ---- killed callers ---- */

static int may_limit(void)
{
    ns_limits *limits = ns_limits_new();
    ns_spec *spec = shell("true");
    ns_process *process;
    ns_status status;
    ns_error err;
    int done;

    OK(ns_limits_set(limits, NS_LIMIT_PIDS, 20, &err));
    OK(ns_spec_limits(spec, limits, &err));
    done = ns_spawn(spec, &process, &err);
    if (done == 0) {
        OK(ns_process_wait(process, -1, &status, sizeof status, &err));
        ns_process_free(process);
    }
    ns_limits_free(limits);
    ns_spec_free(spec);
    return done == 0;
}

static int count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    int lines = 0, c;
    while (file && (c = fgetc(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

static _Noreturn void be_killed(int kind, int limited)
{
    ns_spec *spec = kind == 0 ? in_layout(INIT, sleep_long) : ns_spec_new();
    ns_limits *limits = ns_limits_new();
    ns_process *process;
    ns_status status;

    if (kind) {
        OK(ns_spec_argv(spec, sleep_long, &err));
        OK(ns_spec_sandbox(spec, &err));
        OK(ns_limits_set(limits, NS_LIMIT_PIDS, 20, &err));
        if (limited)
            OK(ns_spec_limits(spec, limits, &err));
    }
    OK(ns_spawn(spec, &process, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    _exit(3);
}

static void hosts_are_killed(void)
{
    const char *wanted = getenv("NSISO_KILLS");
    int rounds = wanted ? atoi(wanted) : 300, limited = may_limit();
    int mounts = count_lines("/proc/self/mountinfo");

    for (int round = 0; round < rounds; round++) {
        int left = 0;
        double end;
        pid_t pid = fork();
        if (pid == 0)
            be_killed(round % 4 != 0, limited && round % 4 == 3);
        usleep((useconds_t)(rand() % 12000));
        kill(pid, SIGKILL);
        /* Processes that the killed caller leaves become children of this process, and must end. */
        end = now() + 5;
        while (now() < end) {
            pid_t got = waitpid(-1, NULL, __WALL | WNOHANG);
            if ((left = !(got == -1 && errno == ECHILD)) == 0)
                break;
            if (got == 0)
                usleep(300);
        }
        if (left) {
            int pids[8], count = list_children(getpid(), getpid(), pids, 8);
            fprintf(stderr, "round %d: %d processes are left\n", round, count);
            for (int n = 0; n < count; n++) /* they are children of this process */
                kill(pids[n], SIGKILL);
            exit(1);
        }
    }
    CHECK(count_lines("/proc/self/mountinfo") == mounts);
    if (limited) {
        CHECK(may_limit()); /* the next use of limits removes the cgroups of killed callers */
        FILE *found = popen("find /sys/fs/cgroup -maxdepth 6 -type d -name 'nsiso-*' 2>/dev/null", "r");
        char line[PATH_MAX];
        while (found && fgets(line, sizeof line, found)) {
            /* Cgroups are named nsiso-PID.…; if that process is alive, the cgroup belongs to it. */
            char *name = strrchr(line, '/');
            int pid = name ? atoi(name + strlen("/nsiso-")) : 0;
            if (pid > 0 && kill(pid, 0) && errno == ESRCH) {
                usleep(20000);
                if (access(strtok(line, "\n"), F_OK) == 0) {
                    fprintf(stderr, "left: %s\n", line);
                    exit(1);
                }
            }
        }
        pclose(found);
    }
}

/* ---- capabilities ---- */

static unsigned long long caps_of(const char *word)
{
    return status_number("/proc/thread-self/status", word);
}

static void set_caps(unsigned long long permitted)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    for (int half = 0; half < 2; half++)
        data[half] = (struct __user_cap_data_struct){
            .effective = (unsigned)(permitted >> 32 * half), .permitted = (unsigned)(permitted >> 32 * half)};
    CHECK(syscall(SYS_capset, &header, data) == 0);
}

#define CREDENTIALS "Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs "
static const char *const show_status[] = {"cat", "/proc/self/status", NULL};

/* Gets the credentials of a program that was started by fork and exec. */
static void by_exec(char *out, size_t size)
{
    char name[] = "/tmp/nsiso-hosts-XXXXXX", path[64];
    int fd = mkstemp(name), status;
    pid_t pid;

    CHECK(fd >= 0);
    if ((pid = fork()) == 0) {
        dup2(fd, 1);
        execvp("cat", (char *const *)(uintptr_t)show_status);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    status_lines(name, CREDENTIALS, out, size);
    unlink(name);
    close(fd);
}

/* Gets the credentials of a program that was started with this spec, and frees the spec. */
static void by_spawn(ns_spec *spec, char *out, size_t size)
{
    char name[] = "/tmp/nsiso-hosts-XXXXXX";
    int fd = mkstemp(name);
    ns_process *process;
    ns_status status;

    CHECK(fd >= 0);
    OK(ns_spec_argv(spec, show_status, &err));
    OK(ns_spec_fd(spec, 1, fd, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 0 && status.signal == 0);
    ns_process_free(process);
    ns_spec_free(spec);
    status_lines(name, CREDENTIALS, out, size);
    unlink(name);
    close(fd);
}

static unsigned long long number_in(const char *text, const char *word)
{
    const char *line = strstr(text, word);
    CHECK(line);
    return strtoull(line + strlen(word) + 1, NULL, 16);
}

static void same_as_by_exec(uint64_t kinds)
{
    char expected[1024], got[1024], before[1024], after[1024];
    ns_spec *spec = ns_spec_new();

    status_lines("/proc/thread-self/status", CREDENTIALS, before, sizeof before);
    by_exec(expected, sizeof expected);
    if (kinds)
        OK(ns_spec_unshare(spec, kinds, &err));
    by_spawn(spec, got, sizeof got);
    if (strcmp(expected, got)) {
        fprintf(stderr, "by exec:\n%sby spawn:\n%s", expected, got);
        exit(1);
    }
    status_lines("/proc/thread-self/status", CREDENTIALS, after, sizeof after);
    CHECK(strcmp(before, after) == 0);
}

/* Checks that the helper has no more capabilities than the caller while it waits for the parent. */
static void the_helper_has_no_more(unsigned long long permitted, uint64_t kinds)
{
    int tell[2], answer[2], status, pid;
    char text[32] = "", path[64];
    pid_t other;

    CHECK(pipe2(tell, O_CLOEXEC) == 0 && pipe2(answer, O_CLOEXEC) == 0);
    if ((other = fork()) == 0) {
        ns_spec *spec = ns_spec_new();
        ns_process *process;
        ns_status ended;
        OK(ns_spec_argv(spec, do_nothing, &err));
        OK(ns_spec_unshare(spec, kinds, &err));
        OK(ns_spec_sync_fds(spec, tell[1], answer[0], &err));
        OK(ns_spawn(spec, &process, &err));
        OK(ns_process_wait(process, -1, &ended, sizeof ended, &err));
        _exit(ended.exit_code);
    }
    CHECK(read(tell[0], text, sizeof text - 1) > 0);
    pid = atoi(text);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    CHECK((status_number(path, "CapPrm") & ~permitted) == 0);
    CHECK((status_number(path, "CapEff") & ~permitted) == 0);
    CHECK(status_number(path, "CapAmb") == 0 && status_number(path, "CapInh") == 0);
    CHECK(write(answer[1], "g", 1) == 1);
    CHECK(waitpid(other, &status, 0) == other && status == 0);
    for (int n = 0; n < 2; n++)
        close(tell[n]), close(answer[n]);
}

static const unsigned long long SOME_CAPS = 1ull << CAP_SYS_ADMIN | 1ull << CAP_SETUID | 1ull << CAP_SETGID |
                                            1ull << CAP_NET_ADMIN | 1ull << CAP_SETPCAP;

/* The caller has capabilities as a file gives them: permitted and effective, not inheritable. */
static void capabilities_without_uid_0(void)
{
    const char *const net_admin[] = {"net_admin", NULL};
    char got[1024];
    ns_spec *spec;

    if (caps_of("CapPrm") == 0) { /* started without file capabilities: only root can set them */
        if (!is_root)
            return;
    }
    if (is_root) {
        CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
        CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
        set_caps(SOME_CAPS);
    }
    unsigned long long own = caps_of("CapPrm");
    CHECK(geteuid() && own && caps_of("CapInh") == 0 && caps_of("CapAmb") == 0);
    for (int round = 0; round < 20; round++) {
        same_as_by_exec(0);
        same_as_by_exec(NS_NET);
        same_as_by_exec(NS_NET | NS_UTS | NS_PID);
        the_helper_has_no_more(own, NS_NET);
        the_helper_has_no_more(own, NS_NET | NS_PID);
    }
    for (int two = 0; two < 2; two++) {
        uint64_t kinds = NS_NET | (two ? NS_PID : 0);
        spec = ns_spec_new();
        OK(ns_spec_unshare(spec, kinds, &err));
        OK(ns_spec_keep_caps(spec, &err));
        by_spawn(spec, got, sizeof got);
        CHECK(number_in(got, "CapPrm") == own && number_in(got, "CapEff") == own);
        CHECK(number_in(got, "CapAmb") == own);
        spec = ns_spec_new();
        OK(ns_spec_unshare(spec, kinds, &err));
        OK(ns_spec_caps(spec, net_admin, &err));
        int bounded = own >> CAP_SETPCAP & 1;
        if (!bounded)
            OK(ns_spec_new_privs(spec, 0, &err));
        by_spawn(spec, got, sizeof got);
        CHECK(number_in(got, "CapPrm") == 1ull << CAP_NET_ADMIN);
        CHECK(!bounded || number_in(got, "CapBnd") == 1ull << CAP_NET_ADMIN);
    }
    /* Exec still passes capabilities outside the bounding set on, as ambient capabilities. */
    if (is_root) {
        CHECK(prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0) == 0);
        set_caps(own & ~(1ull << CAP_SETPCAP));
        same_as_by_exec(NS_UTS);
        same_as_by_exec(NS_UTS | NS_PID);
    }
    /* Capabilities that the caller cannot use are not passed on. */
    set_caps(0);
    same_as_by_exec(0);
}

static void uid_0_with_fewer_capabilities(void)
{
    if (!is_root)
        return;
    set_caps(SOME_CAPS);
    for (int round = 0; round < 20; round++) {
        same_as_by_exec(NS_NET);
        same_as_by_exec(NS_NET | NS_PID);
        the_helper_has_no_more(SOME_CAPS, NS_NET);
        the_helper_has_no_more(SOME_CAPS, NS_NET | NS_PID);
    }
    /* SECBIT_NOROOT: exec no longer gives capabilities to uid 0. */
    CHECK(prctl(PR_SET_SECUREBITS, 1 << 0) == 0);
    same_as_by_exec(0);
    same_as_by_exec(NS_NET);
    same_as_by_exec(NS_NET | NS_PID);
    the_helper_has_no_more(SOME_CAPS, NS_NET);
    set_caps(0);
    same_as_by_exec(0);
}

static int setgroups_none(void)
{
    return (int)syscall(SYS_setgroups, 0, NULL);
}

static void real_and_effective_uids_differ(void)
{
    static const uid_t uids[][3] = {{NOBODY, 0, 0}, {0, NOBODY, 0}, {NOBODY, 0, NOBODY}, {0, 64400, 64400}, {NOBODY, 64400, 64400}, {0, 64400, NOBODY}};

    if (!is_root)
        return;
    for (size_t n = 0; n < sizeof uids / sizeof *uids; n++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            const uid_t *uid = uids[n];
            CHECK(setgroups_none() == 0);
            CHECK(setresgid(uid[0], uid[1], uid[2]) == 0 && setresuid(uid[0], uid[1], uid[2]) == 0);
            for (int round = 0; round < 10; round++) {
                same_as_by_exec(0);
                if (uid[1] == 0) {
                    same_as_by_exec(NS_NET);
                    same_as_by_exec(NS_NET | NS_PID);
                }
            }
            for (int layout = ONE; layout <= ASKS_TWO; layout++) {
                if (layout == ASKS)
                    CHECK(pipe2(go, O_CLOEXEC) == 0 && write(go[1], "g", 1) == 1 && (told = open("/dev/null", O_WRONLY | O_CLOEXEC)) >= 0);
                spawn_in(layout, do_nothing);
            }
            _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        if (status)
            fprintf(stderr, "with uids %d %d %d\n", (int)uids[n][0], (int)uids[n][1], (int)uids[n][2]);
        CHECK(status == 0);
    }
}

/* ---- resource limits ---- */

static atomic_int too_large;

static void on_too_large(int number)
{
    (void)number;
    too_large = 1;
}

static void file_size_limit(void)
{
    struct rlimit limit = {0, RLIM_INFINITY};
    ns_process *process;

    signal(SIGXFSZ, on_too_large);
    prepare();
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (int round = 0; round < 50; round++)
        for (int layout = 0; layout < LAYOUTS; layout++) {
            ns_spec *spec = in_layout(layout, do_nothing);
            ns_error failure;
            FAILS(ns_spawn(spec, &process, &err), EFBIG, "File too large");
            ns_spawn(spec, &process, &failure);
            CHECK(strstr(failure.hint, "RLIMIT_FSIZE"));
            ns_spec_free(spec);
        }
    CHECK(!too_large);
    signal(SIGXFSZ, SIG_DFL);
    for (limit.rlim_cur = 1; limit.rlim_cur < 1 << 20; limit.rlim_cur *= 4) {
        ns_spec *spec = in_layout(TWO, do_nothing);
        ns_error failure;
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        if (ns_spawn(spec, &process, &failure) < 0) {
            CHECK(strstr(failure.hint, "RLIMIT_FSIZE"));
        } else {
            ns_status status;
            OK(ns_process_wait(process, -1, &status, sizeof status, &err));
            ns_process_free(process);
        }
        ns_spec_free(spec);
    }
    for (int layout = 0; layout < LAYOUTS; layout++)
        if (has(layout))
            spawn_in(layout, do_nothing);
    finish();
}

static void descriptor_limit(void)
{
    struct rlimit limit;

    prepare();
    getrlimit(RLIMIT_NOFILE, &limit);
    int next = dup(0), opened = open_descriptors();
    close(next);
    for (int layout = 0; layout < LAYOUTS; layout++) {
        int worked = 0;
        for (int free = 0; free < 14; free++) {
            ns_spec *spec;
            ns_process *process;
            ns_status status;
            ns_error failure;
            int done;
            struct rlimit few = {(rlim_t)(next + free), limit.rlim_max};

            if (!has(layout))
                continue;
            spec = in_layout(layout, do_nothing);
            CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
            done = ns_spawn(spec, &process, &failure);
            if (done == 0) {
                OK(ns_process_wait(process, -1, &status, sizeof status, &err));
                CHECK(status.exit_code == 0 && status.signal == 0);
                ns_process_free(process);
                worked = free;
            } else if (done != -EMFILE || !strstr(failure.hint, "RLIMIT_NOFILE")) {
                fprintf(stderr, "%s with %d free: %d %s (%s)\n", layout_names[layout], free, done, failure.message, failure.hint);
                exit(1);
            }
            CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
            CHECK(open_descriptors() == opened - 1);
            ns_spec_free(spec);
        }
        CHECK(worked || !has(layout));
    }
    finish();
}

static void process_limit(void)
{
    struct rlimit limit = {2, 2};
    uid_t uid = (uid_t)(64500 + getpid() % 400);
    ns_process *process;

    if (!is_root) /* RLIMIT_NPROC counts all processes of the user, so another user is needed */
        return;
    CHECK(setgroups_none() == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
    prctl(PR_SET_DUMPABLE, 1);
    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    for (int round = 0; round < 20; round++) {
        ns_spec *spec = in_layout(TWO, do_nothing);
        ns_error failure;
        spawn_in(ONE, do_nothing);
        CHECK(ns_spawn(spec, &process, &failure) == -EAGAIN && strstr(failure.hint, "RLIMIT_NPROC"));
        ns_spec_free(spec);
        spec = in_layout(INIT, do_nothing);
        CHECK(ns_spawn(spec, &process, &failure) == -EAGAIN && strstr(failure.hint, "RLIMIT_NPROC"));
        ns_spec_free(spec);
        CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
    }
}

static void large_environment(void)
{
    size_t size = 100000;
    char *value = malloc(size), name[32];
    char out[64];

    memset(value, 'x', size - 1);
    value[size - 1] = 0;
    for (int n = 0; n < 10; n++) {
        snprintf(name, sizeof name, "LARGE_%d", n);
        CHECK(setenv(name, value, 1) == 0);
    }
    prepare();
    for (int round = 0; round < 10; round++)
        for (int layout = 0; layout < LAYOUTS; layout++) {
            const char *argv[] = {"sh", "-c", "echo ${#LARGE_0} ${#LARGE_9}", NULL};
            ns_status status;
            if (!has(layout))
                continue;
            status = output(in_layout(layout, argv), out, sizeof out);
            CHECK(status.exit_code == 0 && strcmp(out, "99999 99999\n") == 0);
        }
    finish();
}

/* ---- callers that get no exit status ---- */

static void *reap_on(void *arg)
{
    (void)arg;
    while (!stop)
        if (waitpid(-1, NULL, __WALL) < 0)
            sched_yield();
    return NULL;
}

static void in_all_layouts(int rounds)
{
    for (int round = 0; round < rounds; round++)
        for (int layout = 0; layout < LAYOUTS; layout++)
            if (has(layout))
                spawn_in(layout, do_nothing);
}

/* A missing program must be reported as ENOENT even where the exit status is lost. */
static void missing_programs(int rounds)
{
    static const char *const missing[] = {"/nonexistent/program", NULL};
    for (int round = 0; round < rounds; round++)
        for (int layout = 0; layout < LAYOUTS; layout++) {
            ns_process *process;
            ns_spec *spec;
            if (!has(layout))
                continue;
            spec = in_layout(layout, missing);
            FAILS(ns_spawn(spec, &process, &err), ENOENT, "/nonexistent/program");
            ns_spec_free(spec);
        }
}

static void sigchld_is_ignored(void)
{
    prepare();
    signal(SIGCHLD, SIG_IGN);
    in_all_layouts(40);
    missing_programs(20);
    finish();
}

static void another_thread_reaps(void)
{
    pthread_t thread;
    pid_t last;

    prepare();
    CHECK(pthread_create(&thread, NULL, reap_on, NULL) == 0);
    in_all_layouts(40);
    missing_programs(20);
    stop = 1;
    finish();
    if ((last = fork()) == 0)
        _exit(0);
    pthread_join(thread, NULL);
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
}

/* ---- no /proc ---- */

static void own_mounts(void)
{
    if (!is_root) {
        uid_t uid = geteuid();
        gid_t gid = getegid();
        char text[64];
        int fd;
        CHECK(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
        CHECK((fd = open("/proc/self/setgroups", O_WRONLY)) >= 0 && write(fd, "deny", 4) == 4);
        close(fd);
        CHECK((fd = open("/proc/self/uid_map", O_WRONLY)) >= 0);
        CHECK(write(fd, text, (size_t)snprintf(text, sizeof text, "0 %u 1", uid)) > 0);
        close(fd);
        CHECK((fd = open("/proc/self/gid_map", O_WRONLY)) >= 0);
        CHECK(write(fd, text, (size_t)snprintf(text, sizeof text, "0 %u 1", gid)) > 0);
        close(fd);
    } else {
        CHECK(unshare(CLONE_NEWNS) == 0);
    }
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void plain(uint64_t kinds, uint64_t init)
{
    ns_spec *spec = shell("exit 7");
    ns_process *process;
    ns_status status;

    OK(ns_spec_unshare(spec, kinds, &err));
    if (init)
        OK(ns_spec_die_with_parent(spec, 1, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 7);
    ns_process_free(process);
    ns_spec_free(spec);
}

static void fails_for_proc(ns_spec *spec)
{
    ns_process *process;
    ns_error failure;
    int done = ns_spawn(spec, &process, &failure);
    if (done >= 0 || (!strstr(failure.hint, "/proc") && !strstr(failure.hint, "a chroot"))) {
        fprintf(stderr, "%d: %s (%s)\n", done, failure.message, failure.hint);
        exit(1);
    }
    ns_spec_free(spec);
}

static void without_proc(void)
{
    ns_spec *spec;
    /* In a chroot the kernel refuses to create user namespaces, and the hint says so. */

    for (int round = 0; round < 20; round++) {
        plain(NS_UTS, 0);
        plain(NS_UTS | NS_PID, 0);
        plain(NS_UTS | NS_PID, 1);
        spec = shell("true");
        OK(ns_spec_boottime(spec, 1000, 0, &err));
        fails_for_proc(spec);
        spec = shell("true");
        OK(ns_spec_map_root(spec, &err));
        fails_for_proc(spec);
        spec = shell("true");
        OK(ns_spec_map_root(spec, &err));
        OK(ns_spec_unshare(spec, NS_PID, &err));
        fails_for_proc(spec);
    }
}

static void a_host_without_proc(void)
{
    own_mounts();
    CHECK(umount2("/proc", MNT_DETACH) == 0 || mount("none", "/proc", "tmpfs", 0, NULL) == 0);
    without_proc();
}

static void a_host_in_a_chroot(void)
{
    static const char *const shared[] = {"/usr", "/bin", "/lib", "/lib64"};
    char directory[] = "/tmp/nsiso-hosts-XXXXXX", path[PATH_MAX], link[PATH_MAX];

    CHECK(mkdtemp(directory));
    own_mounts();
    CHECK(mount("none", directory, "tmpfs", 0, NULL) == 0);
    for (size_t n = 0; n < sizeof shared / sizeof *shared; n++) {
        ssize_t len = readlink(shared[n], link, sizeof link - 1);
        snprintf(path, sizeof path, "%s%s", directory, shared[n]);
        if (len > 0) {
            link[len] = 0;
            CHECK(symlink(link, path) == 0);
        } else if (access(shared[n], F_OK) == 0) {
            CHECK(mkdir(path, 0755) == 0 && mount(shared[n], path, NULL, MS_BIND | MS_REC, NULL) == 0);
        }
    }
    CHECK(chroot(directory) == 0 && chdir("/") == 0);
    without_proc();
}

/* ---- standard descriptors ---- */

/* Runs in the program: writes a mask of the open descriptors to descriptor 9. */
static int show_descriptors(void)
{
    unsigned long long open = 0;
    char text[32];
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            open |= 1ull << fd;
    int len = snprintf(text, sizeof text, "%llx", open);
    return write(9, text, (size_t)len) == len ? 0 : 1;
}

static unsigned long long descriptors_of(int layout, int pipes)
{
    const char *argv[] = {own_path, "show_descriptors", NULL};
    char text[32] = "";
    int ends[2];
    ns_spec *spec = in_layout(layout, argv);
    ns_process *process;
    ns_status status;

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    OK(ns_spec_fd(spec, 9, ends[1], &err));
    for (int fd = 0; fd < 3; fd++)
        if (pipes >> fd & 1)
            OK(ns_spec_stdio(spec, fd, NS_STDIO_PIPE, &err));
    OK(ns_spawn(spec, &process, &err));
    close(ends[1]);
    CHECK(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 0 && status.signal == 0);
    ns_process_free(process);
    ns_spec_free(spec);
    return strtoull(text, NULL, 16);
}

static void closed_standard_descriptors(void)
{
    prepare();
    for (unsigned closed = 0; closed < 8; closed++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            int said = fcntl(2, F_DUPFD_CLOEXEC, 20);
            for (int fd = 0; fd < 3; fd++)
                if (closed >> fd & 1)
                    close(fd);
            for (int layout = 0; layout < JOINS; layout++)
                for (int pipes = 0; pipes < 8 && has(layout); pipes++) {
                    unsigned long long expected = (7 & ~closed) | (unsigned)pipes | 1 << 9;
                    unsigned long long got = descriptors_of(layout, pipes);
                    if (got != expected) {
                        dprintf(said, "%s, closed %x, pipes %x: %llx are open\n", layout_names[layout], closed, (unsigned)pipes, got);
                        _exit(1);
                    }
                }
            _exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    finish();
}

/* ---- large plans ---- */

static void large_plans(void)
{
    enum { FILES = 4500, BINDS = 500, SIZE = 1 << 20 };
    char *content = malloc(SIZE), target[64], out[64];
    ns_spec *spec = shell("ls /tmp/f | wc -l; wc -c < /tmp/f/4499; ls /tmp/b | wc -l; wc -c < /tmp/b/499");
    ns_status status;

    memset(content, 'x', SIZE);
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_mount_tmpfs(spec, "/tmp", 0, 0755, 0, &err));
    for (int n = 0; n < FILES; n++) {
        snprintf(target, sizeof target, "/tmp/f/%d", n);
        OK(ns_spec_mount_file(spec, content, n == FILES - 1 ? SIZE : 200, target, 0644, &err));
    }
    for (int n = 0; n < BINDS; n++) {
        snprintf(target, sizeof target, "/tmp/b/%d", n);
        OK(ns_spec_mount_bind(spec, "/usr/bin/env", target, NS_MOUNT_RDONLY, &err));
    }
    status = output(spec, out, sizeof out);
    if (status.exit_code || strncmp(out, "4500\n1048576\n500\n", 17) || atoi(out + 17) < 1000) {
        fprintf(stderr, "%d: %s\n", status.exit_code, out);
        exit(1);
    }
    free(content);
}

/* ---- a container whose root traces the processes that join it ---- */

static volatile struct results {
    long seized, looked_at, sockets, forged;
    int victim; /* the pid to report to the caller as its child, or 0 */
    char trouble[512];
} *results;

static int is_the_programs(const char *link)
{
    static const char *const opened_by_it[] = {"/dev/null", "/etc/ld.so", "/usr/lib", "/lib"};
    for (size_t n = 0; n < sizeof opened_by_it / sizeof *opened_by_it; n++)
        if (!strncmp(link, opened_by_it[n], strlen(opened_by_it[n])))
            return 1;
    return 0;
}

static void look_at(int pid, unsigned long long own)
{
    char path[64], text[1024], link[256];
    struct dirent *entry;
    DIR *listing;
    FILE *status;
    static const char *const sets[] = {"CapPrm", "CapEff", "CapInh", "CapAmb"};

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    if (!(status = fopen(path, "r")))
        return;
    size_t len = fread(text, 1, sizeof text - 1, status), size = len;
    while (size && len < sizeof text - 1) {
        size = fread(text + len, 1, sizeof text - 1 - len, status);
        len += size;
    }
    text[len] = 0;
    fclose(status);
    for (size_t n = 0; n < sizeof sets / sizeof *sets; n++) {
        char *line = strstr(text, sets[n]);
        if (line && (strtoull(line + strlen(sets[n]) + 1, NULL, 16) & ~own))
            snprintf((char *)(uintptr_t)results->trouble, sizeof results->trouble, "%s: %.40s", sets[n], line);
    }
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    if (!(listing = opendir(path)))
        return;
    while ((entry = readdir(listing))) {
        ssize_t got;
        if (entry->d_name[0] == '.' || (got = readlinkat(dirfd(listing), entry->d_name, link, sizeof link - 1)) < 0)
            continue;
        link[got] = 0;
        if (!strncmp(link, "socket:", 7))
            results->sockets++;
        else if (!is_the_programs(link))
            snprintf((char *)(uintptr_t)results->trouble, sizeof results->trouble, "fd %s: %.200s", entry->d_name, link);
    }
    closedir(listing);
    results->looked_at++;
}

/* Forges the page of results that the helper and its child share with the caller. */
static void forge(int pid)
{
    const struct {
        int progress, number, child, settled;
    } said = {2, EPERM, results->victim, 1};
    char path[64], line[512];
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    if (!(maps = fopen(path, "r")))
        return;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "rw-s") && strstr(line, "memfd:")) {
            snprintf(path, sizeof path, "/proc/%d/mem", pid);
            int fd = open(path, O_RDWR | O_CLOEXEC);
            /* The kernel writes the first word, so it is skipped. */
            if (fd >= 0 && pwrite(fd, &said, sizeof said, (off_t)strtoull(line, NULL, 16) + 4) == sizeof said)
                results->forged++;
            close(fd);
            break;
        }
    fclose(maps);
}

/* Runs as PID 1 of the container and seizes every new process. */
static _Noreturn void seize(void)
{
    unsigned long long own = status_number("/proc/self/status", "CapPrm");
    int newest = open("/proc/sys/kernel/ns_last_pid", O_RDONLY | O_CLOEXEC), last = 1;

    for (;;) {
        char text[32] = "";
        if (pread(newest, text, sizeof text - 1, 0) <= 0)
            _exit(1);
        for (int pid = last; pid <= atoi(text) + 1; pid++) {
            if (pid < 2 || ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL))
                continue;
            results->seized++;
            ptrace(PTRACE_INTERRUPT, pid, 0, 0);
            int status;
            if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
                look_at(pid, own);
                if (results->victim)
                    forge(pid);
                ptrace(PTRACE_DETACH, pid, 0, 0);
            }
            last = pid + 1;
        }
        while (waitpid(-1, NULL, __WALL | WNOHANG) > 0)
            ;
    }
}

static int seen_enough(int victim, int failed)
{
    return results->looked_at > 20 && (!victim || (results->forged > 20 && failed > 20));
}

static void trace_what_joins(int victim)
{
    static const char *const names[] = {"chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
                                        "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap", NULL};
    unsigned long long caps = DOCKER_CAPS | 1ull << CAP_SYS_PTRACE;
    char marker[] = "/tmp/nsiso-hosts-XXXXXX", byte;
    int ready[2], spawned = 0, failed = 0, status, pidfd;
    pid_t pid;

    results = mmap(NULL, sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(results != MAP_FAILED && pipe2(ready, O_CLOEXEC) == 0);
    results->victim = victim;
    if ((pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0)) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
        CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
        for (int n = 0; n < 64 && prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0; n++)
            if (!(caps >> n & 1))
                CHECK(prctl(PR_CAPBSET_DROP, n, 0, 0, 0) == 0);
        set_caps(caps);
        prctl(PR_SET_DUMPABLE, 1);
        CHECK(write(ready[1], "r", 1) == 1);
        for (int fd = 3; fd < 100; fd++)
            close(fd);
        seize();
    }
    CHECK(pid > 0 && read(ready[0], &byte, 1) == 1);
    CHECK((pidfd = ns_pidfd(pid, 0, NULL)) >= 0);
    /* A file that no container may get, with close-on-exec and without. */
    int secret = mkstemp(marker);
    CHECK(secret >= 0 && dup2(secret, 50) == 50 && fcntl(secret, F_DUPFD_CLOEXEC, 60) >= 60);
    unlink(marker);
    for (double begin = now(); now() - begin < (victim ? 1 : 3) || (now() - begin < 60 && !seen_enough(victim, failed));) {
        static const char *const argv[] = {"true", NULL};
        ns_spec *spec = ns_spec_new();
        ns_process *process;
        ns_status ended;
        ns_error failure;
        OK(ns_spec_argv(spec, argv, &err));
        OK(ns_spec_join_process(spec, pidfd, NS_ALL, &err));
        OK(ns_spec_caps(spec, names, &err));
        for (int fd = 0; fd < 3; fd++)
            OK(ns_spec_stdio(spec, fd, NS_STDIO_NULL, &err));
        if (ns_spawn(spec, &process, &failure) == 0) {
            OK(ns_process_wait(process, -1, &ended, sizeof ended, &err));
            ns_process_free(process);
            spawned++;
        } else {
            failed++;
        }
        ns_spec_free(spec);
    }
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("   %d ran, %d failed, %ld seized, %ld looked at, %ld had sockets\n", spawned, failed, results->seized, results->looked_at, results->sockets);
    if (results->trouble[0])
        fprintf(stderr, "won: %s\n", (char *)(uintptr_t)results->trouble);
    CHECK(!results->trouble[0] && seen_enough(victim, failed));
}

static void a_container_traces_what_joins_it(void)
{
    if (is_root)
        trace_what_joins(0);
}

/* A process that joins has the caller's page of results mapped until it executes the program. */
static void a_container_names_another_process_as_the_child(void)
{
    int ends[2], named[2], victim, status;
    char byte;
    pid_t parent;

    if (!is_root)
        return;
    CHECK(pipe2(ends, O_CLOEXEC) == 0 && pipe2(named, O_CLOEXEC) == 0);
    if ((parent = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if ((victim = fork()) == 0) {
            close(ends[1]);
            _exit(read(ends[0], &byte, 1) == 0 ? 7 : 1);
        }
        close(ends[1]);
        CHECK(write(named[1], &victim, sizeof victim) == sizeof victim);
        CHECK(waitpid(victim, &status, 0) == victim);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    CHECK(read(named[0], &victim, sizeof victim) == sizeof victim);
    trace_what_joins(victim);
    close(ends[1]);
    CHECK(waitpid(parent, &status, 0) == parent);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* ---- list of the tests ---- */

#define TEST(name) {#name, name}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*test)(void);
    } tests[] = {
        TEST(a_thread_forks),
        TEST(children_are_killed),
        TEST(hosts_are_killed),
        TEST(capabilities_without_uid_0),
        TEST(uid_0_with_fewer_capabilities),
        TEST(real_and_effective_uids_differ),
        TEST(a_container_traces_what_joins_it),
        TEST(a_container_names_another_process_as_the_child),
        TEST(file_size_limit),
        TEST(descriptor_limit),
        TEST(process_limit),
        TEST(large_environment),
        TEST(sigchld_is_ignored),
        TEST(another_thread_reaps),
        TEST(a_host_without_proc),
        TEST(a_host_in_a_chroot),
        TEST(closed_standard_descriptors),
        TEST(large_plans),
    };

    is_root = geteuid() == 0;
    if (argc > 1 && !strcmp(argv[1], "show_descriptors"))
        return show_descriptors();
    CHECK(readlink("/proc/self/exe", own_path, sizeof own_path - 1) > 0);
    for (size_t n = 0; n < sizeof tests / sizeof *tests; n++)
        if (argc < 2 || !strcmp(argv[1], tests[n].name)) {
            double begin = now();
            apart(tests[n].name, tests[n].test);
            if (argc > 1 || getenv("NSISO_TIMES"))
                printf("   %.2f s\n", now() - begin);
        }
    return 0;
}
