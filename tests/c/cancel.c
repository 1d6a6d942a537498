/* Tests threads that are cancelled or end during a call: pthread_cancel(3), pthread_exit(3). */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

static atomic_int reached;

static void sleep_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

static void *joined(pthread_t thread)
{
    void *value;
    CHECK(!pthread_join(thread, &value));
    return value;
}

/* Later calls reap processes that were freed while they ran. */
static void until_no_child_is_left(void)
{
    siginfo_t info;
    for (int i = 0; i < 1000; i++) {
        char text[8];
        output(shell("exit 0"), text, sizeof text);
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD)
            return;
        sleep_ms(5);
    }
    CHECK(!"no child is left");
}

/* With a cancellation pending, every call does its work. The thread ends at the next cancellation
 * point of its own. */
static void *call_everything_cancelled(void *nothing)
{
    ns_listing *listing;
    ns_features *features;
    ns_process *process;
    ns_status status;
    ns_identity identity;
    int fd, before;

    CHECK(!pthread_cancel(pthread_self()));
    ns_spec *spec = shell("exit 4");
    OK(ns_spec_unshare(spec, NS_USER | NS_PID, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spawn(spec, &process, &err));
    while (ns_process_wait(process, 0, &status, sizeof status, NULL) == -ETIMEDOUT)
        ;
    CHECK(status.exit_code == 4);
    ns_process_free(process);
    OK(ns_spawn(spec, &process, &err));
    ns_process_free(process);
    ns_spec_free(spec);
    OK(ns_list(NS_ALL, 0, &listing, &err));
    for (size_t i = 0; i < ns_listing_len(listing); i++)
        ns_listing_user(listing, i);
    ns_listing_free(listing);
    OK(ns_probe(&features, &err));
    ns_features_free(features);
    OK(fd = ns_open_pid(0, NS_NET, &err));
    OK(ns_identify(fd, &identity, sizeof identity, &err));
    ns_error err;
    CHECK(ns_open("/does/not/exist", &err) == -ENOENT);
    /* The calls restored the thread's cancelability state. */
    CHECK(!pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before) && before == PTHREAD_CANCEL_ENABLE);
    close(fd);
    OK(fd = ns_open_pid(0, NS_NET, &err));
    close(fd);
    reached = 1;
    CHECK(!pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before) && before == PTHREAD_CANCEL_DISABLE);
    pthread_testcancel();
    CHECK(!"still here");
    return nothing;
}

static void a_pending_cancellation_waits_until_the_call_has_returned(void)
{
    pthread_t thread;
    reached = 0;
    CHECK(!pthread_create(&thread, NULL, call_everything_cancelled, NULL));
    CHECK(joined(thread) == PTHREAD_CANCELED && reached);
    until_no_child_is_left();
}

static void *wait_for_ever(void *process)
{
    ns_status status;
    reached = 1;
    ns_process_wait(process, -1, &status, sizeof status, NULL);
    CHECK(!"not cancelled");
    return NULL;
}

static void *wait_a_minute(void *process)
{
    ns_status status;
    reached = 1;
    ns_process_wait(process, 60000 * MS, &status, sizeof status, NULL);
    CHECK(!"not cancelled");
    return NULL;
}

