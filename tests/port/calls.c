// calls.c - calls the transport that is checked (calls.h).

#include "calls.h"

#include <stdarg.h>
#include <stdio.h>

#define GUARD 0xA5 // value of the bytes around a buffer, which must not change
#define AGAIN_MAX 100000u
#define ENDING_MS 20u
#define READ_MAX 1024u // bytes to read in one call

unsigned char scratch[SCRATCH];

void broken(struct run *run, enum sentence sentence, const char *format, ...) {
    va_list args;

    for (size_t i = 0; i < run->count; i++) {
        if (run->places[i].sentence == sentence) {
            return;
        }
    }
    if (run->count == PLACES_MAX) {
        return;
    }
    run->places[run->count].sentence = sentence;
    va_start(args, format);
    vsnprintf(run->places[run->count].where, sizeof(run->places[0].where), format, args);
    va_end(args);
    run->count++;
}

uint64_t now(struct run *run) {
    const struct rekey_port *port = run->check->ports[0];
    uint64_t time = port->now_ms(port->ctx);

    if (time < run->now) {
        broken(run, SAYS_NOW, "now_ms went backwards");
    }
    run->now = time;
    return time;
}

unsigned char pattern(size_t at) {
    return (unsigned char)((uint32_t)at * UINT32_C(2654435761) >> 24);
}

void fill(unsigned char *buf, size_t at, size_t len) {
    for (size_t i = 0; i < len; i++) {
        buf[i] = pattern(at + i);
    }
}

bool is_pattern(const unsigned char *buf, size_t at, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (buf[i] != pattern(at + i)) {
            return false;
        }
    }
    return true;
}

struct line line_of(struct run *run, size_t which) {
    const struct rekey_port *port = run->check->ports[which];
    struct line l = {.run = run, .port = port};

    l.t = run->check->is_tls ? port->tls : port->plain;
    return l;
}

// ---- one call -----------------------------------------------------------------------------------

static void check_time(struct line *l, const char *call, uint64_t since) {
    const uint32_t most = l->run->check->call_ms != 0 ? l->run->check->call_ms : 1000;
    const uint64_t took = now(l->run) - since;

    if (took > most) {
        broken(l->run, SAYS_BLOCKS, "one call of %s took %d ms", call, (int)took);
    }
}

// Calls explain for an error, with a small and with a larger buffer.
static void ask_why(struct line *l, char why[EXPLAIN_CAP]) {
    char buf[EXPLAIN_CAP + 1];

    why[0] = '\0';
    if (l->t.explain == NULL) {
        return;
    }
    for (size_t cap = 1; cap <= EXPLAIN_CAP; cap += EXPLAIN_CAP - 1) {
        memset(buf, GUARD, sizeof(buf));
        l->t.explain(l->t.ctx, l->error, buf, cap);
        if (memchr(buf, '\0', cap) == NULL) {
            broken(l->run, SAYS_EXPLAIN, "no NUL in %d bytes for error %d", (int)cap, l->error);
            return;
        }
        if ((unsigned char)buf[cap] != GUARD) {
            broken(l->run, SAYS_EXPLAIN, "more than %d bytes written for error %d", (int)cap,
                   l->error);
            return;
        }
    }
    memcpy(why, buf, EXPLAIN_CAP);
}

static bool is_one_of(int result, const int *allowed) {
    while (*allowed != result && *allowed != 0) {
        allowed++;
    }
    return *allowed == result;
}

// Every result is checked here. 0 (REKEY_DONE) ends each list.
static int result_of(struct line *l, int result, const int *allowed, enum sentence sentence,
                     const char *call) {
    if (!is_one_of(result, allowed)) {
        broken(l->run, sentence, "%s returned %d", call, result);
        result = result > 0 ? REKEY_E_IO : result;
    }
    l->again = result == REKEY_AGAIN ? l->again + 1 : 0;
    if (l->again > AGAIN_MAX) {
        broken(l->run, SAYS_AGAIN, "%s returned REKEY_AGAIN %d times in a row", call, AGAIN_MAX);
        result = REKEY_E_IO;
    }
    if (result < 0) {
        l->error = result;
        ask_why(l, l->why);
    }
    return result;
}

int call_open(struct line *l, uint32_t timeout_ms) {
    static const int allowed[] = {REKEY_WANT_READ,     REKEY_WANT_WRITE, REKEY_AGAIN,
                                  REKEY_E_LIMIT_ARENA, REKEY_E_ENTROPY,  0};
    const uint64_t since = now(l->run);
    int result = l->t.open(l->t.ctx, rekey_span(l->host, strlen(l->host)), l->number, timeout_ms);

    check_time(l, "open", since);
    if (-result / 100 == 2 || -result / 100 == 3) { // transport and trust
        const int itself[] = {result, 0};

        return result_of(l, result, itself, SAYS_OPEN_RESULT, "open");
    }
    return result_of(l, result, allowed, SAYS_OPEN_RESULT, "open");
}

// Call it after REKEY_DONE: checks that there is progress, and no more than was asked for.
static int check_done(struct line *l, enum sentence sentence, const char *call, size_t done,
                      size_t most) {
    if (done > 0 && done <= most) {
        return REKEY_DONE;
    }
    broken(l->run, sentence, "%s returned REKEY_DONE with *done %d of %d", call, (int)done,
           (int)most);
    l->error = REKEY_E_IO;
    return REKEY_E_IO;
}

