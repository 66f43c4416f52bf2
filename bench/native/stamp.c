#include "stamp.h"

#include <string.h>

static const char MARK[4] = {'R', 'F', 'T', 'S'};

static void write_hex(char *out, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

static uint64_t read_hex(const uint8_t *text, int digits)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++)
        value = value << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
    return value;
}

void stamp_write(char *out, struct stamp stamp)
{
    memcpy(out, MARK, sizeof MARK);
    write_hex(out + 4, stamp.sent_at, 16);
    write_hex(out + 20, stamp.sequence, 8);
}

/* Frames of one run look alike, so the mark nearly always stands where it stood in the frame before. */
static const uint8_t *find_mark(const uint8_t *data, size_t length)
{
    static size_t last_offset;
    if (last_offset + STAMP_LENGTH <= length && !memcmp(data + last_offset, MARK, sizeof MARK))
        return data + last_offset;
    const uint8_t *mark = memmem(data, length, MARK, sizeof MARK);
    if (mark)
        last_offset = (size_t)(mark - data);
    return mark;
}

const uint8_t *stamp_find(const uint8_t *data, size_t length, struct stamp *stamp)
{
    const uint8_t *mark = find_mark(data, length);
    if (!mark || (size_t)(data + length - mark) < STAMP_LENGTH)
        return NULL;
    stamp->sent_at = read_hex(mark + 4, 16);
    stamp->sequence = (uint32_t)read_hex(mark + 20, 8);
    return mark + STAMP_LENGTH;
}
