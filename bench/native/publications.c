#include "publications.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fatal.h"

/* More than any server had in flight; one that falls further behind loses latency samples, never deliveries. */
enum { RING = 1 << 20 };

void publications_start(struct publications *publications, uint32_t members)
{
    uint32_t *ring = publications->remaining ? publications->remaining : calloc(RING, sizeof *ring);
    uint32_t next = publications->next_sequence;
    if (!ring)
        fatal("out of memory");
    *publications = (struct publications){
        .members = members, .first_sequence = next, .next_sequence = next, .remaining = ring,
        .last_delivery_at = clock_now(),
    };
}

struct stamp publications_next(struct publications *publications, uint64_t sent_at)
{
    uint32_t sequence = publications->next_sequence++;
    publications->remaining[sequence % RING] = publications->members;
    publications->sequence_sum += sequence;
    return (struct stamp){sent_at, sequence};
}

bool publications_deliver(struct publications *publications, struct stamp stamp, uint64_t now)
{
    if (stamp.sequence < publications->first_sequence)
        return false;
    uint64_t latency = now > stamp.sent_at ? now - stamp.sent_at : 0;
    publications->delivered++;
    publications->last_delivery_at = now;
    histogram_add(&publications->each, latency);
    if (--publications->remaining[stamp.sequence % RING] == 0)
        histogram_add(&publications->last, latency);
    return true;
}

uint32_t publications_count(const struct publications *publications)
{
    return publications->next_sequence - publications->first_sequence;
}

uint64_t publications_expected(const struct publications *publications)
{
    return (uint64_t)publications_count(publications) * publications->members;
}
