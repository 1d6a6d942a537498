/* Tests that a program that is root inside cannot forge the status that the init process reports.
 * Where it can trace the init process, it may write into that process's pipe. */
#include "check.h"

static void a_program_that_is_root_inside_cannot_forge_its_status(void)
{
    ns_process *process = NULL;
    ns_status status;
    /* Writes a record as long as a real status into every descriptor of PID 1 that it can open.
     * Root of an ordinary caller's user namespace can open the pipe. */
    ns_spec *spec = shell("head -c 152 /dev/zero | tr '\\0' '\\377' >/tmp/nsiso-record-$$\n"
                          "for fd in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do\n"
                          "    (cat /tmp/nsiso-record-$$ >/proc/1/fd/$fd)\n"
                          "done 2>/dev/null\n"
                          "rm /tmp/nsiso-record-$$\n"
                          "exit 7");

    OK(ns_spec_unshare(spec, NS_USER | NS_PID | NS_MNT, &err));
    OK(ns_spec_map_root(spec, &err));
    OK(ns_spec_mount_proc(spec, "/proc", &err));
    OK(ns_spec_init(spec, 1, &err));
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
