/* Links two network namespaces as any user: a program in one asks a server in the other. The server
 * is this process.
 *
 *     build/bin/link */
#include <netinet/in.h>
#include <nsiso.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static ns_error err;

static int failed(void)
{
    fprintf(stderr, "%s\n%s\n", err.message, err.hint);
    return 1;
}

/* Opens a server's socket in another network namespace without entering it. */
static int listening(int network, int port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int server = ns_socket(network, AF_INET, SOCK_STREAM, 0, &err);
    if (server < 0)
        return -failed();
    if (bind(server, (struct sockaddr *)&any, sizeof any) || listen(server, 1)) {
        perror("server");
        return -1;
    }
    return server;
}

int main(void)
{
    const char *argv[] = {"bash", "-c", "ip -brief address; exec 3<>/dev/tcp/10.0.0.1/7 && cat <&3", NULL};
    int held[2];
    ns_process *process = NULL;
    ns_status status;

    /* Creates a user namespace and a network namespace in it. Descriptors keep them without any
     * process. */
    ns_spec *lab = ns_spec_new();
    if (ns_spec_map_root(lab, &err) || ns_hold(lab, NS_USER | NS_NET, held, &err) < 0)
        return failed();
    int user = held[0], server_side = held[1];
    int listener = listening(server_side, 7);
    if (listener < 0)
        return 1;

    /* Starts a program in another network namespace, which is linked from the start. */
    ns_endpoint *server = ns_endpoint_new(), *client = ns_endpoint_new();
    ns_spec *spec = ns_spec_new();
    if (ns_endpoint_netns(server, server_side, &err) || ns_endpoint_address(server, "10.0.0.1/30", &err) ||
        ns_endpoint_address(client, "10.0.0.2/30", &err) || ns_spec_argv(spec, argv, &err) ||
        ns_spec_join(spec, user, &err) || ns_spec_link(spec, client, server, &err) ||
        ns_spawn(spec, &process, &err))
        return failed();

    int connection = accept(listener, NULL, NULL);
    const char *greeting = "hello from the other network\n";
    if (write(connection, greeting, strlen(greeting)) < 0)
        perror("write");
    close(connection);
    if (ns_process_wait(process, -1, &status, sizeof status, &err))
        return failed();

    ns_process_free(process);
    ns_spec_free(spec);
    ns_spec_free(lab);
    ns_endpoint_free(server);
    ns_endpoint_free(client);
    close(listener);
    close(user);
    close(server_side); /* this also removes the link */
    return status.exit_code;
}
