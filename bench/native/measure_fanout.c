/* Publishers send to the topic, every member receives: how many deliveries a second, and how late. */
#include <string.h>

#include "clock.h"
#include "measure.h"
#include "message.h"
#include "publications.h"
#include "report.h"

static const uint64_t GIVE_UP_AFTER = 2 * NANOSECONDS;

/* To read all that was kept for them, up to the close frame. */
static const uint64_t STALLED_PATIENCE = 3 * NANOSECONDS;

struct fanout {
    struct publications books;
    uint64_t acknowledged;
    uint64_t next_due; /* on a schedule: when the next publish should leave */
};

static void on_reply(struct fleet *fleet, struct connection *connection, struct reply reply)
{
    struct fanout *fanout = fleet->measurement;
    (void)reply;
    if (connection->outstanding == 0)
        return;
    connection->outstanding--;
    fanout->acknowledged++;
}

static void on_delivery(struct fleet *fleet, struct connection *connection, struct stamp stamp)
{
    struct fanout *fanout = fleet->measurement;
    if (!publications_deliver(&fanout->books, stamp, fleet->now))
        return;
    connection->delivered++;
    connection->sequence_sum += stamp.sequence;
}

/* The publishers are the last connections; the stalled members are the first. */
static struct connection *publisher(struct fleet *fleet, uint32_t number)
{
    return &fleet->connections[fleet->options->connections - 1 - number];
}

static void publish_within_window(struct fleet *fleet, struct fanout *fanout)
{
    for (uint32_t i = 0; i < fleet->options->publishers; i++) {
        struct connection *connection = publisher(fleet, i);
        while (connection->state == JOINED && connection->outstanding < fleet->options->window)
            message_send(fleet, connection, publications_next(&fanout->books, clock_now()));
    }
}

/* The stamp holds the time at which the publish was due, so that a late generator does not hide a slow server. */
static void publish_on_schedule(struct fleet *fleet, struct fanout *fanout)
{
    uint64_t now = clock_now(), interval = (uint64_t)(NANOSECONDS / fleet->options->rate);
    for (; fanout->next_due <= now; fanout->next_due += interval) {
        uint32_t turn = fanout->books.next_sequence % fleet->options->publishers;
        message_send(fleet, publisher(fleet, turn), publications_next(&fanout->books, fanout->next_due));
    }
}

static void run(struct fleet *fleet, struct fanout *fanout, struct usage *usage, double seconds)
{
    bool scheduled = fleet->options->rate > 0;
    uint64_t end = clock_now() + (uint64_t)(seconds * NANOSECONDS);
    fanout->next_due = clock_now();
    do {
        if (scheduled)
            publish_on_schedule(fleet, fanout);
        else
            publish_within_window(fleet, fanout);
        fleet_poll(fleet, scheduled ? 0 : 20);
        usage_sample(usage, fleet->now);
    } while (fleet->now < end);
}

static bool complete(const struct fanout *fanout)
{
    return fanout->books.delivered >= publications_expected(&fanout->books) &&
           fanout->acknowledged >= publications_count(&fanout->books);
}

/* Wait for what is still under way, for as long as anything comes. */
static void drain(struct fleet *fleet, struct fanout *fanout, struct usage *usage)
{
    uint64_t progress = 0, progress_at = clock_now();
    while (!complete(fanout)) {
        fleet_poll(fleet, 20);
        usage_sample(usage, fleet->now);
        uint64_t now_done = fanout->books.delivered + fanout->acknowledged;
        if (now_done != progress) {
            progress = now_done;
            progress_at = fleet->now;
        } else if (fleet->now > progress_at + GIVE_UP_AFTER) {
            return;
        }
    }
}

