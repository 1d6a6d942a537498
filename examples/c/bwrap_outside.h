/* The parent's part of bwrap while the program is set up and runs: data files, descriptors to write
 * to and to wait for, locks, SELinux labels, and a guard process. */
#ifndef BWRAP_OUTSIDE_H
#define BWRAP_OUTSIDE_H

#include "tool.h"

#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Parses the number of an open descriptor. It is used by bwrap and not passed to the program. */
static int descriptor(const char *text)
{
    int64_t value;
    if (!number(text, &value) || value < 0 || fcntl((int)value, F_GETFD) < 0)
        fail("'%s' is no open descriptor", text);
    if (value > STDERR_FILENO)
        fcntl((int)value, F_SETFD, FD_CLOEXEC);
    return (int)value;
}

/* Reads a descriptor to its end and closes it. */
static char *content(int fd, size_t *size)
{
    size_t room = 65536, got = 0;
    char *data = malloc(room);
    for (ssize_t n; data && (n = read(fd, data + got, room - got)) != 0; got += (size_t)n) {
        if (n < 0)
            fail("descriptor %d: %s", fd, strerror(errno));
        if (got + (size_t)n == room)
            data = realloc(data, room *= 2);
    }
    if (!data)
        fail("out of memory");
    close(fd);
    *size = got;
    return data;
}

/* Files that hold data until it is mounted. */
enum { MAX_DATA = 256 };
static char *data_files[MAX_DATA];
static int data_count;

static void forget_data(void)
{
    while (data_count > 0)
        unlink(data_files[--data_count]);
}

/* Writes the content of a descriptor to a file, which is removed when the program runs. */
static const char *data_file(int fd, mode_t mode)
{
    const char *directory = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    size_t size, length = strlen(directory) + sizeof "/bwrap-XXXXXX";
    char *data = content(fd, &size), *path = malloc(length);
    if (data_count == MAX_DATA || !path)
        fail("too much data to mount");
    snprintf(path, length, "%s/bwrap-XXXXXX", directory);
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0)
        fail("%s: %s", path, strerror(errno));
    if (data_count == 0)
        atexit(forget_data);
    data_files[data_count++] = path;
    if (write(file, data, size) != (ssize_t)size || fchmod(file, mode) < 0)
        fail("%s: %s", path, strerror(errno));
    close(file);
    free(data);
    return path;
}

/* Writes the inode of each new namespace as members of a JSON object. */
static void write_namespaces(int fd, int pid, uint64_t kinds, const char *before)
{
    static const struct { const char *name; uint64_t kind; } all[] = {
        {"cgroup", NS_CGROUP}, {"ipc", NS_IPC}, {"mnt", NS_MNT}, {"net", NS_NET}, {"pid", NS_PID}, {"uts", NS_UTS},
    };
    for (size_t n = 0; n < sizeof all / sizeof *all; n++) {
        char path[64];
        struct stat about;
        snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, all[n].name);
        if (kinds & all[n].kind && stat(path, &about) == 0)
            dprintf(fd, ",%s\"%s-namespace\": %ju", before, all[n].name, (uintmax_t)about.st_ino);
    }
}

/* Reports the child on both descriptors. Either may be -1. */
static void announce(int info_fd, int status_fd, int pid, uint64_t kinds)
{
    if (info_fd >= 0) {
        dprintf(info_fd, "{\n    \"child-pid\": %d", pid);
        write_namespaces(info_fd, pid, kinds, "\n    ");
        dprintf(info_fd, "\n}\n");
        if (info_fd > STDERR_FILENO)
            close(info_fd);
    }
    if (status_fd >= 0) {
        dprintf(status_fd, "{ \"child-pid\": %d", pid);
        write_namespaces(status_fd, pid, kinds, " ");
        dprintf(status_fd, " }\n");
    }
}

/* Waits for a byte or the end of the file. */
static void wait_on(int fd)
{
    char byte;
    while (fd >= 0 && read(fd, &byte, 1) < 0 && errno == EINTR) {}
}

/* The descriptors that report the child and those that it waits for. -1 means none. */
struct door {
    int info_fd, status_fd;
    uint64_t kinds;
    int wait_first, wait_second;
    bool guard;
};

/* Kills the child when the other end of `ours` is closed. The guard keeps nothing else open. */
_Noreturn static void guard(int pidfd, int ours)
{
    setsid();
    int fds[] = {fcntl(ours, F_DUPFD, 10), fcntl(pidfd, F_DUPFD, 10)};
    dup2(fds[0], STDIN_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    syscall(SYS_close_range, STDERR_FILENO, ~0U, 0);
    wait_on(STDIN_FILENO);
    syscall(SYS_pidfd_send_signal, STDOUT_FILENO, SIGKILL, NULL, 0);
    _exit(0);
}

/* Makes the child wait before set-up. A forked process reports the child, waits for the
 * descriptors, and lets the child continue. */
static void hold(ns_spec *spec, struct door door)
{
    int tell[2], go[2];
    if (pipe2(tell, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
        fail("a pipe: %s", strerror(errno));
    must(ns_spec_sync_fds(spec, tell[1], go[0], &err));
    pid_t doorman = fork();
    if (doorman < 0)
        fail("a process: %s", strerror(errno));
    if (doorman > 0) {
        close(tell[0]), close(go[1]);
        if (door.info_fd > STDERR_FILENO)
            close(door.info_fd); /* its reader waits for end of file */
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(tell[1]), close(go[0]);
    char line[32] = "";
    if (read(tell[0], line, sizeof line - 1) > 0) {
        int pid = atoi(line), pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        announce(door.info_fd, door.status_fd, pid, door.kinds);
        wait_on(door.wait_first);
        wait_on(door.wait_second);
        /* A guard must outlive bwrap: clear its parent-death signal before the program runs. */
        if (door.guard)
            prctl(PR_SET_PDEATHSIG, 0);
        if (write(go[1], "", 1) == 1 && door.guard)
            guard(pidfd, tell[0]);
    }
    _exit(0);
}

/* Locks a file of the program's root file system for as long as this process lives. */
static void lock(ns_process *process, const char *path)
{
    char root_path[64];
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    struct flock shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    struct pollfd ended = {.fd = ns_process_pidfd(process), .events = POLLIN};
    snprintf(root_path, sizeof root_path, "/proc/%d/root", ns_process_pid(process));
    int root = open(root_path, O_PATH | O_CLOEXEC);
    if (root < 0 && errno == ENOENT)
        return; /* the program has ended or is about to end */
    int file = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    int errnum = errno;
    close(root);
    if (file >= 0 && fcntl(file, F_SETLK, &shared) == 0)
        return;
    if (poll(&ended, 1, 0) == 1)
        return;
    ns_process_signal(process, SIGKILL, NULL);
    fail("the lock file %s: %s", path, strerror(file < 0 ? errnum : errno));
}

/* Sets the SELinux context of what this process and its children execute or create from now on. */
static void label(const char *attribute, const char *context)
{
    char path[64];
    if (access("/sys/fs/selinux/enforce", F_OK) < 0)
        fail("labels are not supported on this system: SELinux is not there");
    snprintf(path, sizeof path, "/proc/thread-self/attr/%s", attribute);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, context, strlen(context)) < 0)
        fail("the label '%s': %s", context, strerror(errno));
    close(file);
}

#endif
