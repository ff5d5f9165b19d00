// fake_port.h - the code that the scripted ports of the tests share: clocks that the test moves,
// fixed bytes instead of entropy, a connection that is open or not, the small pieces of a write and
// a read, and the endpoint of every operation. Each test has its own answers, failures and checks:
// nothing here checks anything. A program has one such port.

#ifndef REKEY_TEST_FAKE_PORT_H
#define REKEY_TEST_FAKE_PORT_H

#include <stdlib.h>
#include <string.h>

#include "rekey.h"

static struct fake_port {
    uint64_t now;
    int64_t wall;
    bool open; // there is a connection, or an attempt to connect
} fake;

static const struct rekey_endpoint endpoint = {.subscription = {"sub", 3},
                                               .resource_group = {"rg", 2},
                                               .workspace = {"wks", 3},
                                               .name = {"ep", 2}};

static inline uint64_t fake_now(void *ctx) {
    (void)ctx;
    return fake.now;
}

static inline int64_t fake_wall(void *ctx) {
    (void)ctx;
    return fake.wall;
}

static inline int fake_entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    memset(buf, 0x55, len);
    return REKEY_DONE;
}

static inline void fake_close(void *ctx) {
    (void)ctx;
    fake.open = false;
}

// A write of `len` bytes: appends them to the *sent_len bytes in `sent`, with a NUL.
static inline int fake_send(char *sent, size_t *sent_len, const void *data, size_t len) {
    memcpy(sent + *sent_len, data, len);
    *sent_len += len;
    sent[*sent_len] = '\0';
    return REKEY_DONE;
}

// Whether `sent` is a complete request: a head, and a body of the length that the head gives.
static inline bool fake_sent_whole(const char *sent, size_t sent_len) {
    const char *end = strstr(sent, "\r\n\r\n");
    const char *length = strstr(sent, "Content-Length: ");
    size_t body = length != NULL ? (size_t)atoi(length + 16) : 0;

    return end != NULL && sent_len == (size_t)(end - sent) + 4 + body;
}

// A read: returns as many of the `left` bytes at *text as fit, and moves *text behind them.
static inline int fake_give(const char **text, size_t left, void *buf, size_t cap, size_t *done) {
    *done = left < cap ? left : cap;
    memcpy(buf, *text, *done);
    *text += *done;
    return REKEY_DONE;
}

// Makes a step of the client, and moves the clock by the time that the caller may sleep after it.
static inline int fake_step(struct rekey *client) {
    int result = rekey_step(client);

    if (result > 0 && result != REKEY_AGAIN) {
        fake.now += rekey_wait_ms(client);
    }
    return result;
}

static inline bool all_zero(const void *ptr, size_t len) {
    const char *p = ptr;

    while (len > 0 && *p == 0) {
        p++;
        len--;
    }
    return len == 0;
}

// Whether a client that has ended has zeroized its secrets.
static inline bool nothing_left(const struct rekey *client) {
    return all_zero(client->token, sizeof(client->token)) &&
           all_zero(&client->staging, sizeof(client->staging)) &&
           all_zero(client->key_value, sizeof(client->key_value)) &&
           all_zero(client->x.io, sizeof(client->x.io));
}

#endif
