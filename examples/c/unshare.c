/* unshare(1) on top of libnsiso: the options of util-linux 2.42 that a spec can express, as its
 * manual page describes them.
 *
 * Without --fork the tool becomes the program, and if the set-up fails the exit code is 126, not 1.
 * If signal N kills a child, the exit code is 128 + N. With --kill-child the program is PID 2,
 * because PID 1 is the library's init process. Unlike in unshare(1), a caller whose own id is not
 * mapped gets the lowest mapped id. */
#define _GNU_SOURCE
#include "tool.h"
#include "unshare_options.h"

/* The requested map of uids or of gids. */
struct ids {
    int64_t caller; /* the id that the caller's own id maps to, or -1 */
    bool automatic;
    size_t count;
    struct { uint32_t inner, outer, count; } ranges[340];
};

static int64_t seconds(const char *text)
{
    int64_t value;
    if (!number(text, &value))
        fail("'%s' is not a number of seconds", text);
    return value;
}

/* Returns the index of `text` in a list of words that NULs separate and an empty word ends. */
static int choice(const char *option, const char *words, const char *text)
{
    int found = 0;
    for (; *words; words += strlen(words) + 1, found++)
        if (strcmp(words, text) == 0)
            return found;
    fail("--%s cannot be '%s'", option, text);
}

/* Parses "INNER:OUTER:COUNT", "OUTER,INNER,COUNT" (before util-linux 2.39), or "auto". */
static void add_range(struct ids *ids, const char *text)
{
    uint32_t part[3];
    char separator = strchr(text, ',') ? ',' : ':';
    if (strcmp(text, "auto") == 0) {
        ids->automatic = true;
        return;
    }
    if (strcmp(text, "all") == 0 || strcmp(text, "subids") == 0)
        fail("mapping '%s' is not supported yet", text);
    const char *rest = text;
    for (int i = 0; i < 3; i++) {
        char *end;
        unsigned long value = strtoul(rest, &end, 10);
        if (!isdigit((unsigned char)*rest) || value > UINT32_MAX || *end != (i < 2 ? separator : '\0'))
            fail("mapping '%s' is neither INNER:OUTER:COUNT nor 'auto'", text);
        part[i] = (uint32_t)value;
        rest = end + 1;
    }
    if (ids->count == sizeof ids->ranges / sizeof ids->ranges[0])
        fail("too many mappings");
    bool old = separator == ',';
    ids->ranges[ids->count].inner = part[old ? 1 : 0];
    ids->ranges[ids->count].outer = part[old ? 0 : 1];
    ids->ranges[ids->count++].count = part[2];
}

typedef int map_setter(ns_spec *, uint32_t inside, uint32_t outside, uint32_t count, ns_error *);

/* Returns how many of `left` ids, starting at `first`, come before the id `taken`. */
static uint32_t before(int64_t taken, uint64_t first, uint32_t left)
{
    return taken > (int64_t)first && taken - (int64_t)first < left ? (uint32_t)(taken - (int64_t)first) : left;
}

/* Adds one map to the spec. The ranges leave out the caller's own id, both inside and outside. */
static void apply_map(ns_spec *spec, const struct ids *ids, uint32_t own, map_setter *add)
{
    if (ids->caller >= 0)
        must(add(spec, (uint32_t)ids->caller, own, 1, &err));
    for (size_t i = 0; i < ids->count; i++) {
        uint64_t inner = ids->ranges[i].inner, outer = ids->ranges[i].outer;
        uint64_t inner_end = inner + ids->ranges[i].count, outer_end = outer + ids->ranges[i].count;
        int64_t own_outer = ids->caller >= 0 ? (int64_t)own : -1;
        if (ids->ranges[i].count == 0 || inner_end > UINT32_MAX || outer_end > UINT32_MAX)
            fail("mapping of %u ids: there are none, or they go beyond 4294967294", ids->ranges[i].count);
        while (true) {
            inner += (int64_t)inner == ids->caller;
            outer += (int64_t)outer == own_outer;
            if (inner >= inner_end || outer >= outer_end)
                break;
            uint32_t count = before(ids->caller, inner, (uint32_t)(inner_end - inner));
            uint32_t fits = before(own_outer, outer, (uint32_t)(outer_end - outer));
            count = count < fits ? count : fits;
            must(add(spec, (uint32_t)inner, (uint32_t)outer, count, &err));
            inner += count;
            outer += count;
        }
    }
}

const char tool[] = "unshare";

