#ifndef FLEET_H
#define FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "options.h"
#include "stamp.h"

/* Many WebSocket connections in one epoll loop, each joined to the same topic. */

enum { AGENT_ID_LENGTH = 15 }; /* the hub's: "ag_" and twelve characters */

enum connection_state { CONNECTING, UPGRADING, JOINING, JOINED, CLOSED };

struct connection {
    int fd;
    uint32_t index;
    enum connection_state state;
    bool waits_to_write;
    uint16_t close_code;     /* of the server's close frame; 0: none came */
    struct bytes unparsed;   /* received, not yet a whole frame */
    struct bytes unsent;     /* what the kernel would not take yet */
    uint64_t started_at, joined_at;
    uint32_t last_ref;       /* of the requests that it sent */
    uint32_t outstanding;    /* of them, those without a reply */
    uint64_t *request_times; /* ring of send times by ref; request measurement only */
    uint64_t delivered, sequence_sum; /* fan-out and direct measurement only */
    char agent_id[AGENT_ID_LENGTH + 1]; /* as the server named it when it joined; empty: it has no names */
};

struct fleet;

struct reply {
    uint32_t ref; /* 0: the protocol has none */
    bool ok;
    const uint8_t *text;
    size_t length;
};

/* What a measurement wants to hear of joined connections. */
struct listener {
    void (*on_reply)(struct fleet *fleet, struct connection *connection, struct reply reply);
    void (*on_delivery)(struct fleet *fleet, struct connection *connection, struct stamp stamp);
};

struct protocol;

struct fleet {
    const struct options *options;
    const struct protocol *protocol;
    struct listener listener;
    void *measurement; /* the listener's own state */
    struct connection *connections;
    uint32_t started, joined, closed;
    int epoll;
    uint64_t now;         /* when the bytes at hand were received: one clock read serves all frames in them */
    uint64_t bytes_in;
    uint64_t errors;      /* error replies, and closes that nobody asked for */
    char first_error[256];
};

struct fleet fleet_create(const struct options *options);

/* Connect, upgrade and join until `target` connections are joined; exits with the server's answer when one is refused. */
void fleet_open(struct fleet *fleet, uint32_t target);

/* Handle what is ready, waiting at most `timeout_ms` for it. */
void fleet_poll(struct fleet *fleet, int timeout_ms);

/* Handle what comes for so long; answers pings and sends heartbeats, so no server takes the fleet for dead. */
void fleet_linger(struct fleet *fleet, double seconds);

/* Send one message; what the kernel does not take now follows as soon as it can. */
void fleet_send(struct fleet *fleet, struct connection *connection, const char *message, size_t length);

void fleet_stop_reading(struct fleet *fleet, struct connection *connection);
void fleet_resume_reading(struct fleet *fleet, struct connection *connection);

/* Called by the protocol for what it finds in a message. */
void fleet_on_reply(struct fleet *fleet, struct connection *connection, struct reply reply);
void fleet_on_delivery(struct fleet *fleet, struct connection *connection, struct stamp stamp);

#endif
