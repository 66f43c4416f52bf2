#include "histogram.h"

enum { SUB_BUCKETS = 64, SUB_BITS = 6, BUCKETS = 64 * 64 };

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    if (value > histogram->maximum)
        histogram->maximum = value;
    if (value < SUB_BUCKETS) {
        histogram->buckets[value]++;
        return;
    }
    int octave = 63 - __builtin_clzll(value);
    int sub = (int)(value >> (octave - SUB_BITS)) & (SUB_BUCKETS - 1);
    histogram->buckets[(octave - SUB_BITS + 1) * SUB_BUCKETS + sub]++;
}

static double bucket_middle(int bucket)
{
    if (bucket < SUB_BUCKETS)
        return bucket;
    int shift = bucket / SUB_BUCKETS - 1;
    uint64_t low = (uint64_t)(SUB_BUCKETS + bucket % SUB_BUCKETS) << shift;
    return (double)low + (double)(1ull << shift) / 2;
}

double histogram_percentile(const struct histogram *histogram, double fraction)
{
    uint64_t target = (uint64_t)(fraction * (double)histogram->count), seen = 0;
    for (int bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > target)
            return bucket_middle(bucket);
    }
    return (double)histogram->maximum;
}