int main(int argc, char *argv[])
{
    struct ids users = {.caller = -1}, groups = {.caller = -1};
    char letters[2 * ROWS + 2] = "";
    struct option options[ROWS + 1] = {0};
    uint64_t kinds = 0;
    bool forward = false, forked = false, clocks = false, kill_child = false;
    int setgroups = -1;
    ns_spec *spec = ns_spec_new();
    if (!spec)
        fail("out of memory");

    describe(letters, options);
    for (int key; (key = getopt_long(argc, argv, letters, options, NULL)) != -1;) {
        const struct row *row = row_of(key);
        if (!row) {
            fputs("Try 'unshare --help'.\n", stderr);
            return FAILED;
        }
        if (!row->help)
            fail("--%s is not supported yet", row->name);
        kinds |= row->kind;
        if (row->kind && optarg)
            must(ns_spec_pin(spec, row->kind, optarg, &err));
        switch (key) {
        case MOUNT_PROC: must(ns_spec_mount_proc(spec, optarg ? optarg : "/proc", &err)); break;
        case MAP_USER: users.caller = user(optarg); break;
        case MAP_GROUP: groups.caller = group(optarg); break;
        case MAP_USERS: add_range(&users, optarg); break;
        case MAP_GROUPS: add_range(&groups, optarg); break;
        case MAP_AUTO: users.automatic = groups.automatic = true; break;
        case 'r': users.caller = groups.caller = 0; break;
        case 'c': users.caller = geteuid(), groups.caller = getegid(); break;
        case PROPAGATION: {
            int found = choice(row->name, "private\0slave\0shared\0unchanged\0", optarg);
            must(ns_spec_propagation(spec, NS_PROPAGATION_PRIVATE + found, &err));
            break;
        }
        case SETGROUPS: setgroups = choice(row->name, "deny\0allow\0", optarg); break;
        case KEEP_CAPS: must(ns_spec_keep_caps(spec, &err)); break;
        case 'w': must(ns_spec_cwd(spec, optarg, &err)); break;
        case 'S': must(ns_spec_uid(spec, user(optarg), &err)); break;
        case 'G':
            must(ns_spec_gid(spec, group(optarg), &err));
            must(ns_spec_groups(spec, NULL, 0, &err));
            break;
        case MONOTONIC: clocks = true, must(ns_spec_monotonic(spec, seconds(optarg), 0, &err)); break;
        case BOOTTIME: clocks = true, must(ns_spec_boottime(spec, seconds(optarg), 0, &err)); break;
        case 'f': forked = true; break;
        case KILL_CHILD:
            if (optarg && strcmp(optarg, "KILL") != 0 && strcmp(optarg, "SIGKILL") != 0)
                fail("--kill-child=%s is not supported yet: everything gets SIGKILL", optarg);
            kill_child = forked = true;
            break;
        case FORWARD_SIGNALS: forward = true; break;
        case 'h': print_help(); return 0;
        case 'V': printf("unshare from nsiso %s\n", ns_version()); return 0;
        default: break;
        }
    }

    if (kill_child && !(kinds & NS_PID))
        fail("--kill-child needs --pid");
    if (kill_child)
        must(ns_spec_die_with_parent(spec, 1, &err));
    if (clocks && !(kinds & NS_TIME))
        fail("--monotonic and --boottime need --time");
    if (users.automatic != groups.automatic)
        fail("'auto' for uids or gids alone is not supported yet: use --map-auto");
    bool maps = users.caller >= 0 || groups.caller >= 0 || users.count || groups.count || users.automatic;
    if (setgroups >= 0 && !maps && !(kinds & NS_USER))
        fail("--setgroups needs --user");
    /* If only the own group is mapped, setgroups(2) must be denied. */
    if (groups.caller >= 0 && !groups.count && !groups.automatic) {
        if (setgroups == 1)
            fail("--setgroups=allow does not go with a map of one's own group");
        setgroups = 0;
    }
    must(ns_spec_unshare(spec, kinds, &err));
    apply_map(spec, &users, geteuid(), ns_spec_uid_map);
    apply_map(spec, &groups, getegid(), ns_spec_gid_map);
    if (users.automatic)
        must(ns_spec_map_auto(spec, &err));
    if (setgroups >= 0)
        must(ns_spec_setgroups(spec, setgroups, &err));
    must(ns_spec_loopback(spec, false, &err)); /* unshare(1) leaves the loopback device down */
    inherit_descriptors(spec);
    set_program(spec, argv + optind);
    if (!forked && !forward)
        become(spec);
    return run(spec, forward);
}
