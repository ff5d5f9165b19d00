// check_stream.c - checks the bytes in both directions: all arrive, once, in order, and accepted
// bytes are sent without another call.

#include "checks.h"

#include <stdlib.h>
#include <string.h>

#define LARGE 1048576u
#define LARGE_MS 30000u // for a large transfer

static uint32_t large_of(const struct run *run) {
    return run->check->large != 0 ? run->check->large : LARGE;
}

// Tells the peer how many bytes each side will send.
static void send_size(struct line *l, uint32_t size) {
    const unsigned char bytes[] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16),
                                   (unsigned char)(size >> 8), (unsigned char)size};

    if (send_all(l, bytes, sizeof(bytes), LONG_MS) != REKEY_DONE) {
        broken(l->run, SAYS_STREAM, "four bytes could not be sent");
    }
}

// Sends pieces of each length up to 300 bytes, which the peer returns.
void check_echo(struct run *run) {
    struct line l = line_of(run, 0);
    unsigned char sent[300], got[300];
    size_t at = 0;

    if (!opened(&l, PEER_ECHO)) {
        return;
    }
    for (size_t len = 1; len <= sizeof(sent) && run->count == 0; len += 13, at += len) {
        size_t came = 0;

        fill(sent, at, len);
        if (send_all(&l, sent, len, LONG_MS) != REKEY_DONE ||
            receive(&l, got, len, &came, LONG_MS) != REKEY_DONE || !is_pattern(got, at, len)) {
            broken(run, SAYS_STREAM, "of %d bytes %d came back, or others", (int)len, (int)came);
        }
    }
    hang_up(&l);
}

// Reads the pattern until the end, in pieces of different sizes.
static void check_pattern(struct line *l, size_t size, uint32_t ms) {
    const uint64_t until = now(l->run) + ms;
    size_t at = 0, cap = 1;
    int result;

    do {
        size_t done = 0;

        cap = (cap * 5 + 1) % SCRATCH + 1;
        result = call_read(l, scratch, cap, &done);
        if (result != REKEY_DONE) {
            continue;
        }
        if (!is_pattern(scratch, at, done)) {
            broken(l->run, SAYS_STREAM, "other bytes than were sent, within %d after %d", (int)done,
                   (int)at);
            return;
        }
        at += done;
    } while (result == REKEY_DONE ||
             (result > 0 && result != REKEY_END && pause_until(l, result, until)));
    if (at != size) {
        broken(l->run, SAYS_STREAM, "%d bytes of %d came, then %d", (int)at, (int)size, result);
    } else if (result != REKEY_END) {
        broken(l->run, SAYS_END, "an orderly end was %d", result);
    }
}

void check_trickle(struct run *run) {
    struct line l = line_of(run, 0);

    if (opened(&l, PEER_TRICKLE)) {
        check_pattern(&l, BLOCK, LONG_MS);
        hang_up(&l);
    }
}

void check_large_read(struct run *run) {
    struct line l = line_of(run, 0);

    if (opened(&l, PEER_SOURCE)) {
        send_size(&l, large_of(run));
        check_pattern(&l, large_of(run), LARGE_MS);
        hang_up(&l);
    }
}

// Writes the pattern up to `size`; returns whether a call would have blocked. With `stop`, it ends
// at such a call.
static bool write_pattern(struct line *l, size_t size, bool stop) {
    const uint64_t until = now(l->run) + LARGE_MS;
    bool blocked = false;

    for (size_t at = 0, len, done; at < size; at += done) {
        int result;

        len = size - at < SCRATCH ? size - at : SCRATCH;
        fill(scratch, at, len);
        while (done = 0, result = call_write(l, scratch, len, &done), result > 0) {
            blocked = true;
            if (stop || !pause_until(l, result, until)) {
                return blocked;
            }
        }
        if (result < 0) {
            broken(l->run, SAYS_STREAM, "write failed with %d after %d bytes", result, (int)at);
            return blocked;
        }
    }
    return blocked;
}

