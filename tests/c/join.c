/* Tests existing namespaces from C: opened, described, joined, entered, called into and kept. Bad
 * input is refused. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { THREADS = 64 };

struct target {
    ns_process *process;
    int pid, pidfd, input;
};

/* Starts a cat in new namespaces. It ends when its input ends. */
static struct target start(uint64_t kinds)
{
    struct target target;
    ns_spec *spec = shell("echo; exec cat");
    char byte;
    OK(ns_spec_unshare(spec, kinds, &err));
    if (kinds & NS_USER)
        OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_stdio(spec, 0, NS_STDIO_PIPE, &err));
    OK(ns_spec_stdio(spec, 1, NS_STDIO_PIPE, &err));
    OK(ns_spawn(spec, &target.process, &err));
    ns_spec_free(spec);
    OK(target.input = ns_process_take_pipe(target.process, 0, &err));
    int out;
    OK(out = ns_process_take_pipe(target.process, 1, &err));
    CHECK(read(out, &byte, 1) == 1);
    close(out);
    target.pid = ns_process_pid(target.process);
    target.pidfd = ns_process_pidfd(target.process);
    return target;
}

static void end(struct target target)
{
    ns_status status;
    close(target.input);
    OK(ns_process_wait(target.process, -1, &status, sizeof status, &err));
    ns_process_free(target.process);
}

static uint64_t inode(int fd)
{
    ns_identity identity;
    OK(ns_identify(fd, &identity, sizeof identity, &err));
    return identity.inode;
}

static uint64_t own(uint64_t kind)
{
    int fd;
    OK(fd = ns_open_pid(0, kind, &err));
    uint64_t number = inode(fd);
    close(fd);
    return number;
}

static void namespaces_are_opened_and_described(void)
{
    struct target target = start(NS_USER | NS_PID | NS_NET);
    char path[64];
    int net, user, again, other;
    ns_identity identity;

    OK(net = ns_open_process(target.pidfd, NS_NET, &err));
    CHECK(fcntl(net, F_GETFD) == FD_CLOEXEC);
    OK(ns_identify(net, &identity, sizeof identity, &err));
    CHECK(identity.kind == NS_NET && identity.owner_uid == -1);
    snprintf(path, sizeof path, "/proc/%d/ns/net", target.pid);
    OK(again = ns_open(path, &err));
    CHECK(inode(again) == identity.inode);
    OK(user = ns_open_owner(net, &err));
    OK(ns_identify(user, &identity, sizeof identity, &err));
    CHECK(identity.kind == NS_USER && identity.owner_uid == geteuid());
    OK(other = ns_open_parent(user, &err));
    CHECK(inode(other) == own(NS_USER));
    close(other);
    OK(other = ns_open_for_children(target.pidfd, NS_PID, &err));
    close(other);
    FAILS(ns_open_parent(net, &err), ENOENT, "the parent of net:[");
    int here = socket(AF_UNIX, SOCK_STREAM, 0);
    if (geteuid() == 0) {
        OK(other = ns_open_socket(here, &err));
        CHECK(inode(other) == own(NS_NET));
        close(other);
    } else {
        FAILS(ns_open_socket(here, &err), EPERM, "the network namespace of descriptor");
    }
    close(here), close(net), close(user), close(again);
    end(target);
}

static void a_program_joins(void)
{
    struct target target = start(NS_USER | NS_PID | NS_NET | NS_UTS);
    int before = open_descriptors(), net, user;
    char text[128];

    OK(net = ns_open_pid(target.pid, NS_NET, &err));
    OK(user = ns_open_pid(target.pid, NS_USER, &err));
    ns_spec *spec = shell("readlink /proc/self/ns/net; id -u");
    OK(ns_spec_join(spec, net, &err));
    OK(ns_spec_join(spec, user, &err));
    CHECK(output(spec, text, sizeof text).exit_code == 0);
    CHECK(strtoull(strchr(text, '[') + 1, NULL, 10) == inode(net) && strstr(text, "]\n0\n"));
    spec = shell("id -u; echo $PPID; exit 3");
    OK(ns_spec_join_process(spec, target.pidfd, NS_ALL, &err));
    OK(ns_spec_unshare(spec, NS_MNT, &err));
    CHECK(output(spec, text, sizeof text).exit_code == 3);
    CHECK(strcmp(text, "0\n0\n") == 0);
    close(net), close(user);
    CHECK(open_descriptors() == before);
    end(target);
}

static volatile int stop;

static void *busy(void *unused)
{
    while (!stop)
        free(malloc(100));
    return unused;
}

