// check_port.c - checks the rest of a port: the clock, randomness, the wait.

#include "checks.h"

#define READINGS 10000000u // readings of a clock during which a millisecond must pass

// A second of the peer is about 1000 ms of this port's clock.
static void check_second(struct run *run) {
    struct line l = line_of(run, 0);
    unsigned char byte;
    uint64_t since;
    size_t len = 0;

    if (!opened(&l, PEER_LATE)) {
        return;
    }
    since = now(run);
    if (send_all(&l, "!", 1, LONG_MS) == REKEY_DONE) {
        receive(&l, &byte, 1, &len, LONG_MS);
    }
    if (len == 0 || now(run) - since < 500) {
        broken(run, SAYS_NOW, "what takes a second took %d", (int)(now(run) - since));
    }
    hang_up(&l);
}

void check_clock(struct run *run) {
    const uint64_t first = now(run);

    for (size_t i = 0; i < READINGS; i++) {
        if (now(run) != first) {
            check_second(run);
            return;
        }
    }
    broken(run, SAYS_NOW, "now_ms stands still");
}

void check_entropy(struct run *run) {
    const struct rekey_port *port = run->check->ports[0];
    unsigned char first[32] = {0}, second[32] = {0};
    int result = port->entropy(port->ctx, first, sizeof(first));
    size_t same = 0;

    if (result != REKEY_DONE || port->entropy(port->ctx, second, sizeof(second)) != REKEY_DONE) {
        broken(run, SAYS_ENTROPY, "entropy failed");
        return;
    }
    for (size_t i = 0; i < sizeof(first); i++) {
        same += first[i] == second[i];
    }
    if (same > 8) { // by chance once in 10^12 runs
        broken(run, SAYS_ENTROPY, "%d of 32 bytes are the same in two calls", (int)same);
    }
}

// The peer sends byte after byte without a request.
static void check_wakes(struct run *run) {
    struct line l = line_of(run, 0);
    unsigned char byte;
    size_t done;
    int result = REKEY_DONE;

    if (!opened(&l, PEER_TRICKLE)) {
        return;
    }
    while (run->count == 0 && result >= 0 && result != REKEY_END) {
        const uint64_t since = now(run);

        result = call_read(&l, &byte, 1, &done);
        if (result == REKEY_WANT_READ || result == REKEY_WANT_WRITE) {
            l.port->wait(l.port->ctx, result, LONG_MS);
            if (now(run) - since >= LONG_MS) {
                broken(run, SAYS_WAIT, "it slept %d ms, and something could be read", LONG_MS);
            }
        }
    }
    hang_up(&l);
}

void check_wait(struct run *run) {
    struct line l = line_of(run, 0);
    unsigned char byte;
    unsigned waits = 0;
    uint64_t since;
    size_t done;

    if (!opened(&l, PEER_ECHO)) {
        return;
    }
    // A session ticket of TLS 1.3 may make the transport ready: it is read first.
    receive(&l, &byte, 1, &done, SHORT_MS);
    since = now(run);
    while (now(run) - since < SHORT_MS) {
        l.port->wait(l.port->ctx, REKEY_WANT_READ, SHORT_MS);
        waits++;
    }
    if (now(run) - since > LONG_MS) {
        broken(run, SAYS_WAIT, "a wait of %d ms took %d", SHORT_MS, (int)(now(run) - since));
    }
    if (waits > SHORT_MS / 3) {
        broken(run, SAYS_WAIT, "it returned %d times in %d ms, and nothing was ready", (int)waits,
               SHORT_MS);
    }
    hang_up(&l);
    check_wakes(run);
}
