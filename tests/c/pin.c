/* Tests pinned namespaces, and paths that another process changes during the call. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

static char top[] = "/tmp/nsiso-pin-XXXXXX";

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* Makes this process root in new user and mount namespaces. Returns 0 if that is forbidden. */
static int enter_namespaces(void)
{
    char map[64];
    snprintf(map, sizeof map, "0 %d 1", (int)geteuid());
    int gid = (int)getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0)
        return 0;
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %d 1", gid);
    write_file("/proc/self/gid_map", map);
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("tmpfs", top, "tmpfs", 0, NULL) == 0);
    CHECK(chdir(top) == 0);
    return 1;
}

static int is_tmpfs(const char *path)
{
    struct statfs about;
    return statfs(path, &about) == 0 && about.f_type == 0x01021994;
}

static atomic_int stop;

/* Exchanges the directories `here` and `there` again and again. */
static void *swap(void *nothing)
{
    while (!stop)
        CHECK(renameat2(AT_FDCWD, "here", AT_FDCWD, "there", RENAME_EXCHANGE) == 0);
    return nothing;
}

/* At here/name there is now a namespace and now a tmpfs, because a thread swaps the directories.
 * ns_unpin() may only unmount the namespace. */
static void a_path_that_is_swapped_takes_no_other_mount(void)
{
    pthread_t swapper;
    ns_error err;
    int netns, unpinned = 0;
    struct stat about;

    OK(netns = ns_open_pid(0, NS_NET, &err));
    CHECK(mkdir("here", 0755) == 0 && mkdir("there", 0755) == 0 && mkdir("there/name", 0755) == 0);
    for (int round = 0; round < 300; round++) {
        CHECK(mount("tmpfs", "there/name", "tmpfs", 0, NULL) == 0);
        OK(ns_pin(netns, "here/name", &err));
        stop = 0;
        CHECK(!pthread_create(&swapper, NULL, swap, NULL));
        /* EINVAL: the path led to the tmpfs. */
        int result;
        while ((result = ns_unpin("here/name", &err)) == -EINVAL)
            ;
        stop = 1;
        CHECK(!pthread_join(swapper, NULL));
        CHECK(result == 0 && ++unpinned);
        /* For the next round, `here` must be the directory that holds the file. */
        if (stat("here/name", &about) == 0)
            CHECK(renameat2(AT_FDCWD, "here", AT_FDCWD, "there", RENAME_EXCHANGE) == 0);
        CHECK(access("here/name", F_OK) != 0);
        CHECK(is_tmpfs("there/name") && umount2("there/name", 0) == 0);
    }
    CHECK(unpinned == 300);
    close(netns);
}

static void only_the_mount_itself_is_unpinned(void)
{
    int netns;
    OK(netns = ns_open_pid(0, NS_NET, &err));
    CHECK(mkdir("a", 0755) == 0 && symlink("a", "b") == 0 && symlink("pin", "a/link") == 0);
    OK(ns_pin(netns, "a/pin", &err));
    FAILS(ns_unpin("a/link", &err), EINVAL, "a/link is no namespace");
    FAILS(ns_unpin("a", &err), EINVAL, "a is no namespace");
    FAILS(ns_unpin("a/..", &err), EINVAL, "is no namespace");
    FAILS(ns_unpin("/", &err), EINVAL, "is no namespace");
    FAILS(ns_unpin("", &err), EINVAL, "is no namespace");
    FAILS(ns_unpin("a/none", &err), ENOENT, "a/none");
    FAILS(ns_unpin("/proc/self/ns/net", &err), EINVAL, "is no namespace");
    OK(ns_unpin("b/pin", &err));
    CHECK(access("a/pin", F_OK) != 0 && errno == ENOENT);
    /* Paths may be relative to the working directory. */
    OK(ns_pin(netns, "pin", &err));
    OK(ns_unpin("pin", &err));
    CHECK(access("pin", F_OK) != 0);
    close(netns);
}

int main(void)
{
    int status;
    CHECK(mkdtemp(top));
    pid_t child = fork();
    if (child == 0) {
        if (!enter_namespaces()) {
            printf("skipped: user namespaces: %s\n", strerror(errno));
            return 0;
        }
        RUN(only_the_mount_itself_is_unpinned);
        RUN(a_path_that_is_swapped_takes_no_other_mount);
        return 0;
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(rmdir(top) == 0);
    return status != 0;
}
