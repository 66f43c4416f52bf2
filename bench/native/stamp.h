#ifndef STAMP_H
#define STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A fixed-width mark inside a published payload that says when it was sent and which it is, whatever JSON the server
   wraps around it: "RFTS", 16 hex digits of nanoseconds, 8 hex digits of sequence. */

enum { STAMP_LENGTH = 28 };

#define STAMP_PLACEHOLDER "RFTS000000000000000000000000"

struct stamp {
    uint64_t sent_at;
    uint32_t sequence;
};

void stamp_write(char *out, struct stamp stamp);

/* Find the first stamp; returns the first byte after it, or NULL. */
const uint8_t *stamp_find(const uint8_t *data, size_t length, struct stamp *stamp);

#endif
