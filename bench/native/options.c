#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fatal.h"

/* Keys come in a file, one a line: a command line can be read by every user of the machine. */
static void read_keys(const char *path, struct options *options)
{
    char line[512];
    FILE *file = fopen(path, "r");
    if (!file)
        fatal("cannot read the key file %s", path);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!*line)
            continue;
        options->keys = realloc(options->keys, (options->key_count + 1) * sizeof *options->keys);
        options->keys[options->key_count++] = strdup(line);
    }
    fclose(file);
}

enum option_id {
    MEASURE = 1, PROTOCOL, PORT, PID, CORE, PATH, TOPIC, JOIN_PAYLOAD, AGENT_PREFIX, KEYS, CONNECTIONS, OPENING, BASE,
    EVENT, PAYLOAD, PUBLISHERS, WINDOW, RATE, STALLED, WARMUP, SECONDS, SETTLE,
};

static const struct option NAMES[] = {
    {"measure", 1, 0, MEASURE}, {"protocol", 1, 0, PROTOCOL}, {"port", 1, 0, PORT}, {"pid", 1, 0, PID},
    {"core", 1, 0, CORE}, {"path", 1, 0, PATH}, {"topic", 1, 0, TOPIC}, {"join-payload", 1, 0, JOIN_PAYLOAD},
    {"agent-prefix", 1, 0, AGENT_PREFIX}, {"keys", 1, 0, KEYS}, {"connections", 1, 0, CONNECTIONS},
    {"opening", 1, 0, OPENING}, {"base", 1, 0, BASE}, {"event", 1, 0, EVENT}, {"payload", 1, 0, PAYLOAD},
    {"publishers", 1, 0, PUBLISHERS}, {"window", 1, 0, WINDOW}, {"rate", 1, 0, RATE}, {"stalled", 1, 0, STALLED},
    {"warmup", 1, 0, WARMUP}, {"seconds", 1, 0, SECONDS}, {"settle", 1, 0, SETTLE}, {0, 0, 0, 0},
};

static uint32_t whole_number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value > 1000000)
        fatal("'%s' is not a number from 0 to 1000000", text);
    return (uint32_t)value;
}

static void apply(struct options *options, enum option_id id, char *text)
{
    switch (id) {
    case MEASURE: options->measure = text; break;
    case PROTOCOL: options->protocol = text; break;
    case PORT: options->port = (uint16_t)whole_number(text); break;
    case PID: options->pid = atoi(text); break;
    case CORE: options->core = atoi(text); break;
    case PATH: options->path = text; break;
    case TOPIC: options->topic = text; break;
    case JOIN_PAYLOAD: options->join_payload = text; break;
    case AGENT_PREFIX: options->agent_prefix = text; break;
    case KEYS: read_keys(text, options); break;
    case CONNECTIONS: options->connections = whole_number(text); break;
    case OPENING: options->opening = whole_number(text); break;
    case BASE: options->base = whole_number(text); break;
    case EVENT: options->event = text; break;
    case PAYLOAD: options->payload = text; break;
    case PUBLISHERS: options->publishers = whole_number(text); break;
    case WINDOW: options->window = whole_number(text); break;
    case RATE: options->rate = atof(text); break;
    case STALLED: options->stalled = whole_number(text); break;
    case WARMUP: options->warmup = atof(text); break;
    case SECONDS: options->seconds = atof(text); break;
    case SETTLE: options->settle = atof(text); break;
    }
}

static void check(const struct options *options)
{
    if (!options->port || !options->connections || !options->opening)
        fatal("--port, --connections and --opening must be above 0");
    if (options->publishers + options->stalled > options->connections)
        fatal("there must be at least as many connections as publishers and stalled members together");
    if (options->base >= options->connections)
        fatal("--base must be below --connections");
}

struct options options_parse(int count, char **arguments)
{
    struct options options = {
        .measure = "fanout", .protocol = "phoenix", .core = -1, .path = "/", .topic = "fleet:lobby",
        .join_payload = "{}", .connections = 1, .opening = 64, .event = "broadcast", .payload = "{}", .publishers = 1,
        .window = 1, .warmup = 0, .seconds = 1, .settle = 1,
    };
    int id;
    while ((id = getopt_long(count, arguments, "", NAMES, NULL)) != -1) {
        if (id == '?')
            exit(2);
        apply(&options, (enum option_id)id, optarg);
    }
    check(&options);
    return options;
}
