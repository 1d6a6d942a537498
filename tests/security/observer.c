/* Looks for processes that share memory although their user namespaces or credentials differ.
 *
 *     usage: observer PID SECONDS
 *
 * It compares the process PID and its descendants in pairs, with kcmp(2), so it must be root. A
 * child that shares its parent's memory with the same credentials, as after vfork(2), is allowed.
 * It prints "ready", a line for each of the first few violations, and when it ends its counts. */
#include "common.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>

enum { FACTS = 1024, EXAMPLES = 3 };

/* The properties that must be equal in processes that share memory. */
struct facts {
    int is_process, ppid, has_memory;
    char text[FACTS];
};

static int victim;
static long passes, pairs, shared, violations;

static int share_memory(int a, int b)
{
    return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0) == 0;
}

/* Reads the facts about a process; fails if the process has ended. */
static int read_facts(int pid, struct facts *facts)
{
    static const char *const kept[] = {"Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:"};
    char path[64], status[4096], link[64];
    size_t used = 0;

    memset(facts, 0, sizeof *facts);
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    ssize_t got = readlink(path, link, sizeof link - 1);
    if (got <= 0)
        return 0;
    link[got] = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    got = read(fd, status, sizeof status - 1);
    close(fd);
    if (got <= 0)
        return 0;
    status[got] = 0;
    used = (size_t)snprintf(facts->text, FACTS, "%s", link);
    char *rest;
    for (char *line = strtok_r(status, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (!strncmp(line, "Tgid:", 5))
            facts->is_process = atoi(line + 5) == pid;
        else if (!strncmp(line, "PPid:", 5))
            facts->ppid = atoi(line + 5);
        else if (!strncmp(line, "VmSize:", 7))
            facts->has_memory = 1;
        for (size_t n = 0; n < sizeof kept / sizeof *kept; n++)
            if (!strncmp(line, kept[n], strlen(kept[n])) && used < FACTS)
                used += (size_t)snprintf(facts->text + used, FACTS - used, " %s", line);
    }
    for (char *tab = facts->text; (tab = strchr(tab, '\t')); tab++)
        *tab = ' ';
    return 1;
}

/* Returns whether the process is the victim or one of its descendants. */
static int is_of_victim(int pid, const struct facts *facts)
{
    struct facts next = *facts;
    for (int depth = 0; depth < 8 && pid > 1; depth++) {
        if (pid == victim)
            return 1;
        pid = next.ppid;
        if (pid != victim && !read_facts(pid, &next))
            return 0;
    }
    return 0;
}

/* Counts a pair that kcmp(2) has just called equal. Threads and zombies do not count: kcmp(2) calls
 * any two processes without memory equal. */
static void judge(int a, int b)
{
    struct facts before[2], after[2];

    if (!read_facts(a, &before[0]) || !read_facts(b, &before[1]))
        return;
    for (int n = 0; n < 2; n++)
        if (!before[n].is_process || !before[n].has_memory)
            return;
    if (!is_of_victim(a, &before[0]) || !is_of_victim(b, &before[1]) || !share_memory(a, b))
        return;
    if (!read_facts(a, &after[0]) || !read_facts(b, &after[1]))
        return;
    for (int n = 0; n < 2; n++)
        if (strcmp(before[n].text, after[n].text) || !after[n].has_memory)
            return;
    shared++;
    if (!strcmp(before[0].text, before[1].text))
        return;
    if (violations++ < EXAMPLES)
        printf("share memory: %d %s | %d %s\n", a, before[0].text, b, before[1].text);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: observer PID SECONDS\n");
        return 2;
    }
    victim = (int)number(argv[1]);
    double deadline = now() + number(argv[2]);
    struct window window = open_window();
    int pids[WINDOW + 1];

    if (!share_memory(victim, victim))
        fail("kcmp");
    handle_sigterm();
    puts("ready");
    fflush(stdout);
    for (; !terminated; passes++) {
        int count = pids_in(&window, pids);
        pids[count++] = victim;
        for (int b = count - 1; b > 0; b--)
            for (int a = 0; a < b; a++) {
                if (pids[a] == victim)
                    continue;
                int equal = syscall(SYS_kcmp, pids[a], pids[b], KCMP_VM, 0, 0);
                if (equal < 0)
                    continue;
                pairs++;
                if (equal == 0)
                    judge(pids[a], pids[b]);
            }
        if (passes % 64 == 0 && (now() >= deadline || input_ended()))
            break;
    }
    printf("passes=%ld pairs=%ld shared=%ld violations=%ld\n", passes, pairs, shared, violations);
    return 0;
}
