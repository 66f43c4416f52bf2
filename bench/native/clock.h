#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

#define NANOSECONDS 1000000000ull

/* Monotonic time in nanoseconds. */
static inline uint64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NANOSECONDS + (uint64_t)t.tv_nsec;
}

static inline double clock_seconds(uint64_t from, uint64_t to)
{
    return to > from ? (double)(to - from) / NANOSECONDS : 0;
}

#endif
