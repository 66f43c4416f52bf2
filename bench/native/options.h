#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* What the command line says; `loadgen.py` is the one who writes it, and holds the meaning of each default. */
struct options {
    const char *measure;  /* fanout, direct, request, join or idle */
    const char *protocol; /* phoenix or nats */
    uint16_t port;
    int pid;  /* the server's, for its CPU time and memory; 0: unknown */
    int core; /* to run on; -1: any */

    const char *path, *topic, *join_payload, *agent_prefix;
    char **keys; /* API keys; connection i takes key i modulo their number */
    uint32_t key_count;

    uint32_t connections;
    uint32_t opening; /* how many handshakes may be under way at once */
    uint32_t base;    /* idle: connections opened first, to take what a server allocates once out of the count */

    const char *event;
    char *payload; /* may hold a stamp's and an agent's placeholder, see stamp.h and message.h */
    uint32_t publishers, window;
    double rate;      /* publishes a second, on a fixed schedule; 0: as fast as the window allows */
    uint32_t stalled; /* members that stop reading when the measured phase starts */
    double warmup, seconds, settle;
};

struct options options_parse(int count, char **arguments);

#endif
