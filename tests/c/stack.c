/* Tests how much of the calling thread's stack the functions use: at most 16 KiB, or
 * 64 KiB where a document is read or written, as nsiso.h says. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#define STACK (256 * 1024)
#define LIMIT (16 * 1024)
#define PAINT 0xA5

static unsigned char *stack;
static ns_spec *spec;

static void ended_well(const ns_spec *of)
{
    ns_process *process;
    ns_status status;
    char *json;
    OK(ns_spawn(of, &process, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    OK(ns_process_status_to_json(process, &json, &err));
    ns_string_free(json);
    ns_process_free(process);
    CHECK(status.exit_code == 0);
}

static void spawn_and_wait(void)
{
    ended_well(spec);
}

static void fail_to_spawn(void)
{
    ns_process *process;
    const char *argv[] = {"/does/not/exist", NULL};
    ns_spec *wrong = ns_spec_new();
    OK(ns_spec_argv(wrong, argv, &err));
    OK(ns_spec_sandbox(wrong, &err));
    FAILS(ns_spawn(wrong, &process, &err), ENOENT, "/does/not/exist");
    ns_spec_free(wrong);
}

/* For each endpoint, a child makes a socket. */
static void spawn_with_a_link(void)
{
    int user, network;
    ns_endpoint *within = ns_endpoint_new(), *other = ns_endpoint_new();
    ns_spec *lab = ns_spec_new(), *linked = shell("exit 0");
    OK(ns_spec_map_root(lab, &err));
    OK(ns_hold(lab, NS_USER, &user, &err));
    OK(ns_spec_join(linked, user, &err));
    ns_spec *router = ns_spec_new();
    OK(ns_spec_join(router, user, &err));
    OK(ns_hold(router, NS_NET, &network, &err));
    OK(ns_endpoint_netns(other, network, &err));
    OK(ns_spec_link(linked, within, other, &err));
    ended_well(linked);
    close(user), close(network);
    ns_spec_free(lab), ns_spec_free(router), ns_spec_free(linked);
    ns_endpoint_free(within), ns_endpoint_free(other);
}

/* This starts pasta(1), whether or not pasta finds a network here. */
static void spawn_with_an_uplink(void)
{
    ns_process *process;
    ns_spec *reached = shell("exit 0");
    OK(ns_spec_map_root(reached, &err));
    OK(ns_spec_uplink(reached, NULL, NULL, 0, NULL, 0, &err));
    if (ns_spawn(reached, &process, NULL) == 0)
        ns_process_free(process);
    ns_spec_free(reached);
}

/* An ordinary user needs newuidmap(1) for ranges. */
static void spawn_with_ranges(void)
{
    ns_process *process;
    ns_spec *mapped = shell("exit 0");
    OK(ns_spec_uid_map(mapped, 0, 100000, 10, &err));
    OK(ns_spec_gid_map(mapped, 0, 100000, 10, &err));
    if (ns_spawn(mapped, &process, NULL) == 0)
        ns_process_free(process);
    ns_spec_free(mapped);
}

/* The deepest document that the library reads, and one with options. */
static void read_documents(void)
{
    char deep[512] = "{\"seccomp\": ", *json;
    ns_spec *read;
    memset(deep + strlen(deep), '[', 400);
    CHECK(ns_spec_from_json(deep, &read, NULL) == -EINVAL);
    OK(ns_spec_from_json("{\"sandbox\": true, \"limits\": {\"memory\": \"1M\"}, \"mounts\": [{\"type\": \"dev\", \"target\": \"/d\"}]}", &read, &err));
    OK(ns_spec_add_json(read, "{\"nice\": 1}", &err));
    OK(ns_spec_to_json(read, &json, &err));
    ns_string_free(json);
    ns_spec_free(read);
}

static void list(void)
{
    ns_listing *listing;
    char *json;
    OK(ns_list(NS_ALL, NS_LIST_DETAILS, &listing, &err));
    OK(ns_listing_to_json(listing, &json, &err));
    ns_string_free(json);
    ns_listing_free(listing);
}

static void probe(void)
{
    ns_features *features;
    char *json;
    OK(ns_probe(&features, &err));
    OK(ns_features_to_json(features, &json, &err));
    ns_string_free(json);
    ns_features_free(features);
}

static const struct call {
    const char *name;
    void (*function)(void);
    size_t limit;
} calls[] = {
    {"a spawn", spawn_and_wait, LIMIT},
    {"a spawn that fails", fail_to_spawn, LIMIT},
    {"a spawn with a link", spawn_with_a_link, LIMIT},
    {"a spawn with an uplink", spawn_with_an_uplink, LIMIT},
    {"a spawn with ranges of ids", spawn_with_ranges, LIMIT},
    {"documents", read_documents, 4 * LIMIT},
    {"a listing", list, LIMIT},
    {"a probe", probe, LIMIT},
};

/* Fills the stack below its own frame with a pattern, makes the call, and measures how much of the
 * pattern was overwritten. */
static void *measure(void *argument)
{
    const struct call *call = argument;
    volatile unsigned char frame = 0;
    size_t below = (size_t)(&frame - stack) - 512, clean = 0;

    memset(stack, PAINT, below);
    call->function();
    while (clean < below && stack[clean] == PAINT)
        clean++;
    printf("%s: %zu bytes of stack\n", call->name, below - clean);
    CHECK(clean < below && below - clean <= call->limit);
    return NULL;
}

int main(void)
{
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    spec = shell("exit 0");
    OK(ns_spec_sandbox(spec, &err));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        pthread_attr_t attributes;
        pthread_t thread;
        CHECK(!pthread_attr_init(&attributes));
        CHECK(!pthread_attr_setstack(&attributes, stack, STACK));
        CHECK(!pthread_create(&thread, &attributes, measure, (void *)&calls[i]));
        CHECK(!pthread_join(thread, NULL));
        pthread_attr_destroy(&attributes);
    }
    ns_spec_free(spec);
    return 0;
}
