/* Creates processes to be listed. usage: crowd PROCESSES GROUPS [DESCRIPTORS]
 *
 * Each of the GROUPS groups of processes is in new namespaces of all kinds but user and time. The
 * processes sleep until this program's input ends. The leaders of the groups open DESCRIPTORS file
 * descriptors altogether. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KINDS (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWPID)

static void sleeper(void)
{
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    int processes = argc > 1 ? atoi(argv[1]) : 0, groups = argc > 2 ? atoi(argv[2]) : 1;
    int descriptors = argc > 3 ? atoi(argv[3]) : 0, ready[2];
    char byte;

    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (pipe(ready))
        return 2;
    for (int group = 0; group < groups; group++) {
        int size = processes / groups + (group < processes % groups);
        long leader = syscall(SYS_clone, KINDS | SIGCHLD, NULL, NULL, NULL, NULL);
        if (leader < 0)
            return 3;
        if (leader == 0) {
            /* When the first process of a pid namespace ends, the kernel ends all others. */
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (int n = 1; n < size; n++)
                if (fork() == 0)
                    sleeper();
            /* Opened after the forks, so that the other processes do not inherit them. */
            for (int n = 0; n < descriptors / groups; n++)
                if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
                    _exit(2);
            if (write(ready[1], "r", 1) != 1)
                _exit(4);
            sleeper();
        }
        if (read(ready[0], &byte, 1) != 1)
            return 4;
    }
    puts("ready");
    fflush(stdout);
    return read(0, &byte, 1) < 0;
}
