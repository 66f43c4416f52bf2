#include "message.h"

#include <stdio.h>
#include <string.h>

#include "protocol.h"

/* Replaced by the sender's number, so that each agent can write to a key of its own. */
#define AGENT_PLACEHOLDER "AGENT00000"
enum { AGENT_DIGITS_AT = 5, AGENT_DIGITS = 5 };

/* Replaced by the agent id of the sender's partner. */
#define PARTNER_PLACEHOLDER "PARTNER00000000"

struct connection *message_partner(struct fleet *fleet, const struct connection *connection)
{
    return &fleet->connections[connection->index ^ 1];
}

/* Every placeholder is as long as what replaces it, so the payload is filled in where it stands. */
static void fill_in(char *payload, uint32_t agent, const char *partner_id, struct stamp stamp)
{
    static char *stamp_at, *agent_at, *partner_at, *known;
    if (known != payload) {
        known = payload;
        stamp_at = strstr(payload, STAMP_PLACEHOLDER);
        agent_at = strstr(payload, AGENT_PLACEHOLDER);
        partner_at = strstr(payload, PARTNER_PLACEHOLDER);
    }
    if (stamp_at)
        stamp_write(stamp_at, stamp);
    if (agent_at) {
        char digits[16];
        snprintf(digits, sizeof digits, "%05u", agent);
        memcpy(agent_at + AGENT_DIGITS_AT, digits, AGENT_DIGITS);
    }
    if (partner_at)
        memcpy(partner_at, partner_id, AGENT_ID_LENGTH);
}

uint32_t message_send(struct fleet *fleet, struct connection *connection, struct stamp stamp)
{
    static char message[128 << 10];
    uint32_t ref = ++connection->last_ref;
    fill_in(fleet->options->payload, connection->index, message_partner(fleet, connection)->agent_id, stamp);
    size_t length = fleet->protocol->request(message, sizeof message, fleet->options, ref);
    connection->outstanding++;
    fleet_send(fleet, connection, message, length);
    return ref;
}
