/* Tests links between network namespaces, from C. */
#include "check.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

/* A user namespace. It owns the network namespaces, as an ordinary user needs it. */
static int user;

static int network(void)
{
    int held;
    ns_spec *spec = ns_spec_new();
    OK(ns_spec_join(spec, user, &err));
    OK(ns_hold(spec, NS_NET, &held, &err));
    ns_spec_free(spec);
    return held;
}

static ns_endpoint *end(int network, const char *address)
{
    ns_endpoint *end = ns_endpoint_new();
    OK(ns_endpoint_netns(end, network, &err));
    if (address)
        OK(ns_endpoint_address(end, address, &err));
    return end;
}

/* Runs a shell command line in a network namespace and stores its output. */
static void inside(int network, const char *line, char *out, size_t size)
{
    ns_spec *spec = shell(line);
    OK(ns_spec_join(spec, user, &err));
    OK(ns_spec_join(spec, network, &err));
    output(spec, out, size);
}

static void a_datagram_crosses_a_link(void)
{
    int a = network(), b = network();
    char names[2][NS_DEVICE_NAME];
    char text[4096];
    ns_endpoint *one = end(a, "10.0.0.1/30"), *two = end(b, "10.0.0.2/30");
    OK(ns_endpoint_name(one, "to-b", &err));
    OK(ns_endpoint_mac(one, "02:00:00:00:00:0a", &err));
    OK(ns_endpoint_mtu(one, 1400, &err));
    OK(ns_endpoint_address(one, "fd00::1/64", &err));
    OK(ns_endpoint_gateway(two, "10.0.0.1", &err));
    OK(ns_endpoint_route(two, "10.9.0.0/16", NULL, &err));
    OK(ns_endpoint_rate(two, 1000000000, &err));
    OK(ns_link(one, two, names, &err));
    CHECK(!strcmp(names[0], "to-b") && !strcmp(names[1], "eth0"));
    inside(a, "ip link show to-b; ip address show to-b", text, sizeof text);
    CHECK(strstr(text, "mtu 1400") && strstr(text, "02:00:00:00:00:0a") && strstr(text, "fd00::1/64"));
    inside(b, "ip route", text, sizeof text);
    CHECK(strstr(text, "default via 10.0.0.1") && strstr(text, "10.9.0.0/16 dev eth0"));

    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(0x0a000002)};
    int near, far;
    OK(near = ns_socket(a, AF_INET, SOCK_DGRAM, 0, &err));
    OK(far = ns_socket(b, AF_INET, SOCK_DGRAM, 0, &err));
    CHECK(bind(far, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(sendto(near, "hello", 5, 0, (struct sockaddr *)&to, sizeof to) == 5);
    CHECK(recv(far, text, sizeof text, 0) == 5 && !memcmp(text, "hello", 5));
    OK(ns_device_remove(a, "to-b", &err));
    inside(b, "ip link | wc -l", text, sizeof text);
    CHECK(atoi(text) == 2);
    close(near), close(far), close(a), close(b);
    ns_endpoint_free(one), ns_endpoint_free(two);
}

static void a_bridge_and_a_router_and_a_move(void)
{
    int lan = network(), host = network(), other = network();
    char text[4096];
    OK(ns_bridge(lan, "br0", &err));
    ns_endpoint *port = end(lan, NULL), *at_host = end(host, "10.1.0.2/24"), *at_other = end(other, "10.2.0.1/24");
    OK(ns_endpoint_port_of(port, "br0", &err));
    OK(ns_link(at_host, port, NULL, &err));
    OK(ns_device_move(host, "eth0", at_other, &err));
    inside(other, "ip address show eth0", text, sizeof text);
    CHECK(strstr(text, "10.2.0.1/24"));
    OK(ns_forward(other, 1, &err));
    inside(other, "cat /proc/sys/net/ipv4/ip_forward", text, sizeof text);
    CHECK(text[0] == '1');
    close(lan), close(host), close(other);
    ns_endpoint_free(port), ns_endpoint_free(at_host), ns_endpoint_free(at_other);
}

static void a_program_starts_linked(void)
{
    int router = network();
    char text[4096];
    ns_endpoint *outside = end(router, "10.3.0.1/24"), *within = ns_endpoint_new();
    OK(ns_endpoint_address(within, "10.3.0.2/24", &err));
    ns_spec *spec = shell("ip -brief address show eth0");
    OK(ns_spec_join(spec, user, &err));
    OK(ns_spec_link(spec, within, outside, &err));
    CHECK(output(spec, text, sizeof text).exit_code == 0 && strstr(text, "10.3.0.2/24"));
    close(router);
    ns_endpoint_free(outside), ns_endpoint_free(within);
}

/* pasta(1) does it. It needs /dev/net/tun, which not every machine lets every user open, and a
 * default route to copy. */
static void a_program_is_reached_through_its_uplink(void)
{
    const uint16_t ports[1][2] = {{18080, 80}};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in outside = {.sin_family = AF_INET, .sin_port = htons(18080), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ns_process *process;
    ns_status status;
    char text[8] = "";
    int near, far, server, inside, input;
    if (access("/dev/net/tun", R_OK | W_OK) || system("ip route | grep -q ^default")) {
        printf("skipped %s: /dev/net/tun may not be opened here, or there is no default route\n", __func__);
        return;
    }
    ns_spec *spec = shell("cat");
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_stdio(spec, 0, NS_STDIO_PIPE, &err));
    OK(ns_spec_uplink(spec, NULL, ports, 1, NULL, 0, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(inside = ns_open_process(ns_process_pidfd(process), NS_NET, &err));
    OK(server = ns_socket(inside, AF_INET, SOCK_STREAM, 0, &err));
    CHECK(bind(server, (struct sockaddr *)&at, sizeof at) == 0 && listen(server, 1) == 0);
    near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(near, (struct sockaddr *)&outside, sizeof outside) == 0);
    far = accept(server, NULL, NULL);
    CHECK(write(near, "inside", 6) == 6 && read(far, text, 6) == 6 && !strcmp(text, "inside"));
    OK(input = ns_process_take_pipe(process, 0, &err));
    close(input), close(near), close(far), close(server), close(inside);
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 0);
    near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(near, (struct sockaddr *)&outside, sizeof outside) < 0);
    close(near);
    ns_process_free(process);
    ns_spec_free(spec);
}

