/* Tests ns_list from C: many threads read one snapshot, each way to find a namespace works, and bad
 * input is refused. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

static ns_listing *listed(uint64_t kinds, uint32_t look)
{
    ns_listing *listing = NULL;
    OK(ns_list(kinds, look, &listing, &err));
    CHECK(listing);
    return listing;
}

static ns_namespace at(const ns_listing *listing, size_t index)
{
    ns_namespace namespace;
    OK(ns_listing_get(listing, index, &namespace, sizeof namespace, &err));
    return namespace;
}

static void own_namespaces_are_found_by_each_name(void)
{
    static const char *names[] = {"user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"};
    static const uint64_t kinds[] = {NS_USER, NS_PID, NS_MNT, NS_NET, NS_IPC, NS_UTS, NS_TIME, NS_CGROUP};
    ns_listing *listing = listed(NS_ALL, NS_LIST_EVERYWHERE);

    for (int i = 0; i < 8; i++) {
        char path[64];
        struct stat about;
        snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
        CHECK(stat(path, &about) == 0);
        int fd = open(path, O_RDONLY | O_CLOEXEC), index = ns_listing_find_fd(listing, fd, NULL);
        close(fd);
        OK(index);
        CHECK(index == ns_listing_find_path(listing, path, NULL));
        CHECK(index == ns_listing_find_inode(listing, about.st_ino, NULL));
        CHECK(index == ns_listing_find_process(listing, getpid(), kinds[i], NULL));

        ns_namespace namespace = at(listing, index);
        CHECK(namespace.kind == kinds[i] && namespace.inode == about.st_ino && namespace.device == about.st_dev);
        CHECK(namespace.held & NS_HELD_PROCESSES);

        const int32_t *pids = NULL;
        int count = ns_listing_processes(listing, index, &pids, NULL), mine = 0;
        CHECK(count == (int)namespace.processes && count > 0 && namespace.pid > 0);
        for (int n = 0; n < count; n++) {
            mine += pids[n] == getpid();
            CHECK(n == 0 || pids[n - 1] < pids[n]);
        }
        CHECK(mine == 1 && ns_listing_command(listing, index));
    }
    ns_listing_free(listing);
}

static void the_order_is_by_inode_and_relatives_are_indices(void)
{
    ns_listing *listing = listed(NS_ALL, NS_LIST_EVERYWHERE);
    size_t len = ns_listing_len(listing);

    for (size_t i = 0; i < len; i++) {
        ns_namespace one = at(listing, i);
        CHECK(i == 0 || at(listing, i - 1).inode < one.inode);
        if (one.owner >= 0)
            CHECK(at(listing, one.owner).inode == one.owner_inode && at(listing, one.owner).kind == NS_USER);
        if (one.parent >= 0)
            CHECK(at(listing, one.parent).kind == one.kind && at(listing, one.parent).depth + 1 == one.depth);
    }
    ns_listing_free(listing);
}

static void a_descriptor_alone_holds_a_namespace(void)
{
    const char *argv[] = {"sleep", "1000", NULL};
    ns_spec *spec = ns_spec_new();
    ns_process *process = NULL;
    ns_status status;
    char path[64];
    struct stat about;

    OK(ns_spec_argv(spec, argv, &err));
    OK(ns_spec_unshare(spec, NS_USER | NS_UTS, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spawn(spec, &process, &err));
    snprintf(path, sizeof path, "/proc/%d/ns/uts", ns_process_pid(process));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &about) == 0);
    OK(ns_process_signal(process, 9, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    ns_process_free(process);
    ns_spec_free(spec);

    ns_listing *listing = listed(NS_UTS, NS_LIST_DETAILS | NS_LIST_DESCRIPTORS | NS_LIST_OWN);
    int index = ns_listing_find_fd(listing, fd, NULL);
    OK(index);
    ns_namespace found = at(listing, index);
    CHECK(found.held == NS_HELD_DESCRIPTORS && found.processes == 0 && found.holders == 1 && found.pid == -1);
    CHECK(found.owner == -1 && found.owner_inode != 0 && found.creator == geteuid());
    CHECK(!ns_listing_command(listing, index) && !ns_listing_user(listing, index));
    ns_holder holder;
    OK(ns_listing_holder(listing, index, 0, &holder, sizeof holder, &err));
    CHECK(holder.how == NS_HELD_DESCRIPTORS && holder.pid == getpid() && holder.fd == fd && holder.tid == -1);
    CHECK(!ns_listing_holder_path(listing, index, 0));
    FAILS(ns_listing_holder(listing, index, 1, &holder, sizeof holder, &err), ERANGE, "holder number 1 of 1");
    ns_listing_free(listing);

    /* Without NS_LIST_DESCRIPTORS, descriptors are not read: the lookup fails, but the listing
     * succeeds. */
    listing = listed(NS_UTS, NS_LIST_DETAILS);
    FAILS(ns_listing_find_fd(listing, fd, &err), ESRCH, "the namespace of descriptor");
    ns_listing_free(listing);
    close(fd);
}

