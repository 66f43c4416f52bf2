#ifndef PUBLICATIONS_H
#define PUBLICATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "stamp.h"

/* The books of a fan-out: what was published, and how far each publication has come. */
struct publications {
    uint32_t members;        /* how many shall receive each */
    uint32_t first_sequence; /* of this phase; older ones are stragglers of the phase before */
    uint32_t next_sequence;
    uint64_t sequence_sum; /* what each member must have received, whatever the order: detects loss and doubling */
    uint64_t delivered;
    uint64_t last_delivery_at;
    struct histogram each; /* from publish to one member */
    struct histogram last; /* from publish to the last member */
    uint32_t *remaining;   /* ring by sequence */
};

void publications_start(struct publications *publications, uint32_t members);
struct stamp publications_next(struct publications *publications, uint64_t sent_at);

/* Book one delivery; false when it belongs to an earlier phase. */
bool publications_deliver(struct publications *publications, struct stamp stamp, uint64_t now);

uint32_t publications_count(const struct publications *publications);
uint64_t publications_expected(const struct publications *publications);

#endif
