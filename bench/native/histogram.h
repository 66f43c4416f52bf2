#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

/* Counts of nanosecond values, 64 buckets an octave: a percentile is off by at most 1.6 %. */
struct histogram {
    uint64_t buckets[64 * 64];
    uint64_t count, maximum;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value below which `fraction` (0..1) of all lie; 0 when there are none. */
double histogram_percentile(const struct histogram *histogram, double fraction);

#endif
