#ifndef USAGE_H
#define USAGE_H

#include <stdint.h>

/* CPU time and memory over one phase. */
struct usage {
    int pid;
    uint64_t started_at, sampled_at;
    double server_cpu, own_cpu; /* seconds: at the start; after usage_end: used */
    long resident_kb, peak_kb;  /* at the start, and the highest seen by usage_sample */
    double elapsed;             /* seconds; after usage_end */
};

struct usage usage_begin(int pid);

/* Call it often: it looks ten times a second at most. */
void usage_sample(struct usage *usage, uint64_t now);

void usage_end(struct usage *usage);

#endif
