#ifndef BYTES_H
#define BYTES_H

#include <stddef.h>
#include <stdint.h>

/* A growing byte buffer. Zero-initialised it is empty and holds no memory. */
struct bytes {
    uint8_t *data;
    size_t length, capacity;
};

void bytes_append(struct bytes *bytes, const void *data, size_t length);
void bytes_drop_front(struct bytes *bytes, size_t length);
void bytes_free(struct bytes *bytes);

#endif
