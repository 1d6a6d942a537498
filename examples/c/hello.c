/* Shows a program that is root, is PID 1 and has a host name of its own. */
#include <nsiso.h>
#include <stdio.h>

int main(void)
{
    const char *argv[] = {"sh", "-c", "echo I am uid $(id -u), pid $$, on $(hostname); ps -ef", NULL};
    ns_spec *spec = ns_spec_new();
    ns_process *process = NULL;
    ns_status status;
    ns_error err;

    if (ns_spec_argv(spec, argv, &err) || ns_spec_unshare(spec, NS_USER | NS_PID, &err) ||
        ns_spec_map_root(spec, &err) || ns_spec_mount_proc(spec, "/proc", &err) ||
        ns_spec_hostname(spec, "inside", &err) || ns_spawn(spec, &process, &err) ||
        ns_process_wait(process, -1, &status, sizeof status, &err)) {
        fprintf(stderr, "hello: %s\n%s\n", err.message, err.hint);
        return 1;
    }
    ns_process_free(process);
    ns_spec_free(spec);
    return status.exit_code;
}