// The peer reads late and slowly, so that writes must be repeated. It compares the bytes.
void check_large_write(struct run *run) {
    struct line l = line_of(run, 0);
    char verdict[8];
    size_t len = 0;
    bool blocked;

    if (!opened(&l, PEER_SINK)) {
        return;
    }
    send_size(&l, large_of(run));
    blocked = write_pattern(&l, large_of(run), false);
    receive(&l, verdict, 5, &len, LONG_MS);
    if (len < 5 || memcmp(verdict, "right", 5) != 0) {
        broken(run, blocked ? SAYS_WANT_WRITE : SAYS_STREAM,
               "the peer did not get the bytes that were written%s",
               blocked ? " (a write was repeated after would-block)" : "");
    }
    hang_up(&l);
}

// Closes while a write would block, and while bytes were not read.
void check_close_blocked(struct run *run) {
    struct line l = line_of(run, 0);
    unsigned char byte;
    size_t done;

    if (opened(&l, PEER_SINK)) {
        send_size(&l, LARGE);
        write_pattern(&l, LARGE, true);
        hang_up(&l);
    }
    if (opened(&l, PEER_SOURCE)) {
        send_size(&l, LARGE);
        receive(&l, &byte, 1, &done, LONG_MS);
        hang_up(&l);
    }
    if (opened(&l, PEER_FEW)) {
        check_pattern(&l, BLOCK, LONG_MS);
        hang_up(&l);
    }
}

// The peer receives all accepted bytes, although the transport is not called again.
void check_flush(struct run *run) {
    struct line l = line_of(run, 0), reporter = line_of(run, 1);
    unsigned char sent[BLOCK];
    char text[16];

    if (!opened(&l, PEER_HOLD)) {
        return;
    }
    fill(sent, 0, BLOCK);
    if (send_all(&l, sent, BLOCK, LONG_MS) != REKEY_DONE) {
        broken(run, SAYS_STREAM, "%d bytes could not be sent", BLOCK);
    }
    report(&reporter, PEER_REPORT_COUNT, text);
    if (strtoul(text, NULL, 10) != BLOCK) {
        broken(run, SAYS_FLUSH, "of %d bytes that were taken, the peer has %s", BLOCK, text);
    }
    hang_up(&l);
}

// Nothing happens, and no call is needed.
void check_idle(struct run *run) {
    struct line l = line_of(run, 0);
    unsigned char byte;
    size_t done;
    int result;

    if (!opened(&l, PEER_HOLD)) {
        return;
    }
    receive(&l, &byte, 1, &done, SHORT_MS); // session tickets of TLS 1.3
    l.pauses = 0;
    result = receive(&l, &byte, 1, &done, SHORT_MS);
    if (result != REKEY_WANT_READ && result != REKEY_WANT_WRITE && result != REKEY_AGAIN) {
        broken(run, SAYS_STREAM, "the peer sent nothing, and read returned %d", result);
    }
    check_pauses(&l, "read", result);
    hang_up(&l);
}

void check_two(struct run *run) {
    struct line l[2] = {line_of(run, 0), line_of(run, 1)};
    unsigned char buf[BLOCK];
    size_t len;

    if (!opened(&l[0], PEER_ECHO)) {
        return;
    }
    if (!opened(&l[1], PEER_ECHO)) {
        hang_up(&l[0]);
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        fill(buf, i * LARGE, BLOCK);
        send_all(&l[i], buf, BLOCK, LONG_MS);
    }
    for (size_t i = 0; i < 2; i++) {
        len = 0;
        receive(&l[i], buf, BLOCK, &len, LONG_MS);
        if (len < BLOCK || !is_pattern(buf, i * LARGE, BLOCK)) {
            broken(run, SAYS_STREAM, "connection %d of two did not get its own bytes", (int)i + 1);
        }
    }
    hang_up(&l[0]);
    send_all(&l[1], "!", 1, LONG_MS);
    receive(&l[1], buf, 1, &len, LONG_MS);
    if (len < 1 || buf[0] != '!') {
        broken(run, SAYS_STREAM, "the second connection broke when the first was closed");
    }
    hang_up(&l[1]);
}
