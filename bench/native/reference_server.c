/* The reference: what one core can do when a server does nothing but move the bytes.
 *
 * It speaks the same frames as the hub, with one send() per member and frame, no JSON parser, no authentication, no
 * store and no bounded outbox: a member that does not read holds up everybody. Rates of other servers are given as
 * ratios to it, which holds across machines.
 *
 * A push whose event ends in "broadcast" goes to every member, one that ends in "direct" to the sender's partner: the first
 * two members are a pair, the next two another. Every push is answered "ok".
 * Usage: reference_server PORT
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "fatal.h"
#include "websocket.h"

enum { EVENTS = 64, RECEIVE_BYTES = 64 << 10, MAX_MEMBERS = 65536 };

struct client {
    int fd;
    bool upgraded, joined;
    size_t place; /* among the members */
    struct bytes unparsed;
};

static struct client *members[MAX_MEMBERS];
static size_t member_count;

static void send_all(int fd, const uint8_t *data, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (sent < 0) {
            usleep(20);
            continue;
        }
        data += sent;
        length -= (size_t)sent;
    }
}

/* ---- the pushes ---- */

/* [join_ref, ref, topic, event, payload], each as it stands in the text. */
struct push {
    const char *ref, *topic, *event, *payload; /* each reaches to the comma before the next */
    const char *end;
};

static const char *after_comma(const char *from, const char *end)
{
    const char *comma = memchr(from, ',', (size_t)(end - from));
    if (!comma)
        fatal("reference server: not a Phoenix V2 push");
    return comma + 1;
}

static struct push parse_push(const struct ws_frame *frame)
{
    struct push push = {.end = (const char *)frame->payload + frame->length};
    push.ref = after_comma((const char *)frame->payload, push.end);
    push.topic = after_comma(push.ref, push.end);
    push.event = after_comma(push.topic, push.end);
    push.payload = after_comma(push.event, push.end);
    return push;
}

static bool event_ends_with(const struct push *push, const char *ending)
{
    size_t length = strlen(ending);
    const char *quote = push->payload - 2;
    return (size_t)(quote - push->event) > length && !memcmp(quote - length, ending, length);
}

/* Send it on to the members from `first` up to `end`. */
static void deliver(const struct push *push, size_t first, size_t end)
{
    static uint8_t frame[RECEIVE_BYTES + 64];
    static const char no_refs[] = "[null,null,";
    size_t head = sizeof no_refs - 1, rest = (size_t)(push->end - push->topic);
    size_t at = ws_server_header(frame, WS_TEXT, head + rest);
    memcpy(frame + at, no_refs, head);
    memcpy(frame + at + head, push->topic, rest);
    for (size_t i = first; i < end && i < member_count; i++)
        send_all(members[i]->fd, frame, at + head + rest);
}

static void reply_ok(struct client *client, const struct push *push)
{
    char text[1024];
    uint8_t frame[sizeof text + WS_MAX_HEADER];
    int length = snprintf(text, sizeof text, "[\"1\",%.*s\"phx_reply\",{\"status\":\"ok\",\"response\":{}}]",
                          (int)(push->event - push->ref), push->ref);
    size_t header = ws_server_header(frame, WS_TEXT, (size_t)length);
    memcpy(frame + header, text, (size_t)length);
    send_all(client->fd, frame, header + (size_t)length);
}

static void join(struct client *client)
{
    if (client->joined || member_count == MAX_MEMBERS)
        return;
    client->joined = true;
    client->place = member_count;
    members[member_count++] = client;
}

static void on_push(struct client *client, const struct ws_frame *frame)
{
    struct push push = parse_push(frame);
    if (event_ends_with(&push, "phx_join"))
        join(client);
    else if (event_ends_with(&push, "broadcast"))
        deliver(&push, 0, member_count);
    else if (event_ends_with(&push, "direct"))
        deliver(&push, client->place ^ 1, (client->place ^ 1) + 1);
    reply_ok(client, &push);
}

/* ---- the connections ---- */

static void drop(struct client *client)
{
    for (size_t i = 0; i < member_count; i++)
        if (members[i] == client)
            members[i] = members[--member_count];
    close(client->fd);
    bytes_free(&client->unparsed);
    free(client);
}

static size_t upgrade(struct client *client, const uint8_t *data, size_t length)
{
    /* The accept value belongs to the one nonce that the load generator sends. */
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    const uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    client->upgraded = true;
    send_all(client->fd, (const uint8_t *)answer, sizeof answer - 1);
    return (size_t)(end - data) + 4;
}

static size_t parse(struct client *client, uint8_t *data, size_t length)
{
    size_t used = client->upgraded ? 0 : upgrade(client, data, length);
    struct ws_frame frame;
    while (client->upgraded && ws_parse(data + used, length - used, &frame)) {
        if (frame.opcode == WS_TEXT)
            on_push(client, &frame);
        used += frame.total;
    }
    return used;
}

static void receive(struct client *client)
{
    static uint8_t scratch[2 * RECEIVE_BYTES];
    size_t kept = client->unparsed.length;
    if (kept > RECEIVE_BYTES)
        fatal("reference server: a frame of more than %d bytes", RECEIVE_BYTES);
    ssize_t received = recv(client->fd, scratch + kept, RECEIVE_BYTES, 0);
    if (received <= 0) {
        drop(client);
        return;
    }
    if (kept)
        memcpy(scratch, client->unparsed.data, kept);
    size_t length = kept + (size_t)received, used = parse(client, scratch, length);
    client->unparsed.length = 0;
    bytes_append(&client->unparsed, scratch + used, length - used);
}

static void accept_client(int listener, int epoll)
{
    int fd = accept(listener, NULL, NULL), on = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *client = calloc(1, sizeof *client);
    client->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        fatal("reference server: cannot listen on port %d: %s", port, strerror(errno));
    return fd;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **arguments)
{
    if (count != 2)
        fatal("usage: reference_server PORT");
    raise_descriptor_limit();
    int listener = listen_on(atoi(arguments[1])), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr)
                receive(events[i].data.ptr);
            else
                accept_client(listener, epoll);
        }
    }
}
