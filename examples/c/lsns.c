/* lsns(8) on top of libnsiso: its thirteen columns and its options, as the manual page describes
 * them. It also shows namespaces that lsns does not find: those held by descriptors, sockets,
 * threads, other namespaces and bind mounts. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <nsiso.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lsns_table.h"

enum { NS, TYPE, PATH, NPROCS, PID, PPID, COMMAND, UID, USER, NETNSID, NSFS, PNS, ONS, COLUMNS };

static const struct column columns[COLUMNS] = {
    [NS] = {"NS", "namespace identifier (inode number)", true},
    [TYPE] = {"TYPE", "kind of namespace", false},
    [PATH] = {"PATH", "a path that leads to the namespace", false},
    [NPROCS] = {"NPROCS", "number of processes in the namespace", true},
    [PID] = {"PID", "lowest PID in the namespace", true},
    [PPID] = {"PPID", "parent of that process", true},
    [COMMAND] = {"COMMAND", "command line of that process", false},
    [UID] = {"UID", "user id of that process", true},
    [USER] = {"USER", "user name of that process", false},
    [NETNSID] = {"NETNSID", "number of a network namespace in ours", false},
    [NSFS] = {"NSFS", "where it is bind-mounted", false},
    [PNS] = {"PNS", "parent namespace (inode number)", true},
    [ONS] = {"ONS", "owning user namespace (inode number)", true},
};

static const struct { uint64_t kind; const char *name; } kinds[] = {
    {NS_USER, "user"}, {NS_PID, "pid"}, {NS_MNT, "mnt"}, {NS_NET, "net"},
    {NS_IPC, "ipc"},   {NS_UTS, "uts"}, {NS_TIME, "time"}, {NS_CGROUP, "cgroup"},
};

static const char help[] =
    "Usage: lsns [options] [NAMESPACE]\n\n"
    "List the namespaces of the system, or the processes of one (by inode number or path).\n\n"
    " -J, --json             json\n"
    " -l, --list             a list, not a tree\n"
    " -n, --noheadings       no heading\n"
    " -o, --output LIST      these columns; +LIST adds to the usual ones\n"
    "     --output-all       all columns\n"
    " -p, --task PID         the namespaces of this process\n"
    " -P, --persistent       namespaces without processes alone\n"
    " -r, --raw              one blank between columns, blanks within them escaped\n"
    " -t, --type NAME        this kind: mnt, net, ipc, user, pid, uts, cgroup or time; may be repeated\n"
    " -T, --tree[=REL]       a tree by owner (the default), parent or process\n"
    " -u, --notruncate       do not cut lines at the edge of the terminal\n"
    " -W, --nowrap           several paths in one line, with commas\n"
    " -H, --list-columns     list the columns\n"
    " -h, --help             this text\n"
    " -V, --version          the version\n";

static ns_error err;
static ns_listing *listing;

_Noreturn static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("lsns: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

static int must(int result)
{
    if (result < 0)
        fail("%s%s%s", err.message, *err.hint ? "\nhint: " : "", err.hint);
    return result;
}

/* The subject of a line: a namespace, and a process in it. */
struct subject {
    size_t index;
    ns_namespace namespace;
    int64_t pid, ppid, uid;
    const char *command, *user;
};

static struct subject whole(size_t index)
{
    struct subject it = {.index = index};
    must(ns_listing_get(listing, index, &it.namespace, sizeof it.namespace, &err));
    it.pid = it.namespace.pid;
    it.ppid = it.namespace.ppid;
    it.uid = it.namespace.uid;
    it.command = ns_listing_command(listing, index);
    it.user = ns_listing_user(listing, index);
    return it;
}

/* Fills in one process of a namespace. Returns false if the process has ended. */
static bool member(struct subject *it, int32_t pid)
{
    static char command[1 << 17];
    char path[64], text[1024];
    struct stat about;
    const struct passwd *entry;
    size_t len = 0;
    int ppid;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file) {
        len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    text[len] = '\0';
    /* The name may contain parentheses. It ends at the last one. */
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (!name || !end || sscanf(end + 1, " %*c %d", &ppid) != 1)
        return false;
    *end = '\0';
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (stat(path, &about))
        return false;
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    file = fopen(path, "re");
    len = 0;
    if (file) {
        len = fread(command, 1, sizeof command - 1, file);
        fclose(file);
    }
    while (len > 0 && command[len - 1] == '\0')
        len--;
    for (size_t i = 0; i < len; i++)
        command[i] = command[i] ? command[i] : ' ';
    command[len] = '\0';
    entry = getpwuid(about.st_uid);
    it->pid = pid;
    it->ppid = ppid;
    it->uid = about.st_uid;
    /* Both strings are valid until the next call. The row keeps copies. */
    it->command = len ? command : strcpy(command, name + 1);
    it->user = entry ? entry->pw_name : NULL;
    return true;
}

