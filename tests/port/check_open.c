// check_open.c - checks opening and closing: errors, connections that are never answered, and close
// at any time.

#include "checks.h"

#include <string.h>

#define STEPS_MAX 100000u // open must be complete after fewer calls than this

// Whether a connection works: the peer returns the bytes that it was sent.
static void check_works(struct line *l, const char *when) {
    unsigned char sent[BLOCK], got[BLOCK];
    size_t len = 0;
    int result;

    fill(sent, 0, BLOCK);
    result = send_all(l, sent, BLOCK, LONG_MS);
    if (result == REKEY_DONE) {
        result = receive(l, got, BLOCK, &len, LONG_MS);
    }
    if (len < BLOCK || !is_pattern(got, 0, BLOCK)) {
        broken(l->run, SAYS_STREAM, "%s, %d bytes of %d came back, then %d", when, (int)len, BLOCK,
               result);
    }
}

static void check_again(struct line *l, const char *when) {
    if (opened(l, PEER_ECHO)) {
        check_works(l, when);
        hang_up(l);
    }
}

void check_open(struct run *run) {
    struct line l = line_of(run, 0);

    hang_up(&l); // close is allowed when nothing is open
    hang_up(&l);
    check_again(&l, "after close of what was not open");
    hang_up(&l);
    check_again(&l, "after close, twice");
}

// Opens a connection that must fail.
static void check_fails(struct run *run, const char *host, enum listener listener) {
    struct line l = line_of(run, 0);
    int result = connect_to(&l, host, listener, LONG_MS);

    if (result == REKEY_DONE) {
        broken(run, SAYS_OPEN, "open returned REKEY_DONE, and there is nobody");
    } else if (result > 0) {
        broken(run, SAYS_OPEN, "open had not failed after %d ms", LONG_MS);
    }
    hang_up(&l);
    check_again(&l, "after an open that failed");
}

void check_refused(struct run *run) {
    check_fails(run, run->check->host, PEER_CLOSED);
}

// The connection may be open before it is reset; then a read returns the error.
void check_reset_at_once(struct run *run) {
    struct line l = line_of(run, 0);
    int result = connect_to(&l, run->check->host, PEER_RESET_AT_ONCE, LONG_MS);
    unsigned char byte;
    size_t done;

    if (result == REKEY_DONE && !run->check->is_tls) {
        result = receive(&l, &byte, 1, &done, LONG_MS);
    }
    if (result == REKEY_DONE || result == REKEY_END) {
        broken(run, SAYS_END, "a reset was taken for success (%d)", result);
    } else if (result > 0) {
        broken(run, SAYS_STREAM, "a reset was not noticed within %d ms", LONG_MS);
    }
    hang_up(&l);
    check_again(&l, "after a reset");
}

// Opens a connection that is never answered, and gives it up.
static void check_gives_up(struct run *run, const char *host, enum listener listener) {
    struct line l = line_of(run, 0);
    int result = connect_to(&l, host, listener, SHORT_MS);

    if (result > 0) { // now there is nothing more to send
        l.pauses = 0;
        result = go_on(&l, SHORT_MS);
        check_pauses(&l, "open", result);
    }
    if (result == REKEY_DONE) {
        broken(run, SAYS_OPEN, "open returned REKEY_DONE, and nobody answered");
    }
    hang_up(&l);
    check_again(&l, "after an open that was given up");
}

void check_hole(struct run *run) {
    const char *nobody = run->check->nobody;

    check_gives_up(run, nobody != NULL ? nobody : run->check->host, PEER_HOLE);
}

void check_hanging_lookup(struct run *run) {
    check_gives_up(run, run->check->hanging, PEER_ECHO);
}

void check_silent(struct run *run) {
    check_gives_up(run, run->check->host, PEER_SILENT);
}

// The first address does not answer. The loop sleeps for the longest allowed time.
void check_second_address(struct run *run) {
    struct line l = line_of(run, 0);
    uint64_t until = now(run) + LONG_MS;
    int result = connect_to(&l, run->check->two, PEER_SECOND, LONG_MS);
    const bool in_time = now(run) < until;

    until = now(run) + LONG_MS;
    if (result == REKEY_DONE && in_time) {
        check_works(&l, "by the second address");
    } else {
        while (result > 0 && now(run) < until) { // was only a call missing?
            result = call_open(&l, LONG_MS);
        }
        broken(run, result == REKEY_DONE ? SAYS_WAIT_MS : SAYS_SHARE,
               "the second address was not connected to within %d ms", LONG_MS);
    }
    hang_up(&l);
}

// Closes after one call of open, after two, and so on; in larger steps if there are many.
void check_close_anywhere(struct run *run) {
    struct line l = line_of(run, 0);
    int result = REKEY_AGAIN;

    for (size_t steps = 1; result > 0 && steps < STEPS_MAX; steps += 1 + steps / 16) {
        const uint64_t until = now(run) + LONG_MS;
        size_t calls = 0;

        l.host = run->check->host;
        l.number = (uint16_t)(run->check->first_port + PEER_ECHO);
        do {
            result = call_open(&l, LONG_MS);
            calls++;
        } while (result > 0 && calls < steps && pause_until(&l, result, until));
        hang_up(&l);
    }
    if (result != REKEY_DONE) {
        broken(run, SAYS_CLOSE, "after a close in each state, open ended with %d", result);
    }
    check_again(&l, "after a close in each state");
}

static void check_reported(struct line *l, struct line *reporter) {
    char text[16];

    report(reporter, PEER_REPORT_END, text);
    if (strcmp(text, "open") == 0) {
        broken(l->run, SAYS_CLOSE, "the peer saw no end of the connection");
    } else if (l->run->check->is_tls && strcmp(text, "notify") != 0) {
        broken(l->run, SAYS_NOTIFY, "the peer saw the end without close_notify (%s)", text);
    }
}

void check_close_is_seen(struct run *run) {
    struct line l = line_of(run, 0);
    struct line reporter = line_of(run, run->check->ports[1] != NULL ? 1 : 0);

    check_again(&l, "at first");
    check_reported(&l, &reporter);
}

// Something else in this process may keep the connection open, such as the child process of a
// lookup.
void check_close_beside_lookup(struct run *run) {
    struct line l = line_of(run, 0), other = line_of(run, 1);

    if (!opened(&l, PEER_ECHO)) {
        return;
    }
    connect_to(&other, run->check->hanging, PEER_ECHO, SHORT_MS);
    check_works(&l, "beside a lookup");
    hang_up(&l);
    check_reported(&l, &l);
    hang_up(&other);
}
