/* Phoenix channels, V2 JSON: [join_ref, ref, topic, event, payload]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

/* The event is the fourth item, after three short ones; past this many bytes lies the payload. */
enum { EVENT_WITHIN = 160 };

enum { HEARTBEAT_REF = 0, JOIN_REF = 1 };

static size_t join(char *out, size_t capacity, const struct options *options)
{
    return (size_t)snprintf(out, capacity, "[\"1\",\"%u\",\"%s\",\"phx_join\",%s]", JOIN_REF, options->topic, options->join_payload);
}

static size_t request(char *out, size_t capacity, const struct options *options, uint32_t ref)
{
    return (size_t)snprintf(out, capacity, "[\"1\",\"%u\",\"%s\",\"%s\",%s]", ref, options->topic, options->event,
                            options->payload);
}

static size_t heartbeat(char *out, size_t capacity)
{
    return (size_t)snprintf(out, capacity, "[null,\"%u\",\"phoenix\",\"heartbeat\",{}]", HEARTBEAT_REF);
}

/* The second item, a string of digits. */
static uint32_t reply_ref(const uint8_t *text, size_t length)
{
    const uint8_t *comma = memchr(text, ',', length);
    if (!comma || (size_t)(comma - text) + 3 > length || comma[1] != '"')
        return 0;
    return (uint32_t)strtoul((const char *)comma + 2, NULL, 10); /* ends at the closing quote */
}

static void read(struct fleet *fleet, struct connection *connection, const uint8_t *text, size_t length)
{
    struct stamp stamp;
    size_t head = length < EVENT_WITHIN ? length : EVENT_WITHIN;
    if (memmem(text, head, "\"phx_reply\"", 11)) {
        uint32_t ref = reply_ref(text, head);
        if (ref == HEARTBEAT_REF)
            return;
        bool ok = !memmem(text, length, "\"status\":\"error\"", 16);
        fleet_on_reply(fleet, connection, (struct reply){ref, ok, text, length});
    } else if (stamp_find(text, length, &stamp)) {
        fleet_on_delivery(fleet, connection, stamp);
    }
}

const struct protocol PHOENIX = {WS_TEXT, join, request, heartbeat, read};