static struct usage phase(struct fleet *fleet, struct fanout *fanout, double seconds, uint32_t members)
{
    for (uint32_t i = 0; i < fleet->options->connections; i++) {
        struct connection *connection = &fleet->connections[i];
        connection->delivered = connection->sequence_sum = connection->outstanding = 0;
    }
    publications_start(&fanout->books, members);
    fanout->acknowledged = fleet->bytes_in = 0;
    struct usage usage = usage_begin(fleet->options->pid);
    run(fleet, fanout, &usage, seconds);
    drain(fleet, fanout, &usage);
    usage_end(&usage);
    return usage;
}

static double publish_rate(const struct fanout *fanout, const struct usage *usage)
{
    double seconds = clock_seconds(usage->started_at, fanout->books.last_delivery_at);
    return seconds > 0 ? publications_count(&fanout->books) / seconds : 0;
}

static uint32_t incomplete_members(const struct fleet *fleet, const struct publications *books)
{
    uint32_t incomplete = 0;
    for (uint32_t i = fleet->options->stalled; i < fleet->options->connections; i++) {
        const struct connection *connection = &fleet->connections[i];
        incomplete += connection->delivered != publications_count(books) ||
                      connection->sequence_sum != books->sequence_sum;
    }
    return incomplete;
}

static uint32_t stalled_closed(const struct fleet *fleet)
{
    uint32_t closed = 0;
    for (uint32_t i = 0; i < fleet->options->stalled; i++)
        closed += fleet->connections[i].state == CLOSED || fleet->connections[i].close_code;
    return closed;
}

/* Let the stalled members read again, to learn which of them the server has closed, and with which code. */
static void report_stalled(struct fleet *fleet)
{
    uint64_t errors = fleet->errors, patience_ends = clock_now() + STALLED_PATIENCE;
    uint16_t code = 0;
    for (uint32_t i = 0; i < fleet->options->stalled; i++)
        fleet_resume_reading(fleet, &fleet->connections[i]);
    while (stalled_closed(fleet) < fleet->options->stalled && clock_now() < patience_ends)
        fleet_linger(fleet, 0.1);
    for (uint32_t i = 0; i < fleet->options->stalled; i++)
        if (fleet->connections[i].close_code)
            code = fleet->connections[i].close_code;
    fleet->errors = errors; /* being closed is what they are there for */
    report_number("stalled_closed", stalled_closed(fleet));
    report_number("stalled_close_code", code);
}

static void report(struct fleet *fleet, const struct fanout *fanout, const struct usage *usage, double warmup_rate)
{
    const struct publications *books = &fanout->books;
    double seconds = clock_seconds(usage->started_at, books->last_delivery_at);
    report_begin("fanout");
    report_number("rate", seconds > 0 ? (double)books->delivered / seconds : 0);
    report_number("publish_rate", publish_rate(fanout, usage));
    report_number("warmup_publish_rate", warmup_rate);
    report_number("published", publications_count(books));
    report_number("acknowledged", (double)fanout->acknowledged);
    report_number("delivered", (double)books->delivered);
    report_number("expected", (double)publications_expected(books));
    report_number("incomplete_members", incomplete_members(fleet, books));
    report_number("bytes_in", (double)fleet->bytes_in);
    report_latency("each", &books->each);
    report_latency("last", &books->last);
    report_usage(usage);
    report_stalled(fleet);
    report_end(fleet);
}

void measure_fanout(struct fleet *fleet)
{
    static struct fanout fanout;
    const struct options *options = fleet->options;
    fleet_open(fleet, options->connections);
    fleet_linger(fleet, options->settle);
    fleet->listener = (struct listener){on_reply, on_delivery};
    fleet->measurement = &fanout;
    double warmup_rate = 0;
    if (options->warmup > 0) {
        struct usage usage = phase(fleet, &fanout, options->warmup, options->connections);
        warmup_rate = publish_rate(&fanout, &usage);
    }
    for (uint32_t i = 0; i < options->stalled; i++)
        fleet_stop_reading(fleet, &fleet->connections[i]);
    struct usage usage = phase(fleet, &fanout, options->seconds, options->connections - options->stalled);
    report(fleet, &fanout, &usage, warmup_rate);
}
