#include "usage.h"

#include "clock.h"
#include "server_process.h"

static const uint64_t SAMPLE_EVERY = NANOSECONDS / 10;

struct usage usage_begin(int pid)
{
    struct usage usage = {.pid = pid, .started_at = clock_now()};
    usage.server_cpu = server_cpu_seconds(pid);
    usage.own_cpu = own_cpu_seconds();
    usage.resident_kb = usage.peak_kb = server_resident_kb(pid);
    usage.sampled_at = usage.started_at;
    return usage;
}

void usage_sample(struct usage *usage, uint64_t now)
{
    if (now - usage->sampled_at < SAMPLE_EVERY)
        return;
    usage->sampled_at = now;
    long resident = server_resident_kb(usage->pid);
    if (resident > usage->peak_kb)
        usage->peak_kb = resident;
}

void usage_end(struct usage *usage)
{
    uint64_t now = clock_now();
    usage_sample(usage, now + SAMPLE_EVERY);
    usage->elapsed = clock_seconds(usage->started_at, now);
    usage->server_cpu = server_cpu_seconds(usage->pid) - usage->server_cpu;
    usage->own_cpu = own_cpu_seconds() - usage->own_cpu;
}
