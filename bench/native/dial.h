#ifndef DIAL_H
#define DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* From nothing to an upgraded WebSocket, one step at a time, never blocking. */

/* Start a TCP connection; returns its descriptor, which becomes writable when it is up. */
int dial_start(const struct options *options, uint32_t index);

/* Exit with the reason when the TCP connection failed. */
void dial_check(int fd);

/* A member that stalls gets a small receive buffer, and one of the usual size to catch up. */
void dial_narrow(int fd);
void dial_widen(int fd);

/* Write the HTTP upgrade request with this connection's agent and key; returns its length. */
size_t dial_upgrade_request(const struct options *options, uint32_t index, char *out, size_t capacity);

/* The length of the answer's head when it is a 101; 0 when it is not complete; exits with it when it is anything else. */
size_t dial_read_upgrade(const uint8_t *data, size_t length);

#endif
