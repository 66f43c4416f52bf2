#ifndef MESSAGE_H
#define MESSAGE_H

#include "fleet.h"

/* Send the measured event from one connection: its payload with the stamp and the sender's number filled in. Returns
   the request's ref. */
uint32_t message_send(struct fleet *fleet, struct connection *connection, struct stamp stamp);

#endif
