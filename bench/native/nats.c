/* NATS over WebSocket: lines of text, several in one frame. A PING after each PUB makes its PONG the acknowledgement. */
#include <stdio.h>
#include <string.h>

#include "protocol.h"

static size_t join(char *out, size_t capacity, const struct options *options)
{
    return (size_t)snprintf(out, capacity,
                            "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\","
                            "\"protocol\":1,\"echo\":true}\r\nSUB %s 1\r\nPING\r\n",
                            options->topic);
}

static size_t request(char *out, size_t capacity, const struct options *options, uint32_t ref)
{
    (void)ref;
    return (size_t)snprintf(out, capacity, "PUB %s %zu\r\n%s\r\nPING\r\n", options->topic, strlen(options->payload),
                            options->payload);
}

static size_t heartbeat(char *out, size_t capacity)
{
    (void)out, (void)capacity;
    return 0; /* the server asks, see answer_ping */
}

static void answer_ping(struct fleet *fleet, struct connection *connection, const uint8_t *text, size_t length)
{
    if (length >= 6 && !memcmp(text, "PING\r\n", 6))
        fleet_send(fleet, connection, "PONG\r\n", 6);
}

static void read(struct fleet *fleet, struct connection *connection, const uint8_t *text, size_t length)
{
    const uint8_t *end = text + length, *at = text;
    struct stamp stamp;
    answer_ping(fleet, connection, text, length);
    while ((at = stamp_find(at, (size_t)(end - at), &stamp)))
        fleet_on_delivery(fleet, connection, stamp);
    for (at = text; (at = memmem(at, (size_t)(end - at), "PONG\r\n", 6)); at += 6)
        fleet_on_reply(fleet, connection, (struct reply){0, true, at, 6});
}

const struct protocol NATS = {WS_BINARY, join, request, heartbeat, read};
