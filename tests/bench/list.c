/* Measures ns_list() with the scope that the case names. Case "memory" prints the bytes of a full
 * listing and its length instead of times. bench.h describes the protocol. */
#define _GNU_SOURCE
#include <malloc.h>
#include <nsiso.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct { const char *name; uint32_t look; } cases[] = {
    {"scan", 0},
    {"details", NS_LIST_DETAILS},
    {"fds", NS_LIST_DESCRIPTORS},
    {"everywhere", NS_LIST_EVERYWHERE},
    {"memory", NS_LIST_DETAILS},
};

static ns_listing *listed(uint32_t look)
{
    ns_error error;
    ns_listing *listing;
    if (ns_list(NS_ALL, look, &listing, &error)) {
        fprintf(stderr, "nsiso: %s %s\n", error.message, error.hint);
        exit(1);
    }
    return listing;
}

static long long now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void memory(uint32_t look)
{
    ns_listing_free(listed(look));
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    ns_listing *listing = listed(look);
    printf("%zu %zu\n", mallinfo2().uordblks + mallinfo2().hblkhd - before, ns_listing_len(listing));
    ns_listing_free(listing);
}

static void times(uint32_t look, int count)
{
    for (int n = 0; n < count; n++) {
        long long start = now();
        ns_listing_free(listed(look));
        printf("%lld ", now() - start);
    }
    puts("");
}

int main(void)
{
    char name[32];
    int count;
    while (scanf("%31s %d", name, &count) == 2) {
        for (size_t n = 0; n < sizeof cases / sizeof *cases; n++)
            if (strcmp(cases[n].name, name) == 0)
                strcmp(name, "memory") ? times(cases[n].look, count) : memory(cases[n].look);
        fflush(stdout);
    }
    return 0;
}
