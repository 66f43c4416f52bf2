#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fatal.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* One source address has some 28,000 ports, and closed connections keep theirs for a minute. */
enum { CONNECTIONS_PER_ADDRESS = 4000 };

/* A member that stops reading shall fill up soon, whatever the kernel would grow its buffer to. */
enum { STALLED_RECEIVE_BUFFER = 4096, USUAL_RECEIVE_BUFFER = 128 << 10 };

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

static void bind_source(int fd, uint32_t index)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index / CONNECTIONS_PER_ADDRESS);
    set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        fatal("cannot bind a source address in 127.0.0.0/8: %s", strerror(errno));
}

int dial_start(const struct options *options, uint32_t index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        fatal("cannot open connection %u: %s (see `ulimit -n`)", index, strerror(errno));
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    bind_source(fd, index);
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        fatal("cannot connect to port %u: %s", options->port, strerror(errno));
    return fd;
}

void dial_narrow(int fd)
{
    set_option(fd, SOL_SOCKET, SO_RCVBUF, STALLED_RECEIVE_BUFFER);
}

void dial_widen(int fd)
{
    set_option(fd, SOL_SOCKET, SO_RCVBUF, USUAL_RECEIVE_BUFFER);
}

void dial_check(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error)
        fatal("cannot connect: %s", strerror(error));
}

size_t dial_upgrade_request(const struct options *options, uint32_t index, char *out, size_t capacity)
{
    char agent[128] = "", authorization[512] = "";
    if (options->agent_prefix) /* {"name":"<prefix>-00017"}, URL-encoded */
        snprintf(agent, sizeof agent, "%sagent=%%7B%%22name%%22%%3A%%22%s-%05u%%22%%7D",
                 strchr(options->path, '?') ? "&" : "?", options->agent_prefix, index);
    if (options->key_count)
        snprintf(authorization, sizeof authorization, "Authorization: Bearer %s\r\n",
                 options->keys[index % options->key_count]);
    /* The nonce is the one of RFC 6455's example: every server must take it, and no answer to it is checked. */
    return (size_t)snprintf(out, capacity,
                            "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                            options->path, agent, options->port, authorization);
}

size_t dial_read_upgrade(const uint8_t *data, size_t length)
{
    const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (length < 12 || memcmp(data + 8, " 101", 4))
        fatal("the server refused the upgrade: %.*s", (int)(length < 600 ? length : 600), (const char *)data);
    return (size_t)(end - data) + 4;
}