static void *links(void *unused)
{
    for (int turn = 0; turn < 10; turn++) {
        int a = network(), b = network();
        ns_endpoint *one = end(a, "10.0.0.1/30"), *two = end(b, "10.0.0.2/30");
        OK(ns_link(one, two, NULL, &err));
        close(a), close(b);
        ns_endpoint_free(one), ns_endpoint_free(two);
    }
    return unused;
}

static void many_threads_make_links(void)
{
    pthread_t threads[4];
    for (int n = 0; n < 4; n++)
        pthread_create(&threads[n], NULL, links, NULL);
    for (int n = 0; n < 4; n++)
        pthread_join(threads[n], NULL);
}

static void bad_input_is_refused(void)
{
    int a = network(), b = network(), none = 0;
    uint16_t ports[1][2] = {{8080, 80}};
    ns_endpoint *one = end(a, "10.0.0.1/30"), *two = end(b, NULL);
    ns_spec *spec = ns_spec_new();
    FAILS(ns_endpoint_name(one, "a name", &err), EINVAL, "no name of a network device");
    FAILS(ns_endpoint_name(one, NULL, &err), EINVAL, "name is NULL");
    FAILS(ns_endpoint_name(NULL, "eth0", &err), EINVAL, "endpoint is NULL");
    FAILS(ns_endpoint_name(one, "\xff", &err), EINVAL, "not UTF-8");
    FAILS(ns_endpoint_mac(one, "01:00:00:00:00:00", &err), EINVAL, "of a group");
    FAILS(ns_endpoint_mtu(one, 5, &err), EINVAL, "MTU");
    FAILS(ns_endpoint_address(one, "10.0.0.1/33", &err), EINVAL, "at most 32 bits");
    FAILS(ns_endpoint_route(one, "10.0.0.1/24", NULL, &err), EINVAL, "its network is 10.0.0.0/24");
    FAILS(ns_endpoint_gateway(one, "router", &err), EINVAL, "no address of a router");
    FAILS(ns_endpoint_port_of(one, "", &err), EINVAL, "no name");
    FAILS(ns_endpoint_delay(one, 1, 2, &err), EINVAL, "jitter");
    FAILS(ns_endpoint_loss(one, 1.5, &err), EINVAL, "0 to 1");
    FAILS(ns_endpoint_rate(one, 7, &err), EINVAL, "less than a byte");
    FAILS(ns_endpoint_netns(one, -1, &err), EINVAL, "not open");
    FAILS(ns_link(NULL, two, NULL, &err), EINVAL, "a is NULL");
    FAILS(ns_socket(user, AF_INET, SOCK_STREAM, 0, &err), EINVAL, "no network namespace");
    FAILS(ns_socket(a, 12345, SOCK_STREAM, 0, &err), EAFNOSUPPORT, "domain 12345");
    FAILS(ns_bridge(a, "x/y", &err), EINVAL, "no name");
    FAILS(ns_device_remove(a, "none", &err), ENODEV, "none");
    FAILS(ns_hold(spec, NS_PID, &none, &err), EINVAL, "no pid namespace");
    FAILS(ns_hold(spec, NS_NET, NULL, &err), EINVAL, "fds is NULL");
    FAILS(ns_spec_link(spec, one, NULL, &err), EINVAL, "outside is NULL");
    FAILS(ns_spec_uplink(spec, "nowhere", NULL, 0, NULL, 0, &err), EINVAL, "no address");
    FAILS(ns_spec_uplink(spec, NULL, NULL, 1, NULL, 0, &err), EINVAL, "tcp is NULL");
    FAILS(ns_spec_uplink(spec, NULL, (const uint16_t[1][2]){{80, 0}}, 1, NULL, 0, &err), EINVAL, "80:0: 0 is no port");
    OK(ns_spec_uplink(spec, NULL, (const uint16_t(*)[2])ports, 1, NULL, 0, &err));
    OK(ns_bridge(a, "br0", &err));
    FAILS(ns_bridge(a, "br0", &err), EEXIST, "the bridge br0");
    close(a), close(b);
    ns_spec_free(spec);
    ns_endpoint_free(one), ns_endpoint_free(two), ns_endpoint_free(NULL);
}

int main(void)
{
    ns_spec *lab = ns_spec_new();
    OK(ns_spec_map_root(lab, &err));
    OK(ns_hold(lab, NS_USER, &user, &err));
    ns_spec_free(lab);
    int before = open_descriptors();
    RUN(a_datagram_crosses_a_link);
    RUN(a_bridge_and_a_router_and_a_move);
    RUN(a_program_starts_linked);
    RUN(a_program_is_reached_through_its_uplink);
    RUN(many_threads_make_links);
    RUN(bad_input_is_refused);
    CHECK(open_descriptors() == before);
    return 0;
}
