/* The lower bound of listing: the smallest C program that reads the kind and inode of each
 * process's namespaces and counts the namespaces in a table. In case "fds" it also reads the target
 * of every open file descriptor. bench.h describes the protocol. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *links[] = {"user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"};

static uint64_t table[1 << 18];
static unsigned count;

static void add(uint64_t inode)
{
    size_t at = inode * 0x9E3779B97F4A7C15u >> 46;
    while (table[at] && table[at] != inode)
        at = (at + 1) % (sizeof table / sizeof *table);
    count += !table[at];
    table[at] = inode;
}

static void descriptors(int process)
{
    int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    char target[64];
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            count += readlinkat(dirfd(directory), entry->d_name, target, sizeof target) > 60;
    if (directory)
        closedir(directory);
}

static void scan(int with_descriptors)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    memset(table, 0, sizeof table);
    count = 0;
    while ((entry = readdir(proc))) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        char path[64];
        char *end = stpcpy(stpcpy(path, entry->d_name), "/ns/");
        for (int n = 0; n < 8; n++) {
            char target[64] = "";
            strcpy(end, links[n]);
            if (readlinkat(dirfd(proc), path, target, sizeof target - 1) > 0)
                add(strtoull(strchr(target, '[') + 1, NULL, 10));
        }
        if (with_descriptors) {
            int process = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
            descriptors(process);
            close(process);
        }
    }
    closedir(proc);
}

int main(void)
{
    char name[32];
    int times;
    while (scanf("%31s %d", name, &times) == 2) {
        for (int n = 0; n < times; n++) {
            struct timespec a, b;
            clock_gettime(CLOCK_MONOTONIC, &a);
            scan(strcmp(name, "fds") == 0);
            clock_gettime(CLOCK_MONOTONIC, &b);
            printf("%lld ", (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec);
        }
        puts("");
        fflush(stdout);
    }
    return 0;
}
