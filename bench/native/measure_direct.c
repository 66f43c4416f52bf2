/* Agents in pairs, each writes to its partner: how many messages a second, each acknowledged and delivered, and how late. */
#include <stdlib.h>

#include "clock.h"
#include "fatal.h"
#include "measure.h"
#include "message.h"
#include "publications.h"
#include "report.h"

static const uint64_t GIVE_UP_AFTER = 2 * NANOSECONDS;

struct direct {
    struct publications books;
    uint64_t acknowledged;
    uint32_t *sent;          /* by each connection */
    uint64_t *sent_sequences; /* their sum: what its partner must have got, whatever the order */
};

static void on_reply(struct fleet *fleet, struct connection *connection, struct reply reply)
{
    struct direct *direct = fleet->measurement;
    (void)reply;
    if (connection->outstanding == 0)
        return;
    connection->outstanding--;
    direct->acknowledged++;
}

static void on_delivery(struct fleet *fleet, struct connection *connection, struct stamp stamp)
{
    struct direct *direct = fleet->measurement;
    if (!publications_deliver(&direct->books, stamp, fleet->now))
        return;
    connection->delivered++;
    connection->sequence_sum += stamp.sequence;
}

static void write_within_window(struct fleet *fleet, struct direct *direct)
{
    for (uint32_t i = 0; i < fleet->options->connections; i++) {
        struct connection *connection = &fleet->connections[i];
        while (connection->state == JOINED && connection->outstanding < fleet->options->window) {
            struct stamp stamp = publications_next(&direct->books, clock_now());
            direct->sent[i]++;
            direct->sent_sequences[i] += stamp.sequence;
            message_send(fleet, connection, stamp);
        }
    }
}

static bool complete(const struct direct *direct)
{
    return direct->books.delivered >= publications_expected(&direct->books) &&
           direct->acknowledged >= publications_count(&direct->books);
}

/* Wait for what is still under way, for as long as anything comes. */
static void drain(struct fleet *fleet, struct direct *direct)
{
    uint64_t progress = 0, progress_at = clock_now();
    while (!complete(direct) && fleet->now < progress_at + GIVE_UP_AFTER) {
        fleet_poll(fleet, 20);
        if (direct->books.delivered + direct->acknowledged != progress) {
            progress = direct->books.delivered + direct->acknowledged;
            progress_at = fleet->now;
        }
    }
}

static struct usage phase(struct fleet *fleet, struct direct *direct, double seconds)
{
    for (uint32_t i = 0; i < fleet->options->connections; i++) {
        struct connection *connection = &fleet->connections[i];
        connection->delivered = connection->sequence_sum = connection->outstanding = 0;
        direct->sent[i] = 0;
        direct->sent_sequences[i] = 0;
    }
    publications_start(&direct->books, 1);
    direct->acknowledged = fleet->bytes_in = 0;
    struct usage usage = usage_begin(fleet->options->pid);
    uint64_t end = clock_now() + (uint64_t)(seconds * NANOSECONDS);
    do {
        write_within_window(fleet, direct);
        fleet_poll(fleet, 20);
        usage_sample(&usage, fleet->now);
    } while (fleet->now < end);
    drain(fleet, direct);
    usage_end(&usage);
    return usage;
}

static uint32_t incomplete_members(struct fleet *fleet, const struct direct *direct)
{
    uint32_t incomplete = 0;
    for (uint32_t i = 0; i < fleet->options->connections; i++) {
        const struct connection *partner = message_partner(fleet, &fleet->connections[i]);
        incomplete += partner->delivered != direct->sent[i] || partner->sequence_sum != direct->sent_sequences[i];
    }
    return incomplete;
}

static void report(struct fleet *fleet, const struct direct *direct, const struct usage *usage)
{
    double seconds = clock_seconds(usage->started_at, direct->books.last_delivery_at);
    report_begin("direct");
    report_number("rate", seconds > 0 ? (double)direct->books.delivered / seconds : 0);
    report_number("published", publications_count(&direct->books));
    report_number("acknowledged", (double)direct->acknowledged);
    report_number("delivered", (double)direct->books.delivered);
    report_number("incomplete_members", incomplete_members(fleet, direct));
    report_number("bytes_in", (double)fleet->bytes_in);
    report_latency("each", &direct->books.each);
    report_usage(usage);
    report_end(fleet);
}

void measure_direct(struct fleet *fleet)
{
    static struct direct direct;
    const struct options *options = fleet->options;
    if (options->connections % 2)
        fatal("%u connections are not pairs", options->connections);
    direct.sent = calloc(options->connections, sizeof *direct.sent);
    direct.sent_sequences = calloc(options->connections, sizeof *direct.sent_sequences);
    if (!direct.sent || !direct.sent_sequences)
        fatal("out of memory");
    fleet_open(fleet, options->connections);
    fleet_linger(fleet, options->settle);
    fleet->listener = (struct listener){on_reply, on_delivery};
    fleet->measurement = &direct;
    if (options->warmup > 0)
        phase(fleet, &direct, options->warmup);
    struct usage usage = phase(fleet, &direct, options->seconds);
    report(fleet, &direct, &usage);
}
