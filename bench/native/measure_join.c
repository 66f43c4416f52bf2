/* Connections come all at once, or as many at a time as --opening says: until the last has joined, and what it cost. */
#include "clock.h"
#include "measure.h"
#include "report.h"

void measure_join(struct fleet *fleet)
{
    static struct histogram latency;
    const struct options *options = fleet->options;
    struct usage usage = usage_begin(options->pid);
    fleet_open(fleet, options->connections);

    uint64_t last = 0;
    for (uint32_t i = 0; i < fleet->joined; i++) {
        const struct connection *connection = &fleet->connections[i];
        histogram_add(&latency, connection->joined_at - connection->started_at);
        if (connection->joined_at > last)
            last = connection->joined_at;
    }
    fleet_linger(fleet, options->settle); /* rosters and presence still under way belong to the cost */
    usage_end(&usage);

    double seconds = clock_seconds(usage.started_at, last);
    report_begin("join");
    report_number("rate", seconds > 0 ? fleet->joined / seconds : 0);
    report_number("seconds", seconds);
    report_number("joined", fleet->joined);
    report_number("held", fleet->joined - fleet->closed);
    report_number("bytes_in", (double)fleet->bytes_in);
    report_latency("join", &latency);
    report_usage(&usage);
    report_end(fleet);
}
