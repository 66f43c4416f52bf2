#ifndef MEASURE_H
#define MEASURE_H

#include "fleet.h"

/* Each measures one thing on a fresh fleet and reports it. README.md says what the numbers mean. */
void measure_fanout(struct fleet *fleet);
void measure_direct(struct fleet *fleet);
void measure_request(struct fleet *fleet);
void measure_join(struct fleet *fleet);
void measure_idle(struct fleet *fleet);

#endif
