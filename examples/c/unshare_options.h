/* The options of unshare(1) of util-linux 2.42 as one table, which feeds getopt_long(3) and
 * --help. */
#ifndef UNSHARE_OPTIONS_H
#define UNSHARE_OPTIONS_H

#include <getopt.h>
#include <nsiso.h>
#include <stdio.h>

/* Options without a short form. */
enum {
    MOUNT_PROC = 256, MAP_USER, MAP_GROUP, MAP_USERS, MAP_GROUPS, MAP_AUTO, PROPAGATION, SETGROUPS,
    KEEP_CAPS, MONOTONIC, BOOTTIME, FORWARD_SIGNALS, KILL_CHILD, MOUNT_BINFMT, OWNER, MAP_SUBIDS,
};

/* All options. One with a kind requests a new namespace. One without a help text is not
 * supported. */
static const struct row {
    int key;
    const char *name;
    int argument;
    const char *help;
    uint64_t kind;
} rows[] = {
    {'m', "mount", optional_argument, "new mount namespace", NS_MNT},
    {'u', "uts", optional_argument, "new UTS namespace (host name)", NS_UTS},
    {'i', "ipc", optional_argument, "new System V IPC namespace", NS_IPC},
    {'n', "net", optional_argument, "new network namespace", NS_NET},
    {'p', "pid", optional_argument, "new pid namespace", NS_PID},
    {'U', "user", optional_argument, "new user namespace", NS_USER},
    {'C', "cgroup", optional_argument, "new cgroup namespace", NS_CGROUP},
    {'T', "time", optional_argument, "new time namespace", NS_TIME},
    {'f', "fork", no_argument, "accepted: the program always runs as a child", 0},
    {MOUNT_PROC, "mount-proc", optional_argument, "mount proc at the path (/proc); implies --mount", 0},
    {MAP_USER, "map-user", required_argument, "map the caller to this uid or name", 0},
    {MAP_GROUP, "map-group", required_argument, "map the caller's group to this gid or name", 0},
    {MAP_USERS, "map-users", required_argument, "map a range of uids, INNER:OUTER:COUNT, or \"auto\"", 0},
    {MAP_GROUPS, "map-groups", required_argument, "map a range of gids, INNER:OUTER:COUNT, or \"auto\"", 0},
    {MAP_AUTO, "map-auto", no_argument, "--map-users=auto --map-groups=auto", 0},
    {'r', "map-root-user", no_argument, "--map-user=0 --map-group=0", 0},
    {'c', "map-current-user", no_argument, "map the caller to itself", 0},
    {PROPAGATION, "propagation", required_argument, "of mounts: private, slave, shared, unchanged", 0},
    {SETGROUPS, "setgroups", required_argument, "setgroups(2) in the user namespace: allow, deny", 0},
    {KEEP_CAPS, "keep-caps", no_argument, "keep the user namespace's capabilities", 0},
    {'w', "wd", required_argument, "change to this directory", 0},
    {'S', "setuid", required_argument, "run as this uid", 0},
    {'G', "setgid", required_argument, "run as this gid, without supplementary groups", 0},
    {MONOTONIC, "monotonic", required_argument, "seconds added to the monotonic clock", 0},
    {BOOTTIME, "boottime", required_argument, "seconds added to the time since boot", 0},
    {FORWARD_SIGNALS, "forward-signals", no_argument, "pass SIGINT and SIGTERM on", 0},
    {KILL_CHILD, "kill-child", optional_argument, "kill everything inside when unshare dies; needs --pid", 0},
    {'h', "help", no_argument, "print this", 0},
    {'V', "version", no_argument, "print the version", 0},
    {'R', "root", required_argument, NULL, 0},
    {'l', "load-interp", required_argument, NULL, 0},
    {MOUNT_BINFMT, "mount-binfmt", optional_argument, NULL, 0},
    {OWNER, "owner", required_argument, NULL, 0},
    {MAP_SUBIDS, "map-subids", no_argument, NULL, 0},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static void print_help(void)
{
    puts("Usage: unshare [options] [program [arguments]]\n\n"
         "Runs a program, or the shell, in new namespaces.\n");
    for (const struct row *row = rows; row < rows + ROWS && row->help; row++) {
        char letter[] = {'-', (char)row->key, ',', '\0'};
        printf(" %3s --%-17s %s\n", row->key < MOUNT_PROC ? letter : "", row->name, row->help);
    }
}

/* Fills in the arguments of getopt_long(3). "+" makes it stop at the program's name. */
static void describe(char *letters, struct option *options)
{
    *letters++ = '+';
    for (size_t i = 0; i < ROWS; i++) {
        options[i] = (struct option){rows[i].name, rows[i].argument, NULL, rows[i].key};
        if (rows[i].key < MOUNT_PROC) {
            *letters++ = (char)rows[i].key;
            if (rows[i].argument == required_argument)
                *letters++ = ':';
        }
    }
}

static const struct row *row_of(int key)
{
    for (const struct row *row = rows; row < rows + ROWS; row++)
        if (row->key == key)
            return row;
    return NULL;
}

#endif
