/* Runs a command as PID 1 and root of a container made only with system calls, without libnsiso.
 *
 *     usage: container [--user] [--time] [--docker] COMMAND [ARGUMENT]...
 *
 * The container has new pid, mount, network, IPC and UTS namespaces and a fresh procfs. --user adds
 * a user namespace. Root in it is uid 100000 outside if the caller is root; otherwise it is the
 * caller's own uid. --time adds a time namespace. --docker keeps only the capabilities that Docker
 * keeps. This program prints "pid N", where N is the pid of the command in the caller's pid
 * namespace. The container ends with this program. */
#include "common.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int user, time_ns, docker;

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        fail(path);
    close(fd);
}

static void write_id_maps(int pid)
{
    char path[64], map[64];
    int root = geteuid() == 0;

    snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
    if (!root)
        put(path, "deny");
    snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
    snprintf(map, sizeof map, "0 %u %d", root ? 100000 : geteuid(), root ? 65536 : 1);
    put(path, map);
    snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
    snprintf(map, sizeof map, "0 %u %d", root ? 100000 : getegid(), root ? 65536 : 1);
    put(path, map);
}

static void enter_new_time_namespace(void)
{
    if (unshare(CLONE_NEWTIME))
        fail("unshare: the time namespace");
    put("/proc/self/timens_offsets", "boottime 1000 0");
    int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWTIME))
        fail("setns: the time namespace");
    close(fd);
}

static _Noreturn void inside(int released, char **command)
{
    char byte;

    /* If the launcher died before this call, the pipe is closed and the read below fails. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(released, &byte, 1) != 1)
        _exit(1);
    close(released);
    if (user && (setresgid(0, 0, 0) || setresuid(0, 0, 0)))
        fail("becoming root inside");
    /* A change of ids clears the parent-death signal. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 1);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        fail("mount: private propagation");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
        fail("mount: /proc");
    if (time_ns)
        enter_new_time_namespace();
    for (int capability = 0; docker && capability < 64; capability++)
        if (!(capability < 32 && DOCKER_CAPS >> capability & 1) &&
            prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1 &&
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
            fail("prctl: the bounding set");
    execv(command[0], command);
    fail(command[0]);
}

int main(int argc, char **argv)
{
    int release[2], status, arg = 1;

    for (; arg < argc && !strncmp(argv[arg], "--", 2); arg++) {
        user |= !strcmp(argv[arg], "--user");
        time_ns |= !strcmp(argv[arg], "--time");
        docker |= !strcmp(argv[arg], "--docker");
    }
    if (arg == argc) {
        fprintf(stderr, "usage: container [--user] [--time] [--docker] COMMAND [ARGUMENT]...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pipe2(release, O_CLOEXEC))
        fail("pipe");
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    if (user)
        flags |= CLONE_NEWUSER;
    pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid < 0)
        fail("clone");
    if (pid == 0) {
        close(release[1]);
        inside(release[0], argv + arg);
    }
    close(release[0]);
    if (user)
        write_id_maps(pid);
    printf("pid %d\n", pid);
    fflush(stdout);
    if (write(release[1], "", 1) != 1)
        fail("releasing the container");
    close(release[1]);
    if (waitpid(pid, &status, 0) != pid)
        fail("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
