#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of RFC 6455 that a benchmark on loopback needs: whole frames, no extensions. */

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum { WS_MAX_HEADER = 14 };

struct ws_frame {
    enum ws_opcode opcode;
    bool final;
    uint8_t *payload;
    size_t length; /* of the payload */
    size_t total;  /* of header and payload */
};

/* Read the frame at the start of `bytes`, unmasking it in place. False: it is not all there yet. */
bool ws_parse(uint8_t *bytes, size_t length, struct ws_frame *frame);

/* Write an unmasked (server) frame header; returns its length. The payload follows it. */
size_t ws_server_header(uint8_t *out, enum ws_opcode opcode, size_t payload_length);

/* Write a masked (client) frame; `out` needs room for WS_MAX_HEADER more than the payload. Returns the length of all. */
size_t ws_client_frame(uint8_t *out, enum ws_opcode opcode, const void *payload, size_t length);

#endif