static void a_wait_is_cancelled_and_the_process_is_not_lost(void)
{
    pthread_t threads[2];
    ns_process *process;
    ns_status status;
    int before = open_descriptors();
    ns_spec *spec = shell("exec sleep 1000");
    OK(ns_spawn(spec, &process, &err));
    for (int i = 0; i < 2; i++) {
        reached = 0;
        CHECK(!pthread_create(&threads[i], NULL, i ? wait_for_ever : wait_a_minute, process));
        while (!reached)
            sched_yield();
        sleep_ms(i * 20);
        CHECK(!pthread_cancel(threads[i]));
        CHECK(joined(threads[i]) == PTHREAD_CANCELED);
    }
    OK(ns_process_signal(process, SIGTERM, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.signal == SIGTERM);
    ns_process_free(process);
    ns_spec_free(spec);
    CHECK(open_descriptors() == before);
}

static void nothing_on_signal(int signal)
{
    (void)signal;
}

static void a_wait_takes_as_long_as_it_is_to(void)
{
    ns_process *process;
    ns_status status;
    ns_error err;
    struct timespec start, end;
    struct sigaction action = {.sa_handler = nothing_on_signal}, old;
    ns_spec *spec = shell("kill -USR1 $PPID; exec sleep 1000");

    /* A signal interrupts poll(2), but ns_process_wait() continues. */
    CHECK(!sigaction(SIGUSR1, &action, &old));
    OK(ns_spawn(spec, &process, &err));
    clock_gettime(CLOCK_MONOTONIC, &start);
    CHECK(ns_process_wait(process, 150 * MS, &status, sizeof status, &err) == -ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    CHECK(ms >= 149 && ms < 5000);
    CHECK(ns_process_wait(NULL, -1, &status, sizeof status, &err) == -EINVAL);
    CHECK(ns_process_wait(process, -1, NULL, sizeof status, &err) == -EINVAL);
    OK(ns_process_signal(process, SIGKILL, &err));
    OK(ns_process_wait(process, INT64_MAX, &status, sizeof status, &err));
    OK(ns_process_wait(process, INT64_MIN, &status, sizeof status, &err));
    CHECK(status.signal == SIGKILL);
    ns_process_free(process);
    ns_spec_free(spec);
    CHECK(!sigaction(SIGUSR1, &old, NULL));
}

static void free_process(void *process)
{
    ns_process_free(*(ns_process **)process);
}

/* Spawns and waits until the thread is cancelled. */
static void *spawn_until_cancelled(void *spec)
{
    ns_process *process = NULL;
    ns_status status;
    pthread_cleanup_push(free_process, &process);
    for (;;) {
        OK(ns_spawn(spec, &process, &err));
        OK(ns_process_wait(process, -1, &status, sizeof status, &err));
        CHECK(status.exit_code == 0);
        ns_process_free(process);
        process = NULL;
        pthread_testcancel();
    }
    pthread_cleanup_pop(1);
    return NULL;
}

static void threads_are_cancelled_at_any_moment(void)
{
    int before = open_descriptors();
    ns_spec *spec = shell("exit 0");
    OK(ns_spec_unshare(spec, NS_USER, &err));
    OK(ns_spec_map_root(spec, &err));
    for (int round = 0; round < 60; round++) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            CHECK(!pthread_create(&threads[i], NULL, spawn_until_cancelled, spec));
        struct timespec time = {0, round * 137000L};
        nanosleep(&time, NULL);
        for (int i = 0; i < 4; i++)
            CHECK(!pthread_cancel(threads[i]));
        for (int i = 0; i < 4; i++)
            CHECK(joined(threads[i]) == PTHREAD_CANCELED);
    }
    ns_spec_free(spec);
    until_no_child_is_left();
    CHECK(open_descriptors() == before);
}

static int inside, cleaned;

static void clean(void *by)
{
    cleaned += *(int *)by;
}

static void *return_it(void *argument)
{
    return argument;
}

static void exit_deep_down(void *argument)
{
    int by = 10;
    pthread_cleanup_push(clean, &by);
    pthread_exit(argument);
    pthread_cleanup_pop(0);
}

static void *exit_with_it(void *argument)
{
    exit_deep_down(argument);
    return NULL;
}

static void *cancel_oneself(void *argument)
{
    CHECK(!pthread_cancel(pthread_self()));
    pthread_testcancel();
    return argument;
}

static void *call_cancelled(void *netns)
{
    void *result;
    CHECK(!pthread_cancel(pthread_self()));
    OK(ns_call(netns, 1, return_it, &inside, &result, &err));
    CHECK(result == &inside);
    reached = 1;
    pthread_testcancel();
    return NULL;
}

static void a_function_of_a_call_may_end_its_thread(void)
{
    pthread_t thread;
    void *result = NULL;
    int netns;
    OK(netns = ns_open_pid(0, NS_NET, &err));
    OK(ns_call(&netns, 1, return_it, &inside, &result, &err));
    CHECK(result == &inside);
    OK(ns_call(&netns, 1, exit_with_it, &cleaned, &result, &err));
    CHECK(result == &cleaned && cleaned == 10);
    OK(ns_call(&netns, 1, exit_with_it, NULL, NULL, &err));
    OK(ns_call(&netns, 1, cancel_oneself, &inside, &result, &err));
    CHECK(result == PTHREAD_CANCELED);
    reached = 0;
    CHECK(!pthread_create(&thread, NULL, call_cancelled, &netns));
    CHECK(joined(thread) == PTHREAD_CANCELED && reached);
    close(netns);
}

/* Runs in a child that may enter its namespaces, as ns_call() requires. */
static void calls_in_namespaces(void)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
            printf("skipped: user namespaces: %s\n", strerror(errno));
            exit(0);
        }
        RUN(a_function_of_a_call_may_end_its_thread);
        exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(void)
{
    RUN(a_pending_cancellation_waits_until_the_call_has_returned);
    RUN(a_wait_is_cancelled_and_the_process_is_not_lost);
    RUN(a_wait_takes_as_long_as_it_is_to);
    RUN(threads_are_cancelled_at_any_moment);
    calls_in_namespaces();
    return 0;
}