static void gaps_are_told(void)
{
    ns_listing *listing = listed(NS_ALL, NS_LIST_EVERYWHERE);
    ns_gaps gaps;
    OK(ns_listing_gaps(listing, &gaps, sizeof gaps, &err));
    CHECK(gaps.foreign_proc == 0 && (gaps.complete || gaps.unreadable || gaps.closed || gaps.sockets ||
                                     gaps.undescribed || gaps.inner_pid_namespace || gaps.hidden_processes));
    if (geteuid() != 0)
        CHECK(!gaps.complete && gaps.unreadable > 0);
    ns_listing_free(listing);
}

static void *reads(void *shared)
{
    const ns_listing *listing = shared;
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < ns_listing_len(listing); i++) {
            const char *first = ns_listing_user(listing, i), *again = ns_listing_user(listing, i);
            CHECK(first == again && at(listing, i).inode);
        }
    return NULL;
}

static void many_threads_read_one_snapshot(void)
{
    ns_listing *listing = listed(NS_ALL, NS_LIST_EVERYWHERE);
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        CHECK(pthread_create(&threads[i], NULL, reads, listing) == 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    ns_listing_free(listing);
}

static void *lists(void *unused)
{
    (void)unused;
    for (int round = 0; round < 10; round++) {
        ns_listing *listing = NULL;
        OK(ns_list(NS_ALL, NS_LIST_EVERYWHERE, &listing, &err));
        OK(ns_listing_find_process(listing, getpid(), NS_NET, &err));
        ns_listing_free(listing);
    }
    return NULL;
}

static void many_threads_take_snapshots(void)
{
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        CHECK(pthread_create(&threads[i], NULL, lists, NULL) == 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
}

static void a_listing_is_written_as_json(void)
{
    ns_listing *listing = listed(NS_ALL, NS_LIST_EVERYWHERE);
    char *json, part[128];
    int index = ns_listing_find_process(listing, getpid(), NS_NET, NULL);
    ns_namespace own = at(listing, index);
    OK(ns_listing_to_json(listing, &json, &err));
    snprintf(part, sizeof part, "{\"kind\":\"net\",\"inode\":%ju,\"device\":%ju,", (uintmax_t)own.inode, (uintmax_t)own.device);
    char *object = strstr(json, part);
    CHECK(strstr(json, "{\"namespaces\":[{") == json && object);
    snprintf(part, sizeof part, "\"nprocs\":%u,\"pid\":%d,", own.processes, own.pid);
    CHECK(strstr(object, part));
    snprintf(part, sizeof part, "\"owner_inode\":%ju,", (uintmax_t)own.owner_inode);
    CHECK(strstr(object, part) && strstr(object, "\"held\":[\"processes\""));
    snprintf(part, sizeof part, "%d", getpid());
    CHECK(strstr(strstr(object, "\"processes\":["), part) && strstr(object, "\"gaps\":{\"complete\":"));
    ns_string_free(json);

    FAILS(ns_listing_to_json(listing, NULL, &err), EINVAL, "out is NULL");
    json = part;
    FAILS(ns_listing_to_json(NULL, &json, &err), EINVAL, "listing is NULL");
    CHECK(json == part);
    ns_listing_free(listing);
}

static void bad_input_is_refused(void)
{
    ns_listing *listing = NULL, *none = NULL;
    ns_namespace namespace;
    ns_holder holder;
    ns_gaps gaps;
    const int32_t *pids;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    FAILS(ns_list(NS_ALL, NS_LIST_EVERYWHERE, NULL, &err), EINVAL, "out");
    FAILS(ns_list(1, NS_LIST_EVERYWHERE, &none, &err), EINVAL, "0x1");
    FAILS(ns_list(0, NS_LIST_EVERYWHERE, &none, &err), EINVAL, "kind");
    FAILS(ns_list(NS_ALL, 64, &none, &err), EINVAL, "0x40");
    CHECK(!none);

    listing = listed(NS_ALL, 0);
    size_t len = ns_listing_len(listing);
    FAILS(ns_listing_get(NULL, 0, &namespace, sizeof namespace, &err), EINVAL, "listing");
    FAILS(ns_listing_get(listing, 0, NULL, sizeof namespace, &err), EINVAL, "out");
    FAILS(ns_listing_get(listing, 0, &namespace, 0, &err), EINVAL, "size");
    FAILS(ns_listing_get(listing, len, &namespace, sizeof namespace, &err), ERANGE, "counted from 0");
    FAILS(ns_listing_get(listing, SIZE_MAX, &namespace, sizeof namespace, &err), ERANGE, "counted from 0");
    FAILS(ns_listing_holder(listing, len, 0, &holder, sizeof holder, &err), ERANGE, "namespace number");
    FAILS(ns_listing_processes(listing, len, &pids, &err), ERANGE, "namespace number");
    FAILS(ns_listing_processes(listing, 0, NULL, &err), EINVAL, "pids");
    FAILS(ns_listing_gaps(listing, &gaps, 0, &err), EINVAL, "size");
    FAILS(ns_listing_gaps(NULL, &gaps, sizeof gaps, &err), EINVAL, "listing");
    FAILS(ns_listing_find_fd(listing, null, &err), EINVAL, "no namespace");
    FAILS(ns_listing_find_fd(listing, -1, &err), EINVAL, "-1");
    FAILS(ns_listing_find_path(listing, "/dev/null", &err), EINVAL, "/dev/null");
    FAILS(ns_listing_find_path(listing, "/no/such", &err), ENOENT, "/no/such");
    FAILS(ns_listing_find_path(listing, NULL, &err), EINVAL, "path");
    FAILS(ns_listing_find_process(listing, INT_MAX, NS_NET, &err), ESRCH, "process 2147483647");
    FAILS(ns_listing_find_process(listing, getpid(), 3, &err), EINVAL, "0x3");
    FAILS(ns_listing_find_inode(listing, 1, &err), ESRCH, "the namespace 1");
    CHECK(ns_listing_len(NULL) == 0 && !ns_listing_command(NULL, 0) && !ns_listing_user(listing, len));
    CHECK(!ns_listing_holder_path(NULL, 0, 0));

    /* A caller built with an older, shorter structure: no more than its bytes may be written. */
    struct { uint64_t kind; uint64_t guard; } shorter = {0, 77};
    OK(ns_listing_get(listing, 0, (ns_namespace *)&shorter, sizeof shorter.kind, &err));
    CHECK(shorter.kind == at(listing, 0).kind && shorter.guard == 77);
    ns_listing_free(listing);
    ns_listing_free(NULL);
    close(null);
}

int main(void)
{
    RUN(own_namespaces_are_found_by_each_name);
    RUN(the_order_is_by_inode_and_relatives_are_indices);
    RUN(a_descriptor_alone_holds_a_namespace);
    RUN(gaps_are_told);
    RUN(many_threads_read_one_snapshot);
    RUN(many_threads_take_snapshots);
    RUN(a_listing_is_written_as_json);
    RUN(bad_input_is_refused);
    return 0;
}
