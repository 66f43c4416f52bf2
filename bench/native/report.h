#ifndef REPORT_H
#define REPORT_H

#include "fleet.h"
#include "histogram.h"
#include "usage.h"

/* The result: one JSON object on one line of stdout. */
void report_begin(const char *measure);
void report_number(const char *name, double value);
void report_latency(const char *prefix, const struct histogram *histogram); /* <prefix>_p50_ms, _p99_ms, _max_ms */
void report_usage(const struct usage *usage);
void report_end(const struct fleet *fleet); /* with the errors */

#endif
