#include "report.h"

#include <stdio.h>

void report_begin(const char *measure)
{
    printf("{\"measure\":\"%s\"", measure);
}

void report_number(const char *name, double value)
{
    printf(",\"%s\":%.12g", name, value);
}

static void report_prefixed(const char *prefix, const char *name, double value)
{
    printf(",\"%s_%s\":%.6g", prefix, name, value);
}

void report_latency(const char *prefix, const struct histogram *histogram)
{
    report_prefixed(prefix, "p50_ms", histogram_percentile(histogram, 0.50) / 1e6);
    report_prefixed(prefix, "p99_ms", histogram_percentile(histogram, 0.99) / 1e6);
    report_prefixed(prefix, "max_ms", (double)histogram->maximum / 1e6);
}

void report_usage(const struct usage *usage)
{
    report_number("elapsed_s", usage->elapsed);
    report_number("server_cpu_s", usage->server_cpu);
    report_number("client_cpu_s", usage->own_cpu);
    report_number("resident_before_kb", (double)usage->resident_kb);
    report_number("resident_peak_kb", (double)usage->peak_kb);
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    putchar('"');
}

void report_end(const struct fleet *fleet)
{
    report_number("errors", (double)fleet->errors);
    printf(",\"first_error\":");
    print_json_text(fleet->first_error);
    puts("}");
}
