#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#include "fatal.h"

void bytes_append(struct bytes *bytes, const void *data, size_t length)
{
    if (length == 0)
        return;
    size_t needed = bytes->length + length;
    if (needed > bytes->capacity) {
        bytes->capacity = needed + needed / 2;
        bytes->data = realloc(bytes->data, bytes->capacity);
        if (!bytes->data)
            fatal("out of memory");
    }
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length = needed;
}

void bytes_drop_front(struct bytes *bytes, size_t length)
{
    bytes->length -= length;
    if (bytes->length)
        memmove(bytes->data, bytes->data + length, bytes->length);
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}
