#include "server_process.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t read_proc(int pid, const char *name, char *out, size_t capacity)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *file = pid ? fopen(path, "r") : NULL;
    if (!file)
        return 0;
    size_t length = fread(out, 1, capacity - 1, file);
    fclose(file);
    out[length] = 0;
    return length;
}

double server_cpu_seconds(int pid)
{
    char text[1024];
    unsigned long user = 0, system = 0;
    if (!read_proc(pid, "stat", text, sizeof text))
        return 0;
    /* The second field, the command's name, may hold blanks; what follows its last parenthesis does not. */
    char *fields = strrchr(text, ')');
    if (fields)
        sscanf(fields + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

long server_resident_kb(int pid)
{
    char text[256];
    long pages = 0;
    if (read_proc(pid, "statm", text, sizeof text))
        sscanf(text, "%*d %ld", &pages);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

double own_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
