#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "dial.h"
#include "fatal.h"
#include "protocol.h"

enum { EVENTS = 64, RECEIVE_BYTES = 256 << 10, SCRATCH_BYTES = 16 << 20, MAX_MESSAGE = 128 << 10 };

/* Servers of this protocol close a connection that was silent for 45 to 60 s. */
static const uint64_t HEARTBEAT_EVERY = 25 * NANOSECONDS;
static const uint64_t OPENING_STUCK_AFTER = 30 * NANOSECONDS;

struct fleet fleet_create(const struct options *options)
{
    struct fleet fleet = {
        .options = options,
        .protocol = strcmp(options->protocol, "nats") ? &PHOENIX : &NATS,
        .connections = calloc(options->connections, sizeof(struct connection)),
        .epoll = epoll_create1(0),
    };
    if (!fleet.connections || fleet.epoll < 0)
        fatal("cannot set up %u connections: %s", options->connections, strerror(errno));
    return fleet;
}

/* ---- waiting ---- */

static void watch(struct fleet *fleet, struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(fleet->epoll, operation, connection->fd, &event);
}

static void wait_to_write(struct fleet *fleet, struct connection *connection, bool wanted)
{
    if (connection->waits_to_write == wanted)
        return;
    connection->waits_to_write = wanted;
    watch(fleet, connection, EPOLL_CTL_MOD, EPOLLIN | (wanted ? EPOLLOUT : 0));
}

void fleet_stop_reading(struct fleet *fleet, struct connection *connection)
{
    watch(fleet, connection, EPOLL_CTL_DEL, 0);
    dial_narrow(connection->fd);
}

void fleet_resume_reading(struct fleet *fleet, struct connection *connection)
{
    dial_widen(connection->fd);
    watch(fleet, connection, EPOLL_CTL_ADD, EPOLLIN);
}

/* ---- errors ---- */

static void note_error(struct fleet *fleet, const void *text, size_t length)
{
    if (!fleet->errors++)
        snprintf(fleet->first_error, sizeof fleet->first_error, "%.*s", (int)length, (const char *)text);
}

static void close_connection(struct fleet *fleet, struct connection *connection)
{
    if (connection->state != JOINED)
        fatal("connection %u was closed by the server (code %u) before it had joined", connection->index,
              connection->close_code);
    char text[64];
    int length = snprintf(text, sizeof text, "closed by the server, code %u", connection->close_code);
    note_error(fleet, text, (size_t)length);
    connection->state = CLOSED;
    fleet->closed++;
    close(connection->fd);
    bytes_free(&connection->unparsed);
    bytes_free(&connection->unsent);
}

/* ---- sending ---- */

static void send_bytes(struct fleet *fleet, struct connection *connection, const void *data, size_t length)
{
    ssize_t sent = 0;
    if (connection->unsent.length == 0)
        sent = send(connection->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)length)
        return;
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return; /* the receiving side learns of it, and counts it */
    size_t taken = sent > 0 ? (size_t)sent : 0;
    bytes_append(&connection->unsent, (const uint8_t *)data + taken, length - taken);
    wait_to_write(fleet, connection, true);
}

static void send_frame(struct fleet *fleet, struct connection *connection, enum ws_opcode opcode, const void *payload,
                       size_t length)
{
    static uint8_t frame[MAX_MESSAGE + WS_MAX_HEADER];
    if (length > MAX_MESSAGE)
        fatal("a message of %zu bytes is longer than %d", length, MAX_MESSAGE);
    send_bytes(fleet, connection, frame, ws_client_frame(frame, opcode, payload, length));
}

void fleet_send(struct fleet *fleet, struct connection *connection, const char *message, size_t length)
{
    if (connection->state != CLOSED)
        send_frame(fleet, connection, fleet->protocol->opcode, message, length);
}

static void flush(struct fleet *fleet, struct connection *connection)
{
    struct bytes *unsent = &connection->unsent;
    ssize_t sent = send(connection->fd, unsent->data, unsent->length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0)
        bytes_drop_front(unsent, (size_t)sent);
    if (unsent->length == 0)
        wait_to_write(fleet, connection, false);
}

/* ---- receiving ---- */

static void note_agent_id(struct connection *connection, struct reply reply)
{
    static const char name[] = "\"agent_id\":\"";
    const uint8_t *found = memmem(reply.text, reply.length, name, sizeof name - 1);
    if (found && (size_t)(reply.text + reply.length - found) > sizeof name + AGENT_ID_LENGTH)
        memcpy(connection->agent_id, found + sizeof name - 1, AGENT_ID_LENGTH);
}

void fleet_on_reply(struct fleet *fleet, struct connection *connection, struct reply reply)
{
    if (connection->state == JOINING) {
        if (!reply.ok)
            fatal("the server refused a join: %.*s", (int)reply.length, (const char *)reply.text);
        connection->state = JOINED;
        note_agent_id(connection, reply);
        connection->joined_at = fleet->now;
        connection->last_ref = 1; /* the join's */
        fleet->joined++;
        return;
    }
    if (!reply.ok)
        note_error(fleet, reply.text, reply.length);
    if (fleet->listener.on_reply)
        fleet->listener.on_reply(fleet, connection, reply);
}

void fleet_on_delivery(struct fleet *fleet, struct connection *connection, struct stamp stamp)
{
    if (fleet->listener.on_delivery)
        fleet->listener.on_delivery(fleet, connection, stamp);
}

