/* Joined connections that do nothing: the memory of each, and the CPU time of all. */
#include "clock.h"
#include "measure.h"
#include "report.h"
#include "server_process.h"

void measure_idle(struct fleet *fleet)
{
    const struct options *options = fleet->options;
    uint64_t start = clock_now();
    fleet_open(fleet, options->base);
    fleet_linger(fleet, options->settle);
    long before = server_resident_kb(options->pid);
    fleet_open(fleet, options->connections);
    double opening = clock_seconds(start, clock_now()) - options->settle;
    fleet_linger(fleet, options->settle);
    long after = server_resident_kb(options->pid);

    struct usage usage = usage_begin(options->pid);
    fleet_linger(fleet, options->seconds);
    usage_end(&usage);

    report_begin("idle");
    report_number("bytes_per_connection", (double)(after - before) * 1024 / (options->connections - options->base));
    report_number("opening_s", opening);
    report_number("joined", fleet->joined);
    report_number("held", fleet->joined - fleet->closed);
    report_usage(&usage);
    report_end(fleet);
}
