/* The load generator: one thread, one epoll loop, thousands of WebSocket connections to one server.
 *
 * It says nothing but one JSON object on stdout; `bench/loadgen.py` starts it and reads that. Status 2 with a sentence on
 * stderr: it could not measure.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fatal.h"
#include "measure.h"

/* Past what any measurement takes; a hung server must not hang the benchmark. */
enum { MINUTES_AT_MOST = 5 };

static void run_on_core(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        fatal("cannot run on core %d: %s", core, strerror(errno));
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void measure(struct fleet *fleet, const char *what)
{
    if (!strcmp(what, "fanout"))
        measure_fanout(fleet);
    else if (!strcmp(what, "direct"))
        measure_direct(fleet);
    else if (!strcmp(what, "request"))
        measure_request(fleet);
    else if (!strcmp(what, "join"))
        measure_join(fleet);
    else if (!strcmp(what, "idle"))
        measure_idle(fleet);
    else
        fatal("--measure takes fanout, direct, request, join or idle, not '%s'", what);
}

int main(int count, char **arguments)
{
    struct options options = options_parse(count, arguments);
    alarm(MINUTES_AT_MOST * 60);
    raise_descriptor_limit();
    if (options.core >= 0)
        run_on_core(options.core);
    struct fleet fleet = fleet_create(&options);
    measure(&fleet, options.measure);
    return 0;
}
