/* Tries to read and overwrite a marker in the memory of each new process, with the privileges that
 * it was started with.
 *
 *     usage: memgrab ADDRESS MARKER SECONDS
 *
 * It prints "ready", and when it ends its counts. It ends after SECONDS, at SIGTERM, or when its
 * standard input is closed. `reads` counts only reads of the marker. */
#include "common.h"

#include <stdint.h>
#include <sys/uio.h>

enum { MAX_MARKER = 64 };

static const char *marker;
static char overwritten[MAX_MARKER];
static size_t length;
static uintptr_t address;
/* seen: attempts on existing processes. open_to_us: attempts on those that this program may
 * trace. */
static long passes, seen, open_to_us, reads_vm, reads_mem, writes;

static int is_marker(const char *bytes)
{
    return !memcmp(bytes, marker, length) || !memcmp(bytes, overwritten, length);
}

static void by_process_vm(int pid)
{
    char bytes[MAX_MARKER];
    struct iovec here = {bytes, length}, there = {(void *)address, length};
    ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

    if (got < 0 && errno == ESRCH)
        return;
    seen++;
    /* EFAULT: this program may trace the process, but nothing is mapped at the address. */
    if (got >= 0 || errno == EFAULT)
        open_to_us++;
    if (got != (ssize_t)length || !is_marker(bytes))
        return;
    reads_vm++;
    here.iov_base = overwritten;
    writes += process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)length;
}

static void by_proc_mem(int pid)
{
    char path[32], bytes[MAX_MARKER];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        seen += errno != ENOENT && errno != ESRCH;
        return;
    }
    seen++;
    open_to_us++;
    if (pread(fd, bytes, length, (off_t)address) == (ssize_t)length && is_marker(bytes)) {
        reads_mem++;
        writes += pwrite(fd, overwritten, length, (off_t)address) == (ssize_t)length;
    }
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: memgrab ADDRESS MARKER SECONDS\n");
        return 2;
    }
    address = (uintptr_t)strtoull(argv[1], NULL, 16);
    marker = argv[2];
    length = strlen(marker);
    if (!address || !length || length > MAX_MARKER) {
        fprintf(stderr, "memgrab: bad address or marker\n");
        return 2;
    }
    memset(overwritten, '!', sizeof overwritten);
    double deadline = now() + number(argv[3]);
    struct window window = open_window();
    int pids[WINDOW], own = getpid();

    handle_sigterm();
    puts("ready");
    fflush(stdout);
    for (; !terminated; passes++) {
        /* process_vm_readv(2) is about ten times as fast as /proc/PID/mem, so most passes use
         * it. */
        void (*grab)(int) = passes % 8 == 7 ? by_proc_mem : by_process_vm;
        int count = pids_in(&window, pids);
        for (int n = 0; n < count; n++)
            if (pids[n] != own)
                grab(pids[n]);
        if (passes % 256 == 0 && (now() >= deadline || input_ended()))
            break;
    }
    printf("passes=%ld seen=%ld open=%ld reads=%ld reads_vm=%ld reads_mem=%ld writes=%ld\n",
           passes, seen, open_to_us, reads_vm + reads_mem, reads_vm, reads_mem, writes);
    return 0;
}
