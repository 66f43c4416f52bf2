/* Every connection keeps a window of requests open: how many replies a second, and how late. */
#include <stdlib.h>

#include "clock.h"
#include "fatal.h"
#include "measure.h"
#include "message.h"
#include "report.h"

enum { RING = 1024 };

static const uint64_t GIVE_UP_AFTER = 2 * NANOSECONDS;

struct requests {
    bool sending;
    uint32_t sequence;
    uint64_t sent, replied, last_reply_at;
    struct histogram latency;
};

static void send_request(struct fleet *fleet, struct connection *connection)
{
    struct requests *requests = fleet->measurement;
    uint64_t now = clock_now();
    uint32_t ref = message_send(fleet, connection, (struct stamp){now, requests->sequence++});
    connection->request_times[ref % RING] = now;
    requests->sent++;
}

static void on_reply(struct fleet *fleet, struct connection *connection, struct reply reply)
{
    struct requests *requests = fleet->measurement;
    uint64_t *sent_at = &connection->request_times[reply.ref % RING];
    if (*sent_at == 0)
        return; /* answered twice, or never asked: it must not open the window further */
    histogram_add(&requests->latency, fleet->now > *sent_at ? fleet->now - *sent_at : 0);
    *sent_at = 0;
    connection->outstanding--;
    requests->replied++;
    requests->last_reply_at = fleet->now;
    if (requests->sending)
        send_request(fleet, connection);
}

static void fill_windows(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->options->connections; i++)
        while (fleet->connections[i].outstanding < fleet->options->window)
            send_request(fleet, &fleet->connections[i]);
}

static void run(struct fleet *fleet, struct requests *requests, struct usage *usage, double seconds)
{
    uint64_t end = clock_now() + (uint64_t)(seconds * NANOSECONDS);
    requests->sending = true;
    fill_windows(fleet);
    do {
        fleet_poll(fleet, 20);
        usage_sample(usage, fleet->now);
    } while (fleet->now < end);
    requests->sending = false;
}

static void drain(struct fleet *fleet, struct requests *requests)
{
    while (requests->replied < requests->sent && fleet->now < requests->last_reply_at + GIVE_UP_AFTER)
        fleet_poll(fleet, 20);
}

static struct usage phase(struct fleet *fleet, struct requests *requests, double seconds)
{
    *requests = (struct requests){.sequence = requests->sequence, .last_reply_at = clock_now()};
    fleet->bytes_in = 0;
    struct usage usage = usage_begin(fleet->options->pid);
    run(fleet, requests, &usage, seconds);
    drain(fleet, requests);
    usage_end(&usage);
    return usage;
}

static void report(struct fleet *fleet, const struct requests *requests, const struct usage *usage)
{
    double seconds = clock_seconds(usage->started_at, requests->last_reply_at);
    report_begin("request");
    report_number("rate", seconds > 0 ? (double)requests->replied / seconds : 0);
    report_number("sent", (double)requests->sent);
    report_number("replied", (double)requests->replied);
    report_number("bytes_in", (double)fleet->bytes_in);
    report_latency("reply", &requests->latency);
    report_usage(usage);
    report_end(fleet);
}

void measure_request(struct fleet *fleet)
{
    static struct requests requests;
    const struct options *options = fleet->options;
    if (options->window > RING)
        fatal("a window above %d cannot be measured", RING);
    fleet_open(fleet, options->connections);
    fleet_linger(fleet, options->settle);
    for (uint32_t i = 0; i < options->connections; i++)
        fleet->connections[i].request_times = calloc(RING, sizeof(uint64_t));
    fleet->listener = (struct listener){.on_reply = on_reply};
    fleet->measurement = &requests;
    if (options->warmup > 0)
        phase(fleet, &requests, options->warmup);
    struct usage usage = phase(fleet, &requests, options->seconds);
    report(fleet, &requests, &usage);
}
