/* Whose word a status is: the init process tells it, and a program that is root inside reaches neither that process nor its pipe. */
#include "check.h"

static void a_program_that_is_root_inside_cannot_forge_its_status(void)
{
    ns_process *process = NULL;
    ns_status status;
    /* Every descriptor of PID 1 that it can name, and then the process itself. */
    ns_spec *spec = shell("for fd in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do\n"
                          "    if (: >/proc/1/fd/$fd); then exit 99; fi\n"
                          "done 2>/dev/null\n"
                          "if (: >/proc/1/mem) 2>/dev/null; then exit 98; fi\n"
                          "exit 7");

    OK(ns_spec_unshare(spec, NS_USER | NS_PID | NS_MNT, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_mount_proc(spec, "/proc", &err));
    OK(ns_spec_init(spec, 0, &err));
    OK(ns_spawn(spec, &process, &err));
    OK(ns_process_wait(process, -1, &status, sizeof status, &err));
    CHECK(status.exit_code == 7 && status.signal == 0 && status.usage_known);
    ns_process_free(process);
    ns_spec_free(spec);
}

int main(void)
{
    RUN(a_program_that_is_root_inside_cannot_forge_its_status);
    return 0;
}