static void answer_close(struct fleet *fleet, struct connection *connection, const struct ws_frame *frame)
{
    if (frame->length >= 2)
        connection->close_code = (uint16_t)(frame->payload[0] << 8 | frame->payload[1]);
    send_frame(fleet, connection, WS_CLOSE, frame->payload, frame->length);
}

static void on_frame(struct fleet *fleet, struct connection *connection, const struct ws_frame *frame)
{
    if (!frame->final || frame->opcode == WS_CONTINUATION)
        fatal("the server fragments its messages, which this load generator does not read");
    if (frame->opcode == WS_TEXT || frame->opcode == WS_BINARY)
        fleet->protocol->read(fleet, connection, frame->payload, frame->length);
    else if (frame->opcode == WS_PING)
        send_frame(fleet, connection, WS_PONG, frame->payload, frame->length);
    else if (frame->opcode == WS_CLOSE)
        answer_close(fleet, connection, frame);
}

/* Returns how many of the bytes were used up. */
static size_t parse(struct fleet *fleet, struct connection *connection, uint8_t *data, size_t length)
{
    size_t used = 0;
    if (connection->state == UPGRADING) {
        used = dial_read_upgrade(data, length);
        if (!used)
            return 0;
        char message[4096];
        connection->state = JOINING;
        fleet_send(fleet, connection, message, fleet->protocol->join(message, sizeof message, fleet->options));
    }
    struct ws_frame frame;
    while (ws_parse(data + used, length - used, &frame)) {
        on_frame(fleet, connection, &frame);
        used += frame.total;
    }
    return used;
}

/* All connections share one large buffer; only the start of an unfinished frame is kept, so 10,000 of them stay small. */
static void receive(struct fleet *fleet, struct connection *connection)
{
    static uint8_t scratch[SCRATCH_BYTES];
    struct bytes *unparsed = &connection->unparsed;
    size_t kept = unparsed->length;
    if (kept + RECEIVE_BYTES > SCRATCH_BYTES)
        fatal("a frame of more than %d bytes came", SCRATCH_BYTES - RECEIVE_BYTES);
    ssize_t received = recv(connection->fd, scratch + kept, RECEIVE_BYTES, MSG_DONTWAIT);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received <= 0) {
        close_connection(fleet, connection);
        return;
    }
    fleet->now = clock_now();
    fleet->bytes_in += (uint64_t)received;
    if (kept)
        memcpy(scratch, unparsed->data, kept);
    size_t length = kept + (size_t)received;
    size_t used = parse(fleet, connection, scratch, length);
    unparsed->length = 0;
    bytes_append(unparsed, scratch + used, length - used);
}

/* ---- the loop ---- */

static void on_connected(struct fleet *fleet, struct connection *connection)
{
    char head[2048];
    dial_check(connection->fd);
    connection->state = UPGRADING;
    wait_to_write(fleet, connection, false);
    send_bytes(fleet, connection, head, dial_upgrade_request(fleet->options, connection->index, head, sizeof head));
}

void fleet_poll(struct fleet *fleet, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(fleet->epoll, events, EVENTS, timeout_ms);
    fleet->now = clock_now();
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->state == CONNECTING)
            on_connected(fleet, connection);
        else if (events[i].events & EPOLLOUT)
            flush(fleet, connection);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(fleet, connection);
    }
}

static void start_connection(struct fleet *fleet)
{
    struct connection *connection = &fleet->connections[fleet->started];
    connection->index = fleet->started++;
    connection->started_at = clock_now();
    connection->fd = dial_start(fleet->options, connection->index);
    connection->waits_to_write = true;
    watch(fleet, connection, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void send_heartbeats(struct fleet *fleet)
{
    char message[128];
    size_t length = fleet->protocol->heartbeat(message, sizeof message);
    for (uint32_t i = 0; length && i < fleet->started; i++)
        if (fleet->connections[i].state == JOINED)
            fleet_send(fleet, &fleet->connections[i], message, length);
}

static void keep_alive(struct fleet *fleet, uint64_t *last_heartbeat)
{
    if (fleet->now - *last_heartbeat < HEARTBEAT_EVERY)
        return;
    *last_heartbeat = fleet->now;
    send_heartbeats(fleet);
}

void fleet_open(struct fleet *fleet, uint32_t target)
{
    uint64_t last_progress = clock_now(), last_heartbeat = last_progress;
    while (fleet->joined < target) {
        uint32_t before = fleet->joined;
        while (fleet->started < target && fleet->started - fleet->joined < fleet->options->opening)
            start_connection(fleet);
        fleet_poll(fleet, 100);
        keep_alive(fleet, &last_heartbeat);
        if (fleet->joined > before)
            last_progress = fleet->now;
        else if (fleet->now - last_progress > OPENING_STUCK_AFTER)
            fatal("only %u of %u connections joined, and none for 30 s", fleet->joined, target);
    }
}

void fleet_linger(struct fleet *fleet, double seconds)
{
    uint64_t start = clock_now(), last_heartbeat = start;
    uint64_t end = start + (uint64_t)(seconds * NANOSECONDS);
    while (clock_now() < end) {
        fleet_poll(fleet, 20);
        keep_alive(fleet, &last_heartbeat);
    }
}
