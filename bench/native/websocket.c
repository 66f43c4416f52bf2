#include "websocket.h"

#include <string.h>

/* RFC 6455 wants it unpredictable, for the sake of proxies; on loopback there is none, and a constant costs nothing. */
static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint64_t big_endian(const uint8_t *bytes, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void apply_mask(uint8_t *data, size_t length, const uint8_t *mask)
{
    for (size_t i = 0; i < length; i++)
        data[i] ^= mask[i & 3];
}

bool ws_parse(uint8_t *bytes, size_t length, struct ws_frame *frame)
{
    if (length < 2)
        return false;
    uint64_t payload_length = bytes[1] & 0x7f;
    int extended = payload_length == 126 ? 2 : payload_length == 127 ? 8 : 0;
    bool masked = bytes[1] & 0x80;
    size_t header = 2 + (size_t)extended + (masked ? 4 : 0);
    if (length < header)
        return false;
    if (extended)
        payload_length = big_endian(bytes + 2, extended);
    if (length - header < payload_length)
        return false;

    frame->opcode = bytes[0] & 0x0f;
    frame->final = bytes[0] & 0x80;
    frame->payload = bytes + header;
    frame->length = payload_length;
    frame->total = header + payload_length;
    if (masked)
        apply_mask(frame->payload, frame->length, bytes + header - 4);
    return true;
}

static size_t write_header(uint8_t *out, enum ws_opcode opcode, size_t length, uint8_t mask_bit)
{
    out[0] = (uint8_t)(0x80 | opcode);
    if (length < 126) {
        out[1] = (uint8_t)(mask_bit | length);
        return 2;
    }
    int extended = length < 65536 ? 2 : 8;
    out[1] = (uint8_t)(mask_bit | (extended == 2 ? 126 : 127));
    for (int i = 0; i < extended; i++)
        out[2 + i] = (uint8_t)((uint64_t)length >> (8 * (extended - 1 - i)));
    return 2 + (size_t)extended;
}

size_t ws_server_header(uint8_t *out, enum ws_opcode opcode, size_t payload_length)
{
    return write_header(out, opcode, payload_length, 0);
}

size_t ws_client_frame(uint8_t *out, enum ws_opcode opcode, const void *payload, size_t length)
{
    size_t header = write_header(out, opcode, length, 0x80);
    memcpy(out + header, MASK, sizeof MASK);
    header += sizeof MASK;
    memcpy(out + header, payload, length);
    apply_mask(out + header, length, MASK);
    return header + length;
}
