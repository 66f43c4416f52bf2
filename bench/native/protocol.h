#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "fleet.h"
#include "websocket.h"

/* The messages inside the WebSocket frames: Phoenix channels V2, or NATS. */
struct protocol {
    enum ws_opcode opcode;

    /* Each writes one message and returns its length; `capacity` always suffices for `payload` and the names. */
    size_t (*join)(char *out, size_t capacity, const struct options *options);
    size_t (*request)(char *out, size_t capacity, const struct options *options, uint32_t ref);
    size_t (*heartbeat)(char *out, size_t capacity); /* 0: it needs none */

    /* Tell the fleet of every reply and delivery in a received message. */
    void (*read)(struct fleet *fleet, struct connection *connection, const uint8_t *text, size_t length);
};

extern const struct protocol PHOENIX, NATS;

#endif