static void many_threads_and_much_memory_do_not_matter(void)
{
    struct target target = start(NS_ALL & ~NS_TIME);
    pthread_t threads[THREADS];
    size_t size = 512u << 20;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[64];
    CHECK(memory != MAP_FAILED);
    memset(memory, 1, size);
    for (int n = 0; n < THREADS; n++)
        CHECK(pthread_create(&threads[n], NULL, busy, NULL) == 0);
    for (int n = 0; n < 20; n++) {
        ns_spec *spec = shell("id -u; echo $PPID");
        OK(ns_spec_join_process(spec, target.pidfd, NS_ALL, &err));
        CHECK(output(spec, text, sizeof text).exit_code == 0);
        CHECK(strcmp(text, "0\n0\n") == 0);
    }
    stop = 1;
    for (int n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    munmap(memory, size);
    /* Joining changed the child's uid. That must not make this process undumpable, which would
     * close its own /proc files to it. */
    int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
    end(target);
}

static void *socket_here(void *domain)
{
    return (void *)(intptr_t)socket(*(int *)domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void *leaves(void *entered)
{
    FAILS(ns_leave(entered, &err), EINVAL, "it alone can leave");
    return NULL;
}

static void a_thread_enters_and_a_function_is_called(void)
{
    struct target target = start(NS_NET | NS_UTS | NS_MNT);
    int fds[2], domain = AF_INET, net;
    uint64_t before = own(NS_NET);
    ns_entered *entered;
    void *result;
    pthread_t thread;

    OK(fds[0] = ns_open_process(target.pidfd, NS_NET, &err));
    OK(fds[1] = ns_open_process(target.pidfd, NS_UTS, &err));
    OK(ns_enter(fds, 2, &entered, &err));
    CHECK(own(NS_NET) == inode(fds[0]) && own(NS_UTS) == inode(fds[1]));
    CHECK(pthread_create(&thread, NULL, leaves, entered) == 0);
    pthread_join(thread, NULL);
    OK(ns_leave(entered, &err));
    CHECK(own(NS_NET) == before);
    OK(ns_call(fds, 2, socket_here, &domain, &result, &err));
    OK(net = ns_open_socket((int)(intptr_t)result, &err));
    CHECK(inode(net) == inode(fds[0]) && own(NS_NET) == before);
    close(net), close((int)(intptr_t)result);

    char path[64];
    snprintf(path, sizeof path, "/tmp/nsiso-c-pin-%d", getpid());
    OK(ns_pin(fds[0], path, &err));
    FAILS(ns_pin(fds[0], path, &err), EEXIST, path);
    ns_spec *spec = shell("true");
    FAILS(ns_spec_pin(spec, NS_NET | NS_UTS, path, &err), EINVAL, "more kinds than one");
    OK(ns_spec_pin(spec, NS_NET, path, &err));
    ns_process *process;
    FAILS(ns_spawn(spec, &process, &err), EEXIST, path);
    ns_spec_free(spec);
    OK(net = ns_open(path, &err));
    CHECK(inode(net) == inode(fds[0]));
    close(net);
    OK(ns_unpin(path, &err));
    CHECK(access(path, F_OK) != 0);
    close(fds[0]), close(fds[1]);
    end(target);
}

static void bad_input_is_refused(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), own_user, before = open_descriptors(), bad = -1;
    ns_spec *spec = shell("true");
    ns_process *process;
    ns_entered *entered = NULL;
    ns_identity identity;
    int pid = getpid();
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    FAILS(ns_open(NULL, &err), EINVAL, "path is NULL");
    FAILS(ns_open("/dev/null", &err), EINVAL, "/dev/null is no namespace");
    FAILS(ns_open("/does/not/exist", &err), ENOENT, "/does/not/exist");
    FAILS(ns_open_name("../x", &err), EINVAL, "is a path, not a name");
    FAILS(ns_open_name("nsiso-none", &err), ENOENT, "/run/netns/nsiso-none");
    FAILS(ns_open_pid(-3, NS_NET, &err), EINVAL, "process -3");
    FAILS(ns_open_pid(0, NS_NET | NS_UTS, &err), EINVAL, "more kinds than one");
    FAILS(ns_open_pid(0, 0, &err), EINVAL, "no kind");
    FAILS(ns_open_pid(0, 1, &err), EINVAL, "0x1 is no kind");
    FAILS(ns_open_process(null, NS_NET, &err), ENOTTY, "descriptor");
    FAILS(ns_open_process(-1, NS_NET, &err), EINVAL, "descriptor -1 is not open");
    FAILS(ns_pidfd(-3, 0, &err), EINVAL, "process -3");
    FAILS(ns_pidfd(pid, 1, &err), ESRCH, "process");
    FAILS(ns_open_for_children(pidfd, NS_NET, &err), EINVAL, "only pid and time");
    FAILS(ns_open_socket(null, &err), ENOTTY, "the network namespace of descriptor");
    FAILS(ns_identify(null, &identity, sizeof identity, &err), EINVAL, "is no namespace");
    OK(own_user = ns_open_pid(0, NS_USER, &err));
    FAILS(ns_identify(own_user, NULL, sizeof identity, &err), EINVAL, "out is NULL");
    FAILS(ns_identify(own_user, &identity, 0, &err), EINVAL, "size is 0");
    FAILS(ns_spec_join(NULL, own_user, &err), EINVAL, "spec is NULL");
    FAILS(ns_spec_join(spec, null, &err), EINVAL, "is no namespace");
    FAILS(ns_spec_join(spec, 9999, &err), EINVAL, "descriptor 9999 is not open");
    FAILS(ns_spec_join_process(spec, null, NS_NET, &err), EINVAL, "is no pidfd");
    FAILS(ns_spec_join_process(spec, pidfd, 0, &err), EINVAL, "no kind");
    OK(ns_spec_join(spec, own_user, &err));
    FAILS(ns_spawn(spec, &process, &err), EINVAL, "is your own user namespace");
    FAILS(ns_enter(&own_user, 1, &entered, &err), EINVAL, "a user namespace with a thread");
    FAILS(ns_enter(NULL, 1, &entered, &err), EINVAL, "fds is NULL");
    FAILS(ns_enter(&own_user, 0, &entered, &err), EINVAL, "no namespace is given");
    FAILS(ns_enter(&bad, 1, &entered, &err), EINVAL, "descriptor -1 is not open");
    FAILS(ns_leave(NULL, &err), EINVAL, "entered is NULL");
    FAILS(ns_call(&own_user, 1, NULL, NULL, NULL, &err), EINVAL, "function is NULL");
    FAILS(ns_call(&own_user, 1, socket_here, NULL, NULL, &err), EINVAL, "a user namespace with a thread");
    FAILS(ns_pin(null, "/tmp/nsiso-never", &err), EINVAL, "is no namespace");
    FAILS(ns_pin(own_user, "/does/not/exist", &err), ENOENT, "/does/not/exist");
    FAILS(ns_unpin("/dev/null", &err), EINVAL, "is no namespace");
    CHECK(entered == NULL);
    ns_spec_free(spec);
    close(own_user), close(pidfd);
    CHECK(open_descriptors() == before);
    close(null);
}

static void a_probe_is_read(void)
{
    ns_features *features;
    ns_feature feature;
    char *json, start[128];
    int kinds = 0, before = open_descriptors();
    OK(ns_probe(&features, &err));
    for (size_t n = 0; n < ns_features_len(features); n++) {
        OK(ns_features_get(features, n, &feature, sizeof feature, &err));
        CHECK(*feature.name && *feature.description && feature.detail && feature.hint);
        CHECK(feature.support == NS_YES || feature.support == NS_IN_USER_NAMESPACE || *feature.detail);
        if (strcmp(feature.name, "net") == 0) {
            CHECK(feature.support == (geteuid() ? NS_IN_USER_NAMESPACE : NS_YES));
            kinds++;
        }
    }
    CHECK(kinds == 1);
    OK(ns_features_to_json(features, &json, &err));
    OK(ns_features_get(features, 0, &feature, sizeof feature, &err));
    const char *support = feature.support == NS_YES ? "yes" : feature.support == NS_NO ? "no" : "in_user_namespace";
    snprintf(start, sizeof start, "[{\"name\":\"user\",\"description\":\"%s\",\"support\":\"%s\",\"detail\":\"",
             feature.description, support);
    CHECK(strstr(json, start) == json && strstr(json, "{\"name\":\"cgroup_v1\","));
    ns_string_free(json);
    FAILS(ns_features_to_json(features, NULL, &err), EINVAL, "out is NULL");
    FAILS(ns_features_to_json(NULL, &json, &err), EINVAL, "features is NULL");
    FAILS(ns_features_get(features, 1000, &feature, sizeof feature, &err), ERANGE, "feature number 1000");
    FAILS(ns_features_get(features, 0, NULL, sizeof feature, &err), EINVAL, "out is NULL");
    FAILS(ns_probe(NULL, &err), EINVAL, "out is NULL");
    FAILS(ns_unshare(0, 0, &err), EINVAL, "no kind");
    FAILS(ns_unshare(NS_NET, 1, &err), EINVAL, "add the kind user");
    ns_features_free(features);
    CHECK(open_descriptors() == before);
}

static void a_program_moves_itself(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        OK(ns_unshare(NS_USER | NS_UTS, 1, &err));
        CHECK(getuid() == 0 && sethostname("moved", 5) == 0);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(void)
{
    RUN(namespaces_are_opened_and_described);
    RUN(a_program_joins);
    RUN(bad_input_is_refused);
    RUN(a_probe_is_read);
    RUN(a_program_moves_itself);
    if (geteuid() == 0)
        RUN(a_thread_enters_and_a_function_is_called);
    else
        puts("skipped a_thread_enters_and_a_function_is_called: a thread enters namespaces as root alone");
    RUN(many_threads_and_much_memory_do_not_matter);
    return 0;
}
