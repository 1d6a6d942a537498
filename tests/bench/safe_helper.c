/* The helper of the "safe" lower bound, without a C library.
 *
 *     usage: safe-helper SOCKET JOIN KINDS UID-MAP GID-MAP LOOPBACK PROGRAM
 *
 * Numbers may be -1 and strings empty, to leave that part out. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define CALL(number, ...) CALL_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, ...) call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static long call(long number, long a, long b, long c, long d, long e)
{
    register long fourth __asm__("r10") = d, fifth __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                     : "rcx", "r11", "memory");
    return number;
}

__attribute__((noreturn)) static void leave(int code)
{
    for (;;)
        CALL(SYS_exit_group, code);
}

static unsigned long number(const char *text)
{
    int negative = *text == '-';
    unsigned long value = 0;
    for (text += negative; *text; text++)
        value = value * 10 + (unsigned long)(*text - '0');
    return negative ? -value : value;
}

static void put(const char *path, const char *text)
{
    long length = 0, fd = CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    while (text[length])
        length++;
    if (CALL(SYS_write, fd, text, length) != length)
        leave(1);
    CALL(SYS_close, fd);
}

/* Runs in the new namespaces. */
__attribute__((noreturn)) static void become_program(char **argv, char **environment)
{
    if (*argv[4]) {
        put("/proc/self/setgroups", "deny");
        put("/proc/self/gid_map", argv[5]);
        put("/proc/self/uid_map", argv[4]);
        if (CALL(SYS_mount, "none", "/", "none", MS_PRIVATE | MS_REC) ||
            CALL(SYS_mount, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC))
            leave(2);
    }
    if (*argv[6]) {
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        long fd = CALL(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
        if (CALL(SYS_ioctl, fd, SIOCSIFFLAGS, &request))
            leave(3);
        CALL(SYS_close, fd);
    }
    CALL(SYS_execve, argv[7], argv + 7, environment);
    leave(127);
}

static void send_pidfd(int socket, int failure, int pidfd)
{
    struct {
        struct cmsghdr header;
        int fd;
    } control = {{CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}, pidfd};
    struct iovec data = {&failure, sizeof failure};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (!failure) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    CALL(SYS_sendmsg, socket, &message, 0);
}

__attribute__((noreturn, used)) static void start(long *stack)
{
    char **argv = (char **)(stack + 1), **environment = argv + stack[0] + 1;
    int socket = (int)number(argv[1]), join = (int)number(argv[2]), pidfd = -1;
    unsigned long kinds = number(argv[3]);
    if (join >= 0) {
        if (CALL(SYS_setns, join, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS))
            leave(4);
        CALL(SYS_close, join);
    }
    if (socket < 0) {
        if (kinds && CALL(SYS_unshare, kinds))
            leave(5);
        become_program(argv, environment);
    }
    CALL(SYS_fcntl, socket, F_SETFD, FD_CLOEXEC);
    struct clone_args args = {
        .flags = kinds | CLONE_VFORK | CLONE_PARENT | CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd};
    long pid = CALL(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        become_program(argv, environment);
    send_pidfd(socket, pid < 0 ? (int)-pid : 0, pidfd);
    leave(0);
}

__asm__(".globl _start\n"
        "_start:\n\t"
        "xor %ebp, %ebp\n\t"
        "mov %rsp, %rdi\n\t"
        "and $-16, %rsp\n\t"
        "call start");