int call_write(struct line *l, const void *data, size_t len, size_t *done) {
    static const int allowed[] = {REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_E_IO, REKEY_E_TLS, 0};
    const uint64_t since = now(l->run);
    int result = l->t.write(l->t.ctx, data, len, done);

    check_time(l, "write", since);
    result = result_of(l, result, allowed, SAYS_WRITE_RESULT, "write");
    return result == REKEY_DONE ? check_done(l, SAYS_WRITE, "write", *done, len) : result;
}

int call_read(struct line *l, void *buf, size_t cap, size_t *done) {
    static const int allowed[] = {REKEY_WANT_READ, REKEY_WANT_WRITE, REKEY_AGAIN, REKEY_END,
                                  REKEY_E_IO,      REKEY_E_END,      REKEY_E_TLS, 0};
    static unsigned char guarded[READ_MAX + 1];
    const uint64_t since = now(l->run);
    int result;

    cap = cap < READ_MAX ? cap : READ_MAX;
    memset(guarded, GUARD, cap + 1);
    result = l->t.read(l->t.ctx, guarded, cap, done);
    check_time(l, "read", since);
    if (guarded[cap] != GUARD) {
        broken(l->run, SAYS_READ, "read wrote behind %d bytes", (int)cap);
    }
    result = result_of(l, result, allowed, SAYS_READ_RESULT, "read");
    result = result == REKEY_DONE ? check_done(l, SAYS_READ, "read", *done, cap) : result;
    if (result == REKEY_DONE) {
        memcpy(buf, guarded, *done);
    }
    return result;
}

static void turn(const struct run *run) {
    if (run->check->turn != NULL) {
        run->check->turn();
    }
}

void let_pass(struct line *l, uint32_t ms) {
    const uint64_t until = now(l->run) + ms;

    while (now(l->run) < until) {
        turn(l->run);
    }
}

void hang_up(struct line *l) {
    const uint64_t since = now(l->run);
    char why[EXPLAIN_CAP];

    l->t.close(l->t.ctx);
    check_time(l, "close", since);
    if (l->error != 0) {
        ask_why(l, why);
        if (strcmp(why, l->why) != 0) {
            broken(l->run, SAYS_EXPLAIN_CLOSED, "\"%s\" before close, \"%s\" after", l->why, why);
        }
        l->error = 0;
    }
    // A small TCP stack has memory for only a few connections that are still closing.
    if (l->run->check->turn != NULL) {
        let_pass(l, ENDING_MS);
    }
}

// ---- the loop -----------------------------------------------------------------------------------

bool pause_until(struct line *l, int status, uint64_t until) {
    const uint64_t time = now(l->run);
    uint64_t left = until - time;

    if (time >= until) {
        return false;
    }
    if (status == REKEY_AGAIN) {
        return true;
    }
    if (l->t.wait_ms != NULL) {
        uint32_t ms = l->t.wait_ms(l->t.ctx);

        left = ms < left ? ms : left;
    }
    if (l->port->wait != NULL) {
        l->port->wait(l->port->ctx, status, (uint32_t)left);
    }
    l->pauses++;
    turn(l->run);
    return true;
}

void check_pauses(struct line *l, const char *call, int result) {
    if (l->pauses <= SHORT_MS / 3 || l->port->wait == NULL) {
        return;
    }
    broken(l->run,
           l->t.wait_ms != NULL         ? SAYS_WAIT_MS
           : result == REKEY_WANT_WRITE ? SAYS_WANT_WRITE
                                        : SAYS_WANT_READ,
           "%s wanted to be called %d times in %d ms", call, (int)l->pauses, SHORT_MS);
}

int go_on(struct line *l, uint32_t ms) {
    const uint64_t until = now(l->run) + ms;
    int result;

    do {
        result = call_open(l, ms);
    } while (result > 0 && pause_until(l, result, until));
    return result;
}

int connect_to(struct line *l, const char *host, enum listener listener, uint32_t ms) {
    l->host = host;
    l->number = (uint16_t)(l->run->check->first_port + listener);
    l->pauses = l->again = 0;
    l->error = 0;
    return go_on(l, ms);
}

bool opened(struct line *l, enum listener listener) {
    int result = connect_to(l, l->run->check->host, listener, LONG_MS);

    if (result == REKEY_DONE) {
        return true;
    }
    if (result < 0) {
        broken(l->run, SAYS_OPEN, "open failed with %d (%s)", result, rekey_error_name(result));
    } else {
        broken(l->run, SAYS_OPEN, "open had not ended after %d ms", LONG_MS);
    }
    hang_up(l);
    return false;
}

int send_all(struct line *l, const void *data, size_t len, uint32_t ms) {
    const uint64_t until = now(l->run) + ms;
    const unsigned char *at = data;
    int result = REKEY_DONE;

    while (len > 0) {
        size_t done = 0;

        result = call_write(l, at, len, &done);
        if (result == REKEY_DONE) {
            at += done;
            len -= done;
        } else if (result < 0 || !pause_until(l, result, until)) {
            break;
        }
    }
    return result;
}

int receive(struct line *l, void *buf, size_t cap, size_t *len, uint32_t ms) {
    const uint64_t until = now(l->run) + ms;
    int result;

    *len = 0;
    do {
        size_t done = 0;

        result = call_read(l, (unsigned char *)buf + *len, cap - *len, &done);
        if (result == REKEY_DONE) {
            *len += done;
        } else if (result < 0 || result == REKEY_END || !pause_until(l, result, until)) {
            return result;
        }
    } while (*len < cap);
    return REKEY_DONE;
}

void report(struct line *l, enum listener listener, char text[16]) {
    size_t len = 0;

    text[0] = '\0';
    if (opened(l, listener)) {
        receive(l, text, 15, &len, LONG_MS);
        text[len] = '\0';
        hang_up(l);
    }
}
