#ifndef MESSAGE_H
#define MESSAGE_H

#include "fleet.h"

/* The other one of its pair: the first two connections are one, the next two another. */
struct connection *message_partner(struct fleet *fleet, const struct connection *connection);

/* Send the measured event from one connection: its payload with the stamp, the sender's number and its partner's id filled
   in. Returns the request's ref. */
uint32_t message_send(struct fleet *fleet, struct connection *connection, struct stamp stamp);

#endif