static char *text(const char *format, ...)
{
    char *made = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&made, format, args) < 0)
        fail("out of memory");
    va_end(args);
    return made;
}

static char *number_or_none(int64_t number)
{
    return number < 0 ? NULL : text("%lld", (long long)number);
}

static const char *kind_name(uint64_t kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "?";
}

/* Lists the paths where the namespace is mounted, each of them once. */
static char *mounts(const struct subject *it, const char *separator)
{
    char *all = NULL;
    for (size_t i = 0; i < it->namespace.holders; i++) {
        const char *path = ns_listing_holder_path(listing, it->index, i);
        bool known = false;
        for (size_t before = 0; path && before < i && !known; before++) {
            const char *other = ns_listing_holder_path(listing, it->index, before);
            known = other && strcmp(other, path) == 0;
        }
        if (!path || known)
            continue;
        char *longer = text("%s%s%s", all ? all : "", all ? separator : "", path);
        free(all);
        all = longer;
    }
    return all;
}

static char *path_to(const struct subject *it)
{
    const char *kind = kind_name(it->namespace.kind);
    ns_holder holder;
    if (it->pid > 0)
        return text("/proc/%d/ns/%s", (int)it->pid, kind);
    for (size_t i = 0; i < it->namespace.holders; i++) {
        must(ns_listing_holder(listing, it->index, i, &holder, sizeof holder, &err));
        switch (holder.how) {
        case NS_HELD_MOUNTS: return text("%s", ns_listing_holder_path(listing, it->index, i));
        case NS_HELD_DESCRIPTORS: return text("/proc/%d/fd/%d", holder.pid, holder.fd);
        case NS_HELD_THREADS: return text("/proc/%d/task/%d/ns/%s", holder.pid, holder.tid, kind);
        case NS_HELD_PID_FOR_CHILDREN:
        case NS_HELD_TIME_FOR_CHILDREN: return text("/proc/%d/task/%d/ns/%s_for_children", holder.pid, holder.tid, kind);
        }
    }
    return NULL;
}

static char *cell(int column, const struct subject *it, const char *separator)
{
    const ns_namespace *namespace = &it->namespace;
    switch (column) {
    case NS: return text("%llu", (unsigned long long)namespace->inode);
    case TYPE: return text("%s", kind_name(namespace->kind));
    case PATH: return path_to(it);
    case NPROCS: return text("%u", namespace->processes);
    case PID: return number_or_none(it->pid);
    case PPID: return number_or_none(it->ppid);
    case COMMAND: return it->command ? text("%s", it->command) : NULL;
    case UID: return number_or_none(it->uid);
    case USER: return it->user ? text("%s", it->user) : number_or_none(it->uid);
    case NETNSID:
        if (namespace->kind != NS_NET)
            return NULL;
        return namespace->nsid < 0 ? text("unassigned") : text("%d", namespace->nsid);
    case NSFS: return mounts(it, separator);
    case PNS: return text("%llu", (unsigned long long)namespace->parent_inode);
    default: return text("%llu", (unsigned long long)namespace->owner_inode);
    }
}

/* Adds the columns named in `list`, separated by commas. */
static void choose(struct table *table, const char *list)
{
    while (*list) {
        size_t len = strcspn(list, ","), column = 0;
        while (column < COLUMNS && (strlen(columns[column].name) != len || strncasecmp(columns[column].name, list, len)))
            column++;
        if (column == COLUMNS)
            fail("unknown column: %.*s", (int)len, list);
        if (table->width == MAX_COLUMNS)
            fail("more than %d columns", MAX_COLUMNS);
        table->columns[table->width++] = &columns[column];
        list += len + (list[len] == ',');
    }
}

static uint64_t kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    fail("unknown namespace type: %s", name);
}

