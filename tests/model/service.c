// service.c - the service, and the way to it: it executes regenerations now, later or never, lists
// keys as they are or were, and is polled; the scoring host takes a key some time after it was
// listed. A request is read from what the client has written, and the answer is real HTTP.

#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define ASYNC "202 A\r\nAzure-AsyncOperation: https://" HOST "/op"

static struct {
    char request[4096], text[1024];
    size_t len;
    const char *rest; // of the answer; NULL: there is none yet
    bool hangs, scores;
} stream;

int current(int slot) {
    return w.pairs[w.pairs_n - 1][slot - 1];
}

bool alive(int key) {
    return key != 0 && current(key / 100) == key;
}

// ---- executing ----------------------------------------------------------------------------------

void execute(int slot, bool foreign) {
    int old = current(slot);

    if (w.pairs_n == PAIRS) {
        memmove(w.pairs, w.pairs + 1, sizeof(w.pairs) - sizeof(w.pairs[0]));
        memmove(w.since, w.since + 1, sizeof(w.since) - sizeof(w.since[0]));
        w.pairs_n--;
    }
    memcpy(w.pairs[w.pairs_n], w.pairs[w.pairs_n - 1], sizeof(w.pairs[0]));
    w.since[w.pairs_n] = w.now;
    w.pairs[w.pairs_n++][slot - 1] = slot * 100 + ++w.serial;
    w.accepted_at[slot - 1] = NEVER;
    TRACE("service: executes %d -> %d%s", old, current(slot), foreign ? " for somebody else" : "");
    if (foreign) {
        passed_limit(SOMEBODY_ELSE);
        return;
    }
    if (w.rotator.disk.key == old) {
        broken(NOT_KILLED, "the key in use was regenerated");
    }
    if (w.follower.disk.key == old && w.follower.clean_syncs >= 2) {
        broken(FOLLOWS, "the follower's key was regenerated");
    }
}

// The one that is next to end until `until`; NULL if there is none. *at: when it ends.
static struct pending *next_pending(uint64_t until, uint64_t *at) {
    struct pending *next = NULL;

    for (int i = 0; i < PENDING; i++) {
        struct pending *p = &w.pending[i];
        uint64_t ends = p->due != NEVER ? p->due : p->sent + SERVICE_LIMIT;

        if (p->slot != 0 && ends <= until) {
            until = *at = ends;
            next = p;
        }
    }
    return next;
}

void advance(uint64_t ms) {
    const uint64_t until = w.now + ms;
    uint64_t ends = 0;
    struct pending *p;

    while ((p = next_pending(until, &ends)) != NULL) {
        w.now = ends > w.now ? ends : w.now;
        if (p->due != NEVER) {
            execute(p->slot, false);
        } else {
            w.last_failed |= p->polled;
        }
        p->slot = 0;
    }
    w.now = until;
}

// The service works on it: decides when it is executed.
static void begin_operation(int slot, bool polled) {
    static const uint64_t delays[] = {3 * SECOND,
                                      NEVER,
                                      100 * SECOND,
                                      15 * MINUTE,
                                      25 * MINUTE,
                                      SERVICE_LIMIT - 15 * SECOND,
                                      SERVICE_LIMIT - SECOND};
    static const uint64_t later[] = {0, 31 * MINUTE, 45 * MINUTE, 180 * MINUTE};
    int late = on('x') ? choose(LATER, 4, 1) : 0;
    uint64_t delay = late != 0 ? later[late] : delays[choose(DELAY, 7, 0)];

    if (late != 0) {
        passed_limit(LATE_EXECUTION);
    }
    run.took |= delay != NEVER;
    for (int i = 0; i < PENDING; i++) {
        if (w.pending[i].slot == 0) {
            w.pending[i] =
                (struct pending){slot, polled, w.now, delay == NEVER ? NEVER : w.now + delay};
            return;
        }
    }
}

// ---- answers ------------------------------------------------------------------------------------

static void say(const char *head, const char *body) {
    snprintf(stream.text, sizeof(stream.text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head,
             strlen(body), body);
}

enum effect { NONE, NOW, RUNS, RUNS_POLLED, FAILS };

// In the order of the answers' names in decisions.c.
static const struct {
    const char *head; // NULL: the connection ends without an answer
    enum effect effect;
    enum cause cause;
    bool accepted, power, hangs;
} posts[] = {
    {"200 OK", NOW, 0, true, false, false},
    {ASYNC, NOW, 0, true, false, false},
    {"202 A\r\nLocation: https://" HOST "/op", RUNS_POLLED, 0, true, false, false},
    {ASYNC, FAILS, SERVICE, true, false, false},
    {"202 A", RUNS, 0, false, false, false},
    {"202 A\r\nLocation: https://elsewhere/op", RUNS, 0, false, false, false},
    {"403 F", NONE, SERVICE, false, false, false},
    {"429 T\r\nRetry-After: 600", NONE, NETWORK, false, false, false},
    {"500 E", NOW, SERVICE, false, false, false},
    {"500 E", RUNS, SERVICE, false, false, false},
    {NULL, NOW, 0, false, false, false},
    {NULL, RUNS, 0, false, false, false},
    {NULL, NOW, 0, false, true, false},
    {NULL, RUNS, 0, false, true, false},
    {"401 U", NONE, CREDENTIALS, false, false, false},
    {NULL, RUNS, 0, false, false, true},
    {"503 S\r\nRetry-After: 20", NONE, NETWORK, false, false, false},
};
#define POSTS ((int)(sizeof(posts) / sizeof(posts[0])))

static void answer_post(void) {
    int slot = strstr(stream.request, "\"Primary\"") != NULL ? 1 : 2;
    int value;

    check_post(slot);
    run.posted = true;
    run.device->accepted = false;
    w.last_failed = false;
    value = choose(POST, POSTS, 1);
    TRACE("service: POST %d: %s", slot, answer_name(POST, value));
    run.causes |= posts[value].cause;
    run.device->accepted = posts[value].accepted;
    switch (posts[value].effect) {
    case NOW:
        run.took = true;
        execute(slot, false);
        break;
    case RUNS:
    case RUNS_POLLED:
        begin_operation(slot, posts[value].effect == RUNS_POLLED);
        break;
    case FAILS:
        w.last_failed = true;
        break;
    default:
        break;
    }
    stream.text[0] = '\0';
    if (posts[value].head != NULL) {
        say(posts[value].head, "");
    }
    stream.hangs = posts[value].hangs;
    if (posts[value].power) {
        power_lost();
    }
}

// In the order of their names. `old` counts pairs of keys back; `lag` is in seconds.
static const struct {
    const char *head; // NULL: the connection ends without an answer
    const char *body; // NULL: the keys
    enum cause cause;
    bool stays; // until the end of the run, or for so many seconds:
    unsigned seconds;
    unsigned lag, old, old_seconds;
} lists[] = {
    {"200 OK", NULL, 0, false, 0, 0, 0, 0},
    {"403 F", "", SERVICE, false, 0, 0, 0, 0},
    {"200 OK", "{\"primaryKey\":\"101\",\"secondaryKey\":null}", SERVICE, false, 0, 0, 0, 0},
    {"200 OK", "{\"primaryKey\":\"101\",\"secondaryKey\":\"101\"}", SERVICE, false, 0, 0, 0, 0},
    {"401 U", "", CREDENTIALS, false, 0, 0, 0, 0},
    {NULL, NULL, NETWORK, false, 0, 0, 0, 0},
    {"403 F", "", SERVICE, true, 0, 0, 0, 0},
    {NULL, NULL, NETWORK, true, 0, 0, 0, 0},
    {"429 T\r\nRetry-After: 45", "", NETWORK, true, 90, 0, 0, 0},
    {"200 OK", NULL, 0, false, 0, 55, 0, 0},
    {"200 OK", NULL, 0, true, 0, 55, 0, 0},
    {"200 OK", NULL, 0, false, 0, 0, 1, 0},
    {"200 OK", NULL, 0, false, 0, 0, 2, 0},
    {"200 OK", NULL, 0, false, 0, 0, 1, 90},
    {"200 OK", NULL, 0, false, 0, 0, 1, 40 * 60},
    {"200 OK", NULL, 0, false, 0, 0, 1, 240 * 60},
};
#define OLD_BY_ONE 11
#define LISTS_ALL 16
#define LISTS_LATE 11 // with those of the class g
#define LISTS_BASE 9

bool near_event(void) {
    if (w.now - w.since[w.pairs_n - 1] < 2 * MINUTE) {
        return true;
    }
    for (int i = 0; i < PENDING; i++) {
        uint64_t limit = w.pending[i].sent + SERVICE_LIMIT;

        if (w.pending[i].slot != 0 && w.now + MINUTE > limit && w.now < limit + 3 * MINUTE) {
            return true;
        }
    }
    return false;
}

static int choose_list(void) {
    int value = run.list_mode;

    if (run.phase != rotation.phase) {
        run.phase = rotation.phase;
        run.lists = 0;
    }
    if (value != 0 && w.now < run.list_mode_until) {
        return value;
    }
    run.list_mode = 0;
    if (w.now < w.old_until) {
        return OLD_BY_ONE;
    }
    if (++run.lists > 3 && !near_event()) {
        return 0;
    }
    value = choose(LIST, on('l') ? LISTS_ALL : on('g') ? LISTS_LATE : LISTS_BASE, 1);
    run.causes |= lists[value].cause;
    if (lists[value].stays) {
        run.list_mode = value;
        run.list_mode_until =
            lists[value].seconds == 0 ? NEVER : w.now + lists[value].seconds * SECOND;
    }
    if (lists[value].old_seconds != 0) {
        w.old_until = w.now + lists[value].old_seconds * SECOND;
    }
    return value;
}

// The pair of keys that is listed. Where lists are old for a minute, one older than a minute passes
// the limit; one alone does not.
static const int *listed_pair(int value) {
    int n = w.pairs_n - 1 - (int)lists[value].old;
    uint64_t lag = lists[value].lag * SECOND;

    n = n < 0 ? 0 : n;
    while (n > 0 && w.since[n] + lag > w.now) {
        n--;
    }
    if (n == w.pairs_n - 1) {
        w.old_since = 0;
    } else if (w.old_since == 0) {
        w.old_since = w.now;
    } else if (w.now >= w.old_since + MINUTE && w.now > w.since[n + 1] + MINUTE) {
        passed_limit(OLD_LISTS);
    }
    return w.pairs[n];
}

static void answer_list(void) {
    int value = choose_list();
    const int *pair = listed_pair(value);
    char body[64];

    TRACE("service: lists %d %d (%s)", pair[0], pair[1], answer_name(LIST, value));
    stream.text[0] = '\0';
    if (lists[value].head == NULL || lists[value].body != NULL) {
        if (lists[value].head != NULL) {
            say(lists[value].head, lists[value].body);
        }
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (pair[i] == current(i + 1) && w.accepted_at[i] == NEVER) {
            w.accepted_at[i] = w.now + ACCEPTED_AFTER;
        }
    }
    snprintf(body, sizeof(body), "{\"primaryKey\":\"%d\",\"secondaryKey\":\"%d\"}", pair[0],
             pair[1]);
    say("200 OK", body);
}

// In the order of their names; the first is what is so.
static const char *const polls[] = {NULL, "404 N", "401 U", "", "403 F", "202 A", ""};

static void answer_poll(void) {
    bool running = false;
    int value;

    for (int i = 0; i < PENDING; i++) {
        running |= w.pending[i].slot != 0 && w.pending[i].polled;
    }
    value = run.poll_mode = run.poll_mode == 0 ? choose(POLL, 7, 1) : run.poll_mode;
    TRACE("service: poll: %s", answer_name(POLL, value));
    stream.text[0] = '\0';
    if (value == 0) {
        run.causes |= !running && w.last_failed ? SERVICE : 0;
        say(running ? "202 A" : "200 OK", running         ? ""
                                          : w.last_failed ? "{\"status\":\"Failed\"}"
                                                          : "{\"status\":\"Succeeded\"}");
    } else if (*polls[value] != '\0') {
        say(polls[value], "");
    } else if (value == 6) {
        power_lost();
    }
}

static void answer_show(void) {
    static const char *const bodies[] = {
        "{\"properties\":{\"authMode\":\"Key\",\"scoringUri\":\"https://scores.example/score\"}}",
        "{\"properties\":{\"authMode\":\"Key\",\"scoringUri\":\"http://scores.example/score\"}}",
        "{\"properties\":{\"authMode\":\"Key\"}}", ""};
    int value = choose(SHOW, 4, 1);

    say(value == 3 ? "403 F" : "200 OK", bodies[value]);
}

static void answer_score(void) {
    static const char *const heads[] = {"200 OK", "400 B", "404 N", "429 T", "500 E", "200 OK"};
    int key = atoi(strstr(stream.request, "Bearer ") + 7);
    bool takes = alive(key) && w.now >= w.accepted_at[key / 100 - 1];

    if (run.score_mode == 0) {
        run.score_mode = choose(SCORE, 6, 1);
    }
    stream.hangs = run.score_mode == 5;
    TRACE("scoring: %d %s (%s)", key, takes ? "taken" : "refused",
          answer_name(SCORE, run.score_mode));
    say(run.score_mode > 1 || takes ? heads[run.score_mode] : "401 U", "");
}

static void answer(void) {
    advance(100);
    if (strstr(stream.request, "/regenerateKeys?") != NULL) {
        answer_post();
    } else if (strstr(stream.request, "/listKeys?") != NULL) {
        answer_list();
    } else if (stream.scores) {
        answer_score();
    } else if (strncmp(stream.request, "GET /op ", 8) == 0) {
        answer_poll();
    } else {
        answer_show();
    }
    stream.rest = stream.text;
    stream.len = 0;
}

// ---- the transport ------------------------------------------------------------------------------

static int open_stream(void *ctx, struct rekey_span host, uint16_t number, uint32_t timeout_ms) {
    (void)ctx;
    (void)number;
    (void)timeout_ms;
    if (run.open_phase != rotation.phase && run.open_mode == 0) {
        run.open_phase = rotation.phase;
        run.open_mode = choose(OPEN, 3, 1);
        run.causes |= run.open_mode == 1 ? NETWORK : run.open_mode == 2 ? TRUST : 0;
    }
    if (run.open_mode != 0) {
        return run.open_mode == 1 ? REKEY_E_IO : REKEY_E_CERT_ISSUER;
    }
    stream.scores = !rekey_span_equal(host, REKEY_SPAN(HOST));
    stream.len = 0;
    stream.rest = NULL;
    stream.hangs = false;
    return REKEY_DONE;
}

static int write_stream(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    if (stream.rest != NULL) { // the next request on this connection
        stream.len = 0;
        stream.rest = NULL;
    }
    memcpy(stream.request + stream.len, data, len);
    stream.len += len;
    stream.request[stream.len] = '\0';
    *done = len;
    return REKEY_DONE;
}

static int read_stream(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    if (stream.rest == NULL && stream.len > 0 && !stream.hangs) {
        answer();
    }
    if (stream.rest == NULL || stream.hangs || run.dead) {
        return REKEY_WANT_READ;
    }
    *done = strlen(stream.rest);
    if (*done == 0) {
        return stream.text[0] == '\0' ? REKEY_END : REKEY_WANT_READ;
    }
    *done = *done < cap ? *done : cap;
    memcpy(buf, stream.rest, *done);
    stream.rest += *done;
    return REKEY_DONE;
}

static void close_stream(void *ctx) {
    (void)ctx;
}

int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    (void)cap;
    memcpy(buf, "token", 5);
    *len = 5;
    return REKEY_DONE;
}

const struct rekey_transport transport = {
    .open = open_stream, .write = write_stream, .read = read_stream, .close = close_stream};