static int64_t number(const char *what, const char *given)
{
    char *end;
    errno = 0;
    long long value = strtoll(given, &end, 10);
    if (end == given || *end || errno || value <= 0)
        fail("invalid %s argument: '%s'", what, given);
    return value;
}

static bool has(size_t index, int32_t pid)
{
    const int32_t *pids = NULL;
    int count = must(ns_listing_processes(listing, index, &pids, &err));
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

enum relation { BY_PROCESS, BY_PARENT, BY_OWNER };

/* Returns the namespace that another one is shown below. */
static int64_t above(enum relation relation, const struct subject *it)
{
    if (relation == BY_OWNER)
        return it->namespace.owner;
    if (relation == BY_PARENT)
        return it->namespace.parent;
    return it->ppid <= 0 ? -1 : ns_listing_find_process(listing, (int32_t)it->ppid, it->namespace.kind, &err);
}

static void add(struct table *table, const struct subject *it, long parent)
{
    struct row *row = &table->rows[table->length++];
    row->parent = parent;
    for (size_t c = 0; c < table->width; c++)
        row->cells[c] = cell((int)(table->columns[c] - columns), it, table->wrap ? "\n" : ",");
}

static void *zeroed(size_t count, size_t size)
{
    void *made = calloc(count + 1, size);
    if (!made)
        fail("out of memory");
    return made;
}

static void namespaces(struct table *table, int64_t task, bool persistent, bool tree, enum relation relation)
{
    size_t len = ns_listing_len(listing), count = 0;
    long *row_of = zeroed(len, sizeof *row_of);
    struct subject *all = zeroed(len, sizeof *all);

    for (size_t i = 0; i < len; i++) {
        all[i] = whole(i);
        bool shown = (!task || has(i, (int32_t)task)) && (!persistent || all[i].namespace.processes == 0);
        row_of[i] = shown ? (long)count++ : NO_ROW;
    }
    table->rows = zeroed(count, sizeof *table->rows);
    for (size_t i = 0; i < len; i++) {
        if (row_of[i] == NO_ROW)
            continue;
        int64_t parent = tree ? above(relation, &all[i]) : -1;
        add(table, &all[i], parent < 0 ? NO_ROW : row_of[parent]);
    }
    free(all);
    free(row_of);
}

/* Adds the processes of one namespace, each below its parent. */
static void processes(struct table *table, size_t index, bool tree)
{
    const int32_t *pids = NULL;
    size_t count = (size_t)must(ns_listing_processes(listing, index, &pids, &err));
    struct subject it = whole(index);

    table->rows = zeroed(count, sizeof *table->rows);
    int64_t *listed = zeroed(count, sizeof *listed);
    for (size_t i = 0; i < count; i++) {
        if (!member(&it, pids[i]))
            continue;
        long parent = (long)table->length - 1;
        while (tree && parent >= 0 && listed[parent] != it.ppid)
            parent--;
        listed[table->length] = it.pid;
        add(table, &it, tree ? parent : NO_ROW);
    }
    free(listed);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", 0, 0, 'J'},       {"list", 0, 0, 'l'},         {"noheadings", 0, 0, 'n'}, {"output", 1, 0, 'o'},
        {"output-all", 0, 0, 'A'}, {"task", 1, 0, 'p'},         {"persistent", 0, 0, 'P'}, {"raw", 0, 0, 'r'},
        {"type", 1, 0, 't'},       {"tree", 2, 0, 'T'},         {"notruncate", 0, 0, 'u'}, {"nowrap", 0, 0, 'W'},
        {"help", 0, 0, 'h'},       {"list-columns", 0, 0, 'H'}, {"version", 0, 0, 'V'},    {0, 0, 0, 0},
    };
    static const char *relations[] = {"process", "parent", "owner"};
    struct table table = {.title = "namespaces", .lines = -1, .heading = true, .wrap = true};
    enum relation relation = BY_PROCESS;
    bool json = false, raw = false, flat = false, persistent = false, truncate = true, all = false, asked = false;
    const char *output = NULL;
    uint64_t wanted = 0;
    int64_t task = 0;
    int option;

    while ((option = getopt_long(argc, argv, "JlnAo:p:Prt:T::uWhHV", options, NULL)) != -1) {
        switch (option) {
        case 'J': json = true; break;
        case 'l': flat = true; break;
        case 'n': table.heading = false; break;
        case 'o': output = optarg; break;
        case 'A': all = true; break;
        case 'p': task = number("PID", optarg); break;
        case 'P': persistent = true; break;
        case 'r': raw = true; break;
        case 't': wanted |= kind(optarg); break;
        case 'u': truncate = false; break;
        case 'W': table.wrap = false; break;
        case 'T':
            asked = true;
            optarg = optarg && *optarg == '=' ? optarg + 1 : optarg;
            for (relation = BY_PROCESS; optarg && relation <= BY_OWNER && strcmp(relations[relation], optarg); relation++)
                ;
            relation = optarg ? relation : BY_OWNER;
            if (relation > BY_OWNER)
                fail("unknown tree type: %s", optarg);
            break;
        case 'H':
            for (size_t i = 0; i < COLUMNS; i++)
                printf("%10s  %s\n", columns[i].name, columns[i].help);
            return EXIT_SUCCESS;
        case 'h':
            fputs(help, stdout);
            printf("\nColumns:\n");
            for (size_t i = 0; i < COLUMNS; i++)
                printf("%12s  %s\n", columns[i].name, columns[i].help);
            return EXIT_SUCCESS;
        case 'V': printf("lsns from nsiso %s\n", ns_version()); return EXIT_SUCCESS;
        default: fprintf(stderr, "Try 'lsns --help' for more information.\n"); return EXIT_FAILURE;
        }
    }
    if (argc - optind > 1)
        fail("one namespace at a time");
    const char *argument = argv[optind];
    if (argument && task)
        fail("--task and a namespace exclude each other");

    if (all)
        choose(&table, "NS,TYPE,PATH,NPROCS,PID,PPID,COMMAND,UID,USER,NETNSID,NSFS,PNS,ONS");
    else if (!output || *output == '+')
        choose(&table, argument              ? "PID,PPID,USER,COMMAND"
                       : wanted == NS_NET    ? "NS,TYPE,NPROCS,PID,USER,NETNSID,NSFS,COMMAND"
                                             : "NS,TYPE,NPROCS,PID,USER,COMMAND");
    if (output && !all)
        choose(&table, *output == '+' ? output + 1 : output);
    if (table.width == 0)
        fail("no columns");

    bool tree = (!flat && !raw && !json) || asked;
    int drawn = relation == BY_PROCESS ? COMMAND : NS;
    for (size_t c = 0; tree && !raw && !json && c < table.width; c++)
        if (table.columns[c] == &columns[drawn])
            table.lines = (int)c;
    static struct column drawn_column;
    if (table.lines >= 0) {
        /* Lines of a tree are aligned to the left. */
        drawn_column = columns[drawn];
        drawn_column.number = false;
    }
    table.nested = json && asked;

    uint64_t read = argument || !wanted ? NS_ALL : wanted;
    must(ns_list(read, NS_LIST_EVERYWHERE, &listing, &err));
    if (argument) {
        int index;
        if (*argument == '/' || *argument == '.') {
            index = must(ns_listing_find_path(listing, argument, &err));
        } else {
            index = ns_listing_find_inode(listing, (uint64_t)number("namespace", argument), &err);
            if (index < 0)
                fail("not found namespace: %s", argument);
        }
        table.title = "processes";
        processes(&table, (size_t)index, tree);
    } else {
        if (task && ns_listing_find_process(listing, (int32_t)task, wanted ? wanted & -wanted : NS_USER, &err) < 0)
            fail("not found process: %lld, or its namespaces may not be read", (long long)task);
        namespaces(&table, task, persistent, tree, relation);
    }
    if (table.lines >= 0)
        table.columns[table.lines] = &drawn_column;

    struct winsize screen;
    if (truncate && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &screen) == 0)
        table.screen = screen.ws_col;
    hang(&table);
    if (json)
        print_json(&table);
    else
        print_lines(&table, raw);

    ns_gaps gaps;
    must(ns_listing_gaps(listing, &gaps, sizeof gaps, &err));
    if (gaps.unreadable && isatty(STDERR_FILENO))
        fprintf(stderr, "lsns: %u processes may not be read; root sees more\n", gaps.unreadable);
    for (size_t i = 0; i < table.length; i++)
        for (size_t c = 0; c < table.width; c++)
            free(table.rows[i].cells[c]);
    free(table.rows);
    ns_listing_free(listing);
    return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
