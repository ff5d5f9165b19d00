// model.c - tries all combinations of a bounded number of adverse events around some runs of the
// rotation. It models the service, the storage, the clocks, the hook, and other clients. The code
// under test is the real src/*.c. Wherever the real world may be adverse, the model asks choose()
// what happens. Within a run the search is depth first. Between runs, only new states are
// continued. From each such state, runs without adverse events must lead to success.
//
//     model               the explorations of `make model`
//     model -d            those of `make model MODEL=deep`
//     model -q            the first, short ones
//     model -a            enough to see each phase after each phase that it can follow
//     model -p SCRIPT     plays a script that was printed as broken, and prints each event
//
// Network, service, storage and power are always adverse. The classes add:
//     a a signal ends a run     v rollbacks              c steps of the wall clock
//     g lists up to a minute late                        l lists that are old for longer
//     t files lost, restored, written by hand            o options
//     x execution after the service's own limit          p probes of the scoring URI
//     r another client regenerates keys                  f a follower, with sync
//     n (no more events) a board without a clock that survives a run
// It begins with the primary key in use (p), the secondary one (s), or an empty directory (e).

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "fake_port.h"
#include "rotate.h"

#pragma GCC diagnostic ignored "-Wunused-parameter" // callbacks do not need their ctx

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define SECOND 1000u
#define MINUTE (60u * SECOND)
#define DAY (24u * 60u * MINUTE)
#define SERVICE_LIMIT (30u * MINUTE) // the service executes nothing later than this
#define LIST_INTERVAL (20u * SECOND) // long: in a series, each list is like the one before it
#define ACCEPTED_AFTER MINUTE        // after this time scoring accepts a new key

// ---- the world ----------------------------------------------------------------------------------

// A key is slot * 100 + serial; a newer key has a larger serial; 0: none.
struct disk {
    int key, previous;
    struct rekey_rotation_state state;
    enum rekey_key operation; // 0: none
    enum rekey_poll_kind kind;
    bool unsure;
    unsigned boot; // the intent was saved in this boot, `begun` after its start
    uint64_t begun;
};

struct device {
    struct disk disk, before; // before: the disk before the last run
    int64_t skew;             // error of its wall clock, seconds
    unsigned boot;            // number of the boot
    uint64_t boot_at;         // when the boot began
    // The truth, whatever the device believes.
    uint64_t left_use[2];     // when the key of a slot left the key file; 0: never
    uint64_t foreign_seen[2]; // when a run ended because another client had changed the key
    bool hook_due;
    bool accepted;     // the service has accepted the operation whose record is on the disk
    int rollback_from; // the key before a rollback that has not completed
    int clean_syncs;   // number of the follower's, since the rotator switched
};

#define NEWEST 7
static struct world {
    uint64_t now;
    struct pair {
        int keys[2];
        uint64_t since;
    } pairs[NEWEST + 1];     // the keys over time
    uint64_t accepted_at[2]; // when scoring begins to accept the newest keys
    int serial;              // serial of the newest key
    struct pending {
        int slot; // 0: none
        bool polled, fails;
        uint64_t sent, ends;
    } pending[4];
    bool last_failed;   // whether the operation of the polling URL failed
    uint64_t old_until; // until then lists are old
    uint64_t old_since; // when lists began to be old; 0: the last one was current
    unsigned limits;    // the limits that the events so far have exceeded
    struct device rotator, follower;
} w;

enum verb { ROTATE, SYNC, ROLLBACK };

// The reasons for which a run may end as it does. A hook that outlives the deadline counts as
// NETWORK.
enum cause { ANY = 1, NETWORK = 2, TRUST = 4, TOKEN = 8, SERVICE = 16, LOCAL = 32, STOPPED = 64 };

// The state of the current run.
static struct run {
    struct device *device;
    enum verb verb;
    bool hook;
    uint32_t timeout_ms;
    struct rekey_rotation_options rules;
    bool dead;   // power was lost
    bool posted; // a POST was sent
    bool took;   // a POST was executed, or will be
    unsigned causes;
    int budget; // these four are as they were at the beginning of the run
    struct disk disk;
    bool unfinished; // there was an operation whose key is not in use
    bool accepted;   // the service had accepted that operation
    uint64_t hook_until;
    // How the service behaves until the end of the run; 0: normally.
    int list_mode, poll_mode, score_mode, open_mode;
    uint64_t list_mode_until;
    int lists;                  // lists in this phase
    unsigned phase, open_phase; // phase of the last list and of the last connection
    unsigned step;              // phase and state of the client before the last step
    uint8_t entered[1024];      // how often each phase was entered
} run;
static struct rekey client;
static struct rekey_rotation rotation;

const char *phase_name(unsigned phase); // in phases.c; NULL: there is no such phase

static int current(int slot) {
    return w.pairs[NEWEST].keys[slot - 1];
}

static bool alive(int key) {
    return key != 0 && current(key / 100) == key;
}

// ---- questions and answers ----------------------------------------------------------------------

static struct question {
    const char *name; // NULL: there are no more
    uint64_t asked;
    int nth; // number of the question among those of its kind in this run
} questions[24];

// The answers so far that were not 0. " post 1.2=lost, runs;" answers the second POST of run 1.
static char script[320];
static const char *played; // the script that gives the answers; NULL: there is none
static int played_n;       // how many of its answers were used
static int budget;         // what may still be adverse
static bool kind;          // each answer is 0
static char start, classes[32];

// The answers of a run, up to the one that changes next.
static struct {
    int len, at, run; // number of answers in the arrays; index of the next one; number of the run
    uint8_t value[4096], count[4096];
} path;

static bool on(char class) {
    return strchr(classes, class) != NULL;
}

// Checks that `n` does not exceed `max`, for which there is memory.
static void check_memory(const char *name, int n, int max) {
    if (n >= max) {
        fprintf(stderr, "%s: more than %d, which is its size in model.c\n", name, max);
        exit(2);
    }
}

// Prints a line of a script that is played. A line that repeats is printed once.
static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void trace(const char *format, ...) {
    static char line[200], before[200];
    va_list args;

    if (played != NULL) {
        va_start(args, format);
        vsnprintf(line, sizeof(line), format, args);
        va_end(args);
        if (strcmp(line, before) != 0) {
            printf("    %8.1f s  %s\n", (double)w.now / 1000.0, line);
        }
        memcpy(before, line, sizeof(before));
    }
}

// Moves to the next combination; false after the last. Questions that were not asked in the last
// run do not count.
static bool next_path(void) {
    for (path.len = path.at; path.len > 0; path.len--) {
        if (path.value[path.len - 1] + 1 < path.count[path.len - 1]) {
            path.value[path.len - 1]++;
            return true;
        }
    }
    return false;
}

static void begin_answers(int number, const char *before, int left) {
    path.at = 0;
    path.run = number;
    for (int i = 0; i < COUNT(questions); i++) {
        questions[i].nth = 0;
    }
    snprintf(script, sizeof(script), "%s", before);
    budget = left;
}

// Adds " post 1.2=lost, runs;" for an answer: the value-th of those that '|' separates.
static const char *decision(const struct question *q, const char *answers, int value) {
    static char text[80];

    while (value-- > 0) {
        answers += strcspn(answers, "|") + 1;
    }
    snprintf(text, sizeof(text), " %s %d.%d=%.*s;", q->name, path.run, q->nth,
             (int)strcspn(answers, "|"), answers);
    return text;
}

static int played_answer(const struct question *q, const char *answers, int count) {
    for (int value = 1; value < count; value++) {
        if (strstr(played, decision(q, answers, value)) != NULL) {
            played_n++;
            return value;
        }
    }
    return 0;
}

// Picks one of the first `count` answers. The first answer is the harmless one; any other costs
// `cost` of the budget.
static int choose(const char *name, const char *answers, int count, int cost) {
    struct question *q = questions;
    int value = 0;

    if (kind || count < 2) {
        return 0;
    }
    while (q->name != NULL && strcmp(q->name, name) != 0) {
        q++;
    }
    q->name = name;
    q->nth++;
    if (played != NULL) {
        value = played_answer(q, answers, count);
    } else if (cost <= budget) {
        check_memory("path", path.at, COUNT(path.value));
        q->asked++;
        if (path.at == path.len) {
            path.value[path.len] = 0;
            path.count[path.len++] = (uint8_t)count;
        }
        value = path.value[path.at++];
    }
    if (value != 0) {
        budget -= cost;
        trace("[%s ]", decision(q, answers, value));
        strncat(script, decision(q, answers, value), sizeof(script) - strlen(script) - 1);
    }
    return value;
}

// ---- promises -----------------------------------------------------------------------------------

// The limits of the promises of docs/rotation.md; ALWAYS: no limit.
enum promise { ALWAYS, ASKED, KILLED, DEAD, EARLY, MIN_AGE, ROLLED_BACK, FOLLOWS, RECOVERS };

// What it excludes. LEFT: the rotator switched to another key without a rotation, which a follower
// cannot see.
enum limit { LATE, OLD, SHORT, WALL_CLOCK, NO_SETTLING, FILES, OTHERS, FIRST, LEFT, LAST_WRITE };

#define BIT(n) (1u << (n))
static struct {
    const char *name;
    unsigned excused; // promises that are not made beyond the limit
    unsigned long n;
} limits[] = {
    [LATE] = {"late execution", BIT(KILLED) | BIT(DEAD) | BIT(FOLLOWS) | BIT(RECOVERS), 0},
    [OLD] = {"old lists", BIT(DEAD) | BIT(EARLY) | BIT(ASKED) | BIT(KILLED) | BIT(FOLLOWS), 0},
    [SHORT] = {"short --timeout", BIT(KILLED) | BIT(DEAD), 0},
    [WALL_CLOCK] = {"wall clock", BIT(MIN_AGE), 0},
    [NO_SETTLING] = {"no settling", BIT(EARLY) | BIT(DEAD), 0},
    [FILES] = {"files changed", ~BIT(ALWAYS) & ~BIT(ASKED) & ~BIT(RECOVERS), 0},
    [OTHERS] = {"somebody else", BIT(DEAD) | BIT(EARLY) | BIT(KILLED) | BIT(FOLLOWS), 0},
    [FIRST] = {"first key", BIT(DEAD) | BIT(EARLY), 0},
    [LEFT] = {"followers left", BIT(FOLLOWS), 0},
    [LAST_WRITE] = {"last write of a rollback", BIT(ROLLED_BACK), 0},
};

// Broken promises, each with the first script that led to it. That script is a shortest one,
// because longer ones come later.
static struct {
    const char *what;
    unsigned long n;
    char script[sizeof(script)];
} found[64];

static void limit_if(bool passed, enum limit limit) {
    w.limits |= passed ? BIT(limit) : 0;
}

// A promise that is broken only beyond a limit is counted separately.
static void broken_if(bool is_so, enum promise promise, const char *what) {
    int i = 0;

    if (!is_so) {
        return;
    }
    trace("***** %s", what);
    for (int j = 0; j < COUNT(limits); j++) {
        if ((w.limits & BIT(j)) != 0 && (limits[j].excused & BIT(promise)) != 0) {
            trace("      (within the limit \"%s\")", limits[j].name);
            limits[j].n++;
            return;
        }
    }
    while (i < COUNT(found) - 1 && found[i].n > 0 && found[i].what != what) {
        i++;
    }
    if (found[i].n++ == 0) {
        found[i].what = what;
        memcpy(found[i].script, script, sizeof(script));
    }
}

static void never(bool is_so, const char *what) {
    broken_if(is_so, ALWAYS, what);
}

// Prints the broken promises and forgets them. Returns how many there were.
static int print_broken(void) {
    unsigned long excused = 0;
    int n = 0;

    for (int i = 0; i < COUNT(limits); excused += limits[i].n, limits[i++].n = 0) {
        if (limits[i].n > 0) {
            printf("    within the limit \"%s\": %lu\n", limits[i].name, limits[i].n);
        }
    }
    for (; n < COUNT(found) && found[n].n > 0; found[n++].n = 0) {
        printf("    BROKEN, %lu times: %s\n        -p \"%c %s:%s\"\n", found[n].n, found[n].what,
               start, classes, found[n].script);
    }
    printf("    %d broken, %lu within limits\n", n, excused);
    fflush(stdout);
    return n;
}

// A key enters the key file of the device that runs.
static void check_switch(int key) {
    const struct device *d = run.device;
    bool adopted = rotation.result == REKEY_ROTATION_ADOPTED, restored = run.verb == ROLLBACK;
    bool doubted = w.old_since != 0 && w.now + LIST_INTERVAL >= w.old_since + MINUTE;

    never(adopted && alive(d->disk.key) && !doubted, "a key that lives was replaced");
    limit_if(d->disk.key == 0, FIRST);
    limit_if(d == &w.rotator && (adopted || restored), LEFT);
    if (d == &w.follower) {
        broken_if(d->disk.key != 0 && key % 100 < d->disk.key % 100, FOLLOWS,
                  "the follower has gone back to an older key");
        return;
    }
    broken_if(!alive(key), DEAD,
              restored  ? "a rollback to a dead key"
              : adopted ? "a dead key was adopted"
                        : "a dead key was put to use");
    broken_if(alive(key) && w.now < w.accepted_at[key / 100 - 1] && !restored, EARLY,
              "a key is in use that scoring does not take yet");
}

static bool younger(uint64_t event) {
    return event != 0 && w.now - event + 2 * MINUTE < (uint64_t)run.rules.min_age_s * SECOND;
}

static void check_post(int slot) {
    broken_if(run.device != &w.rotator, ASKED, "a follower regenerates");
    broken_if(w.rotator.disk.key == current(slot), ASKED, "a POST for the key in use");
    broken_if(younger(run.device->left_use[slot - 1]), MIN_AGE,
              "a POST for the key before, before --min-age");
    broken_if(younger(run.device->foreign_seen[slot - 1]), MIN_AGE,
              "a POST for somebody else's key, before --min-age");
}

// An outcome needs one of its causes, and must not claim more than is true.
static void check_outcome(enum rekey_outcome outcome) {
    static const unsigned causes[REKEY_FAILED + 1] = {
        [REKEY_SUCCEEDED] = ANY,     [REKEY_REFUSED] = SERVICE,
        [REKEY_FAILED] = SERVICE,    [REKEY_USAGE] = ANY,
        [REKEY_UNKNOWN] = ANY,       [REKEY_NOT_REACHED] = NETWORK | STOPPED,
        [REKEY_RUNNING] = ANY,       [REKEY_NOT_TRUSTED] = TRUST,
        [REKEY_CREDENTIALS] = TOKEN, [REKEY_LOCAL] = LOCAL | STOPPED};
    bool open = outcome == REKEY_UNKNOWN || outcome == REKEY_RUNNING;
    // Events before this run that can cause these outcomes.
    bool earlier = rotation.error == REKEY_E_KEY_FOREIGN || (outcome == REKEY_LOCAL && !run.hook);
    bool settled = !open && outcome != REKEY_SUCCEEDED && outcome != REKEY_LOCAL && !earlier;

    never(causes[outcome] == 0, "it has ended without an outcome");
    never((causes[outcome] & run.causes) == 0 && !earlier, "an outcome without a cause");
    never(settled && run.took, "settled, and a POST is executed");
    never(settled && run.verb == ROTATE && run.unfinished && run.device->disk.operation != 0,
          "settled, and an operation is unfinished");
    never(outcome == REKEY_USAGE && run.verb != ROLLBACK, "a wrong use that was none");
    never(open && run.disk.operation == 0 && !run.posted, "12 or 13, and nothing was begun");
    never(outcome == REKEY_RUNNING && !run.accepted && !run.device->accepted &&
              !rotation.by_comparison,
          "13, and the service has not accepted it");
}

static void check_success(struct device *d) {
    bool same = d->disk.key == run.disk.key, other_slot;
    enum rekey_rotation_result result = rotation.result;

    other_slot = d->disk.key / 100 != (int)rotation.state.slot;
    never(result == REKEY_ROTATION_ROTATED &&
              (other_slot || (same && !rotation.found_operation && run.verb == ROTATE)),
          "rotated, and it was not");
    never(result == REKEY_ROTATION_RESTORED && same && d->rollback_from == 0,
          "restored, and the key is as it was"); // except one that an earlier run has begun
    broken_if(result == REKEY_ROTATION_RESTORED && d->disk.key == d->rollback_from, ROLLED_BACK,
              "a repeated rollback goes forward again");
    never((result == REKEY_ROTATION_NOT_DUE || result == REKEY_ROTATION_UNCHANGED) && !same,
          "nothing done, and the key is another one");
    never(d->hook_due && run.hook, "success, and the hook is due");
    never(run.verb == ROTATE && d->disk.operation != 0, "success, and the operation is there");
    if (d == &w.follower && run.budget == budget && w.now >= w.old_until) {
        d->clean_syncs++;
        broken_if(!alive(d->disk.key), FOLLOWS, "the follower's key is dead after its run");
    }
}

static void check_end(void) {
    struct device *d = run.device;
    bool good = !run.dead && rotation.outcome == REKEY_SUCCEEDED;
    bool refused = !run.dead && rotation.outcome == REKEY_USAGE;

    if (!run.dead) {
        trace("ends: error %d, outcome %d, result %d", rotation.error, (int)rotation.outcome,
              (int)rotation.result);
        never(good != (rotation.error == 0), "error and outcome differ");
        check_outcome(rotation.outcome);
        if (rotation.error == REKEY_E_KEY_FOREIGN) {
            d->foreign_seen[d->disk.key / 100 == 1 ? 1 : 0] = w.now;
        }
    }
    if (good) {
        check_success(d);
    }
    broken_if(refused && memcmp(&d->disk, &run.disk, sizeof(run.disk)) != 0, ROLLED_BACK,
              "refused, and something has changed");
    never(d->hook_due && !d->disk.state.hook_pending, "a pending hook is lost");
    if (run.verb == ROLLBACK && !good && !refused) {
        d->rollback_from = d->rollback_from != 0 ? d->rollback_from : run.disk.key;
        limit_if(d->disk.key != d->rollback_from && !d->disk.state.rolled_back &&
                     !d->disk.state.hook_pending,
                 LAST_WRITE);
    } else if (!refused) {
        d->rollback_from = 0;
    }
}

// ---- the service --------------------------------------------------------------------------------

static void execute(int slot, bool foreign) {
    int old = current(slot);

    memmove(w.pairs, w.pairs + 1, sizeof(w.pairs) - sizeof(w.pairs[0]));
    w.pairs[NEWEST].keys[slot - 1] = slot * 100 + ++w.serial;
    w.pairs[NEWEST].since = w.now;
    w.accepted_at[slot - 1] = UINT64_MAX;
    trace("service: executes %d -> %d%s", old, current(slot), foreign ? " for somebody else" : "");
    limit_if(foreign, OTHERS);
    broken_if(w.rotator.disk.key == old && !foreign, KILLED, "the key in use was regenerated");
    broken_if(w.follower.disk.key == old && w.follower.clean_syncs >= 2 && !foreign, FOLLOWS,
              "the follower's key was regenerated");
}

// The operation that is the next to end, not later than `until`; NULL if there is none.
static struct pending *next_pending(uint64_t until) {
    struct pending *next = NULL;

    for (struct pending *p = w.pending; p < w.pending + COUNT(w.pending); p++) {
        if (p->slot != 0 && p->ends <= until) {
            next = p;
            until = p->ends;
        }
    }
    return next;
}

// Time passes, and operations that are due are executed.
static void advance(uint64_t ms) {
    const uint64_t until = w.now + ms;

    for (struct pending *p; (p = next_pending(until)) != NULL; p->slot = 0) {
        w.now = p->ends > w.now ? p->ends : w.now;
        if (p->fails) {
            w.last_failed |= p->polled;
        } else {
            execute(p->slot, false);
        }
    }
    w.now = until;
}

// The service accepts the request, and decides when it is executed.
static void begin_operation(int slot, bool polled) {
    static const unsigned seconds[] = {3, 0, 100, 900, 1500, 1785, 1799, 1860, 2700, 10800};
    struct pending *p = w.pending;
    unsigned s =
        seconds[choose("delay", "3 s|never|100 s|15 min|25 min|29:45|29:59|31 min|45 min|3 h",
                       on('x') ? 10 : 7, 0)];

    limit_if(s * SECOND > SERVICE_LIMIT, LATE);
    run.took |= s != 0;
    while (p->slot != 0 && p < w.pending + COUNT(w.pending) - 1) {
        p++;
    }
    *p = (struct pending){slot, polled, s == 0, w.now,
                          w.now + (s == 0 ? SERVICE_LIMIT : s * SECOND)};
}

// Whether the current time is near the time at which an operation is executed or can no longer be.
// Elsewhere, in the middle of a long wait, an event has the same effect as one earlier in that
// wait.
static bool near_event(void) {
    bool is_near = w.now - w.pairs[NEWEST].since < 2 * MINUTE;

    for (const struct pending *p = w.pending; p < w.pending + COUNT(w.pending); p++) {
        uint64_t limit = p->sent + SERVICE_LIMIT;

        is_near |= p->slot != 0 && w.now + MINUTE > limit && w.now < limit + 3 * MINUTE;
    }
    return is_near;
}

static void power_lost(void) {
    run.dead = true;
    trace("power is lost");
    run.device->boot++;
    run.device->boot_at = w.now;
}

#define OK "200 OK"
#define HOST "management.azure.com"
#define URL "https://" HOST "/op"
#define ASYNC "202 A\r\nAzure-AsyncOperation: " URL

static struct {
    char request[4096], text[1024];
    size_t len;
    const char *rest; // position in the answer; NULL: there is no answer yet
    bool hangs, scores;
} stream;

// Happens instead of an answer: the connection ends, it stays open, or power is lost.
static const char lost[] = "", hangs[] = "", power[] = "";

static void say(const char *head, const char *body) {
    stream.text[0] = '\0';
    stream.hangs = head == hangs;
    if (*head != '\0') {
        snprintf(stream.text, sizeof(stream.text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
                 head, strlen(body), body);
    } else if (head == power) {
        power_lost();
    }
}

static void answer_post(void) {
    static const struct {
        const char *head;
        enum { NOTHING, NOW, RUNS, RUNS_POLLED, FAILS } effect;
        unsigned cause;
    } posts[] = {{OK, NOW, 0},
                 {ASYNC, NOW, 0},
                 {"202 A\r\nLocation: " URL, RUNS_POLLED, 0},
                 {ASYNC, FAILS, SERVICE},
                 {"202 A", RUNS, 0},
                 {"202 A\r\nLocation: https://b/op", RUNS, 0},
                 {"403 F", NOTHING, SERVICE},
                 {"429 T\r\nRetry-After: 600", NOTHING, NETWORK},
                 {"500 E", NOW, SERVICE},
                 {"500 E", RUNS, SERVICE},
                 {lost, NOW, 0},
                 {lost, RUNS, 0},
                 {power, NOW, 0},
                 {power, RUNS, 0},
                 {"401 U", NOTHING, TOKEN},
                 {hangs, RUNS, 0},
                 {"503 S\r\nRetry-After: 20", NOTHING, NETWORK}};
    int slot = strstr(stream.request, "\"Primary\"") != NULL ? 1 : 2;
    int value;

    trace("service: POST %d", slot);
    check_post(slot);
    value = choose("post",
                   "200|202 async, executed|202 location, runs|202 async, fails|202 no url, runs|"
                   "202 foreign url, runs|403|429|500, executed|500, runs|lost, executed|"
                   "lost, runs|power lost, executed|power lost, runs|401|hangs, runs|503",
                   COUNT(posts), 1);
    run.posted = true;
    run.causes |= posts[value].cause;
    run.device->accepted = value < 4;
    w.last_failed = posts[value].effect == FAILS;
    if (posts[value].effect == NOW) {
        run.took = true;
        execute(slot, false);
    } else if (posts[value].effect == RUNS || posts[value].effect == RUNS_POLLED) {
        begin_operation(slot, posts[value].effect == RUNS_POLLED);
    }
    say(posts[value].head, "");
}

#define KEYS "{\"primaryKey\":\"%d\",\"secondaryKey\":\"%d\"}"
static const struct {
    const char *head, *body;
    unsigned cause;
    unsigned stays_s; // how long it lasts; UINT32_MAX: until the end of the run
    unsigned lag_s;   // how many seconds late the list is,
    int old;          // or how many pairs of keys,
    unsigned old_s;   // and for how long others are
} lists[] = {
    {OK, KEYS, 0, 0, 0, 0, 0},
    {"403 F", "", SERVICE, 0, 0, 0, 0},
    {OK, "{\"primaryKey\":\"101\",\"secondaryKey\":null}", SERVICE, 0, 0, 0, 0},
    {OK, "{\"primaryKey\":\"101\",\"secondaryKey\":\"101\"}", SERVICE, 0, 0, 0, 0},
    {"401 U", "", TOKEN, 0, 0, 0, 0},
    {lost, "", NETWORK, 0, 0, 0, 0},
    {"403 F", "", SERVICE, UINT32_MAX, 0, 0, 0},
    {lost, "", NETWORK, UINT32_MAX, 0, 0, 0},
    {"429 T\r\nRetry-After: 45", "", NETWORK, 90, 0, 0, 0},
    {OK, KEYS, 0, 0, 55, 0, 0},
    {OK, KEYS, 0, UINT32_MAX, 55, 0, 0},
    {OK, KEYS, 0, 0, 0, 1, 0},
    {OK, KEYS, 0, 0, 0, 2, 0},
    {OK, KEYS, 0, 0, 0, 1, 90},
    {OK, KEYS, 0, 0, 0, 1, 40 * 60},
    {OK, KEYS, 0, 0, 0, 1, 240 * 60},
};
enum { LISTS_BASE = 9, LISTS_LATE = 11, OLD_BY_ONE = 11 };

static int choose_list(void) {
    int value = run.list_mode;

    run.lists = run.phase == rotation.phase ? run.lists + 1 : 1;
    run.phase = rotation.phase;
    if (value != 0 && w.now < run.list_mode_until) {
        return value;
    }
    run.list_mode = 0;
    if (w.now < w.old_until) {
        return OLD_BY_ONE;
    }
    if (run.lists > 3 && !near_event()) {
        return 0;
    }
    value = choose("list",
                   "current|403|null|equal|401|reset|403 from now|reset from now|429 for 90 s|late|"
                   "late from now|old by one|old by two|old for 90 s|old for 40 min|old for 4 h",
                   on('l')   ? COUNT(lists)
                   : on('g') ? LISTS_LATE
                             : LISTS_BASE,
                   1);
    run.causes |= lists[value].cause;
    run.list_mode = lists[value].stays_s != 0 ? value : 0;
    run.list_mode_until = w.now + lists[value].stays_s * (uint64_t)SECOND;
    w.old_until = lists[value].old_s != 0 ? w.now + lists[value].old_s * SECOND : w.old_until;
    return value;
}

// The keys that are listed. If lists are old for a minute, one that is older than a minute exceeds
// the limit; a single one does not.
static const int *listed_keys(int value) {
    int n = NEWEST - lists[value].old;

    while (w.pairs[n].since + lists[value].lag_s * SECOND > w.now) {
        n--;
    }
    if (n == NEWEST || w.old_since == 0) {
        w.old_since = n == NEWEST ? 0 : w.now;
    } else {
        limit_if(w.now >= w.old_since + MINUTE && w.now > w.pairs[n + 1].since + MINUTE, OLD);
    }
    return w.pairs[n].keys;
}

static void answer_list(void) {
    int value = choose_list();
    const int *keys = listed_keys(value);
    char body[64];

    trace("service: lists %d %d", keys[0], keys[1]);
    for (int i = 0; i < 2 && strcmp(lists[value].body, KEYS) == 0; i++) {
        if (keys[i] == current(i + 1) && w.accepted_at[i] == UINT64_MAX) {
            w.accepted_at[i] = w.now + ACCEPTED_AFTER;
        }
    }
    snprintf(body, sizeof(body), KEYS, keys[0], keys[1]);
    say(lists[value].head, strcmp(lists[value].body, KEYS) == 0 ? body : lists[value].body);
}

static void answer_poll(void) {
    static const char *const heads[] = {"", "404 N", "401 U", lost, "403 F", "202 A", power};
    bool running = false;

    for (int i = 0; i < COUNT(w.pending); i++) {
        running |= w.pending[i].slot != 0 && w.pending[i].polled;
    }
    if (run.poll_mode == 0) {
        run.poll_mode = choose(
            "poll", "truth|404 from now|401|reset from now|403|running from now|power lost", 7, 1);
    }
    if (run.poll_mode != 0 || running) {
        say(run.poll_mode != 0 ? heads[run.poll_mode] : "202 A", "");
        return;
    }
    run.causes |= w.last_failed ? SERVICE : 0;
    say(OK, w.last_failed ? "{\"status\":\"Failed\"}" : "{\"status\":\"Succeeded\"}");
}

static void answer_show(void) {
#define URI(more) "{\"properties\":{\"authMode\":\"Key\"" more "}}"
    static const char *const bodies[] = {URI(",\"scoringUri\":\"https://scores.example/score\""),
                                         URI(",\"scoringUri\":\"http://scores.example/score\""),
                                         URI(""), ""};
    int value = choose("show", "a scoring URI|http|none|403", 4, 1);

    run.causes |= value == 1 || value == 2 ? LOCAL : 0;
    say(value == 3 ? "403 F" : OK, bodies[value]);
}

static void answer_score(void) {
    static const char *const heads[] = {OK, "400 B", "404 N", "429 T", "500 E", hangs};
    int key = atoi(strstr(stream.request, "Bearer ") + 7);
    bool takes = alive(key) && w.now >= w.accepted_at[key / 100 - 1];

    if (run.score_mode == 0) {
        run.score_mode =
            choose("score", "truth|400|404 from now|429 from now|500 from now|hangs", 6, 1);
    }
    trace("scoring: %d is %s", key, takes ? "taken" : "refused");
    say(run.score_mode > 1 || takes ? heads[run.score_mode] : "401 U", "");
}

// ---- the transport ------------------------------------------------------------------------------

static int open_stream(void *ctx, struct rekey_span host, uint16_t number, uint32_t timeout_ms) {
    static const int results[] = {REKEY_DONE, REKEY_E_IO, REKEY_E_CERT_ISSUER};

    if (run.open_phase != rotation.phase && run.open_mode == 0) {
        run.open_phase = rotation.phase;
        run.open_mode = choose("open", "done|no connection|not trusted", 3, 1);
        run.causes |= run.open_mode == 1 ? NETWORK : run.open_mode == 2 ? TRUST : 0;
    }
    stream.len = 0;
    stream.rest = NULL;
    stream.hangs = false;
    stream.scores = !rekey_span_equal(host, REKEY_SPAN(HOST));
    return results[run.open_mode];
}

static int write_stream(void *ctx, const void *data, size_t len, size_t *done) {
    stream.len = stream.rest != NULL ? 0 : stream.len; // the next request on this connection
    stream.rest = NULL;
    *done = len;
    return fake_send(stream.request, &stream.len, data, len);
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
}

static int read_stream(void *ctx, void *buf, size_t cap, size_t *done) {
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
    return fake_give(&stream.rest, *done, buf, cap, done);
}

static int give_token(void *ctx, char *buf, size_t cap, size_t *len) {
    *len = (size_t)snprintf(buf, cap, "token");
    return REKEY_DONE;
}

static int64_t wall_s(void *ctx) {
    return 1800000000 + (int64_t)(w.now / 1000) + run.device->skew;
}

static uint64_t now_ms(void *ctx) {
    return w.now;
}

// The real function would take half of the time, because it clears byte by byte so that no compiler
// removes it. The linker puts this function in its place.
void __wrap_rekey_zeroize(void *ptr, size_t len);
void __wrap_rekey_zeroize(void *ptr, size_t len) {
    memset(ptr, 0, len);
}

// ---- the storage and the hook -------------------------------------------------------------------

static int reads(void) {
    int value = choose("load", "done|error", 2, 1);

    run.causes |= value != 0 ? LOCAL : 0;
    return value == 0 ? REKEY_DONE : REKEY_E_STORE;
}

// Decides the result of a call that writes *next. *half is the content after an interruption
// between its two files, or NULL if it has one file. The call may fail although its effect
// happened. Nothing is written without power.
static int writes(const char *call, const struct disk *half, const struct disk *next) {
    enum { DONE, ERROR, ERROR_AFTER, POWER_AFTER, POWER_HALF, ERROR_HALF };
    struct device *d = run.device;
    int old = d->disk.key, value = ERROR;

    if (!run.dead) {
        value = choose("store",
                       "done|error|error with effect|power lost after|power lost half-way|"
                       "error half-way",
                       half != NULL ? 6 : 4, 1);
    }
    run.causes |= value != DONE ? LOCAL : 0;
    if (value != ERROR) {
        next = value >= POWER_HALF ? half : next;
        trace("%s: key %d, slot %d, hook %d, operation %d", call, next->key, (int)next->state.slot,
              next->state.hook_pending, (int)next->operation);
        if (next->key != old) {
            check_switch(next->key);
            d->left_use[old / 100 == 2] = old != 0 ? w.now : d->left_use[0];
            d->hook_due |= run.hook;
            w.follower.clean_syncs = d == &w.rotator ? 0 : w.follower.clean_syncs;
        }
        d->disk = *next;
    }
    if (value == POWER_AFTER || value == POWER_HALF) {
        power_lost();
    }
    return value == DONE || value == POWER_AFTER ? REKEY_DONE : REKEY_E_STORE;
}

static int load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    int number = previous ? run.device->disk.previous : run.device->disk.key;

    *len = number == 0 ? 0 : (size_t)snprintf(key, cap, "%d", number);
    return reads();
}

static int save_key(void *ctx, struct rekey_span key) {
    struct disk half = run.device->disk, next;

    half.previous = half.key != 0 ? half.key : half.previous;
    next = half;
    next.key = atoi(key.ptr);
    return writes("save_key", &half, &next);
}

static int restore_key(void *ctx) {
    struct disk half = run.device->disk, next;

    half.key = half.previous;
    next = half;
    next.previous = run.device->disk.key;
    return writes("restore_key", &half, &next);
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    *state = run.device->disk.state;
    return reads();
}

static int save_state(void *ctx, const struct rekey_rotation_state *state) {
    struct disk next = run.device->disk;

    next.state = *state;
    return writes("save_state", NULL, &next);
}

static uint64_t operation_age_ms(const struct device *d) {
    return on('n') ? 0 : w.now - d->boot_at - (d->disk.boot == d->boot ? d->disk.begun : 0);
}

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    const struct disk *disk = &run.device->disk;

    if (disk->operation != 0) {
        *record = (struct rekey_record){
            .kind = disk->kind,
            .url = disk->kind == REKEY_POLL_NONE ? REKEY_SPAN("") : REKEY_SPAN(URL),
            .request_id = REKEY_SPAN("55555555-5555-4555-9555-555555555555"),
            .unsure = disk->unsure};
        *slot = disk->operation;
        *age_ms = operation_age_ms(run.device);
    }
    return reads();
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    struct disk next = run.device->disk;

    if (record->kind == REKEY_POLL_NONE) {
        next.boot = run.device->boot;
        next.begun = w.now - run.device->boot_at;
    }
    next.operation = slot;
    next.kind = record->kind;
    next.unsure = record->unsure;
    return writes("save_operation", NULL, &next);
}

static int remove_operation(void *ctx) {
    struct disk next = run.device->disk;

    next.operation = (enum rekey_key)0;
    return writes("remove_operation", NULL, &next);
}

static int run_hook(void *ctx) {
    static const uint64_t durations[] = {0, 0, 0, 90 * SECOND, 40 * MINUTE};
    int value = 0;

    if (run.hook_until == 0 && !run.dead) {
        value = choose("hook", "runs|fails|power lost|takes 90 s|takes 40 min", 5, 1);
        run.causes |= value == 1 ? LOCAL : value == 4 ? NETWORK : 0;
        run.hook_until = w.now + durations[value];
    }
    if (value == 2) {
        power_lost();
    }
    if (value != 1 && !run.dead && w.now < run.hook_until) {
        return REKEY_WANT_TIME;
    }
    run.hook_until = 0;
    if (value == 1 || run.dead) {
        return REKEY_E_HOOK;
    }
    run.device->hook_due = false;
    trace("hook: sees %d", run.device->disk.key);
    return REKEY_DONE;
}

static void sum(void *ctx, struct rekey_span data, unsigned char out[32]) {
    memset(out, 1, 32);
    out[0] = (unsigned char)(atoi(data.ptr) / 100);
    out[1] = (unsigned char)(atoi(data.ptr) % 100);
}

// ---- a run --------------------------------------------------------------------------------------

static void step_clock(int count) {
    static const int64_t steps[] = {0, 7200, -7200, 600, 3 * 86400, 0};
    int value = choose("clock", "runs|+2 h|-2 h|+10 min|+3 days|reboot", on('c') ? count : 1, 1);

    run.device->skew += steps[value];
    limit_if(steps[value] > 0, WALL_CLOCK);
    if (value == 5) {
        run.device->boot++;
        run.device->boot_at = w.now;
    }
}

static void somebody_else(void) {
    int slot = choose("foreign", "nothing|primary|secondary", on('r') ? 3 : 1, 1);

    if (slot != 0) {
        execute(slot, true);
    }
}

// Events between two steps. The question is asked when a phase of the rotation begins; for a
// signal, also in each state of the client. True if the event ends the run.
static bool between_steps(void) {
    unsigned step =
        (unsigned)rotation.phase << 5 | (unsigned)client.state << 1 | rotation.client_ended;
    bool new_phase = step >> 5 != run.step >> 5;
    int value;

    if (step == run.step || (!new_phase && !on('a'))) {
        return false;
    }
    run.step = step;
    run.entered[step] = (uint8_t)(run.entered[step] + (run.entered[step] < 3));
    if (run.entered[step] == 3 && !near_event()) {
        return false;
    }
    if (new_phase) {
        step_clock(5);
        somebody_else();
    }
    value = choose("stop", "no|power lost|SIGTERM", on('a') ? 3 : 2, 1);
    if (value == 1) {
        power_lost();
    } else if (value == 2) {
        run.causes |= STOPPED;
        rekey_rotation_abort(&rotation);
    }
    return value != 0;
}

static int begin_run(void) {
    static const struct rekey_port port = {
        .now_ms = now_ms,
        .wall_s = wall_s,
        .entropy = fake_entropy,
        .tls = {NULL, open_stream, write_stream, read_stream, fake_close}};
    static struct rekey_storage storage = {
        NULL,           load_key,       save_key,         restore_key, load_state, save_state,
        load_operation, save_operation, remove_operation, NULL,        sum};
    static struct rekey_options options;

    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = give_token;
    options.timeout_ms = run.timeout_ms;
    options.poll_interval_ms = 2 * MINUTE;
    storage.hook = run.hook ? run_hook : NULL;
    rekey_init(&client, &port, &options);
    rekey_rotation_init(&rotation, &client, &options, &run.rules, &storage);
    return run.verb == ROTATE ? rekey_rotate(&rotation, &endpoint)
           : run.verb == SYNC ? rekey_sync(&rotation, &endpoint, REKEY_KEY_PRIMARY)
                              : rekey_rollback(&rotation);
}

static uint32_t phases_seen;
static uint32_t followed_by[32]; // for each phase: the phases that came next

static void note_phase(unsigned before) {
    phases_seen |= 1u << rotation.phase;
    followed_by[before] |= 1u << rotation.phase & ~(1u << before);
}

// Returns true if the run succeeds.
static bool run_to_end(void) {
    int steps = 0, result;

    trace("%s", run.verb == ROTATE ? "rotate" : run.verb == SYNC ? "sync" : "rollback");
    run.budget = budget;
    run.disk = run.device->disk;
    run.unfinished = run.disk.operation != 0 && (int)run.disk.operation != run.disk.key / 100;
    run.accepted = run.unfinished && run.device->accepted;
    result = begin_run();
    note_phase(0);
    result = result == 0 ? REKEY_AGAIN : result;
    while (result > 0 && !run.dead && !between_steps() && steps++ < 200000) {
        unsigned before = rotation.phase;

        result = rekey_rotation_step(&rotation);
        note_phase(before);
        if (result > 0 && result != REKEY_AGAIN) {
            uint32_t ms = rekey_rotation_wait_ms(&rotation);

            advance(ms < 100000 ? ms + 1 : 100000);
        }
    }
    never(steps > 200000, "a run without an end");
    check_end();
    return !run.dead && rotation.outcome == REKEY_SUCCEEDED;
}

static void set_run(struct device *d, enum verb verb) {
    run = (struct run){.device = d,
                       .verb = verb,
                       .hook = true,
                       .timeout_ms = REKEY_TIMEOUT_MS,
                       .causes = ANY,
                       .rules = REKEY_ROTATION_OPTIONS_INIT};
    run.rules.list_interval_ms = LIST_INTERVAL;
    run.rules.probe = on('p');
}

static void choose_options(void) {
    int value = choose("options",
                       "usual|rollback|rollback without hook|no hook|timeout 60|timeout 7200|"
                       "min-age 0|settle 0",
                       on('o')   ? 8
                       : on('v') ? 3
                                 : 1,
                       1);

    run.verb = value == 1 || value == 2 ? ROLLBACK : ROTATE;
    run.hook = value != 2 && value != 3;
    run.timeout_ms = value == 4 ? MINUTE : value == 5 ? 120 * MINUTE : run.timeout_ms;
    run.rules.min_age_s = value == 6 ? 0 : run.rules.min_age_s;
    run.rules.settle_ms = value == 7 ? 0 : run.rules.settle_ms;
    run.rules.probe = value != 7 && run.rules.probe;
    limit_if(value == 4, SHORT);
    limit_if(value == 7, NO_SETTLING);
}

// Files that are lost, restored or written by hand between two runs.
static void change_files(struct device *d) {
    struct disk *disk = &d->disk, now = d->disk;
    int value = choose("files",
                       "stay|state lost|operation lost|key lost|previous lost|"
                       "restored as before the last run|other key by hand",
                       on('t') ? 7 : 1, 1);

    limit_if(value != 0, FILES);
    d->hook_due &= value == 0;
    disk->state = value == 1 ? (struct rekey_rotation_state){.slot = 0} : disk->state;
    disk->operation = value == 2 ? (enum rekey_key)0 : disk->operation;
    disk->key = value == 3 ? 0 : value == 6 ? current(disk->key / 100 == 1 ? 2 : 1) : disk->key;
    disk->previous = value == 4 ? 0 : disk->previous;
    *disk = value == 5 ? d->before : *disk;
    d->before = now;
}

// The follower runs twice in a long gap, as docs/rotation.md requires, and may run in a short one.
static void pass_gap(uint64_t gap, bool follow) {
    unsigned parts = !on('f') ? 1 : gap >= DAY ? 3 : follow ? 2 : 1;

    for (unsigned i = 1; i < parts; i++) {
        advance(gap / parts);
        set_run(&w.follower, SYNC);
        run_to_end();
    }
    advance(gap / parts);
    set_run(&w.rotator, ROTATE);
}

// Plays the time between two runs of the rotator, then the run. Returns true if the run succeeded.
static bool next_run(void) {
    static const uint64_t minutes2[] = {20, 70, 3000, 1, 20, 70};
    int value = choose("gap", "10 min|35 min|25 h|30 s|10 min with sync|35 min with sync",
                       on('f') ? 6 : 4, 0);

    pass_gap(minutes2[value] * MINUTE / 2, value > 3);
    change_files(&w.rotator);
    step_clock(6);
    somebody_else();
    choose_options();
    return run_to_end();
}

// ---- states between runs ------------------------------------------------------------------------

static uint64_t hash;

static void mix(const uint64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ values[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
}
#define MIX(...)                                                                                   \
    mix((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static uint64_t of_key(int key) {
    return key == 0 ? 999 : (uint64_t)(key / 100 * 128 + w.serial - key % 100);
}

// An age in steps: of ten seconds up to an hour, of a minute up to a little more than a day.
static uint64_t of_age(int64_t seconds) {
    return (uint64_t)(seconds < -600     ? -1
                      : seconds < 3600   ? seconds / 10
                      : seconds < 100000 ? 1000 + seconds / 60
                                         : 9999);
}

static uint64_t of_time(uint64_t at) {
    return of_age(at == 0 ? 99999999 : (int64_t)(w.now - at) / 1000);
}

static void mix_disk(const struct device *d, const struct disk *disk) {
    const struct rekey_rotation_state *state = &disk->state;
    bool operation = disk->operation != 0;

    MIX(of_key(disk->key), of_key(disk->previous), state->slot, state->hook_pending,
        state->rolled_back, state->slot == 0 ? 0 : of_age(wall_s(NULL) - state->switched),
        of_key(state->sha256[0][0] * 100 + state->sha256[0][1]),
        of_key(state->sha256[1][0] * 100 + state->sha256[1][1]), disk->operation,
        operation ? disk->kind : 0, operation && disk->unsure,
        operation ? operation_age_ms(d) / 10000 : 0);
}

static void mix_device(struct device *d) {
    run.device = d;
    mix_disk(d, &d->disk);
    if (on('t')) {
        mix_disk(d, &d->before);
    }
    MIX(of_time(d->left_use[0]), of_time(d->left_use[1]), of_time(d->foreign_seen[0]),
        of_time(d->foreign_seen[1]), d->hook_due, d->accepted,
        d->clean_syncs > 2 ? 2 : (uint64_t)d->clean_syncs, of_key(d->rollback_from));
}

// A digest that is the same for two worlds with the same future: keys by their age.
static uint64_t canonical(int runs_left) {
    hash = 1;
    MIX((uint64_t)runs_left, (uint64_t)budget, w.limits, w.last_failed,
        w.old_until > w.now ? (w.old_until - w.now) / 10000 : 0,
        w.old_since == 0                ? 0
        : w.now - w.old_since >= MINUTE ? 2
                                        : 1,
        of_time(w.pairs[NEWEST].since));
    mix_device(&w.rotator);
    if (on('f')) {
        mix_device(&w.follower);
    }
    for (int i = 0; i < 2; i++) {
        MIX(of_key(w.pairs[NEWEST].keys[i]), of_key(w.pairs[NEWEST - 1].keys[i]),
            of_key(w.pairs[NEWEST - 2].keys[i]),
            w.accepted_at[i] == UINT64_MAX ? 7 : w.now < w.accepted_at[i]);
    }
    for (const struct pending *p = w.pending; p < w.pending + COUNT(w.pending); p++) {
        MIX((uint64_t)p->slot);
        if (p->slot != 0) {
            MIX(p->polled, p->fails, (p->ends - w.now) / 1000, (w.now - p->sent) / 10000);
        }
    }
    return hash;
}

#define SEEN_BITS 22
static uint64_t seen[1u << SEEN_BITS];
static int seen_n, nodes_n;

static struct node {
    struct world world;
    char script[sizeof(script)];
    int runs, left; // number of runs so far
} nodes[1u << 18];

// Returns true if the state was not seen before.
static bool is_new(uint64_t state) {
    size_t i = state >> (64 - SEEN_BITS);

    while (seen[i] != 0 && seen[i] != state) {
        i = (i + 1) % COUNT(seen);
    }
    if (seen[i] == 0) {
        check_memory("seen", seen_n++, COUNT(seen) / 4 * 3);
        seen[i] = state;
        return true;
    }
    return false;
}

static void add_node(int runs) {
    struct node *node = &nodes[nodes_n];

    check_memory("nodes", nodes_n++, COUNT(nodes));
    node->world = w;
    memcpy(node->script, script, sizeof(script));
    node->runs = runs;
    node->left = budget;
}

// ---- exploration --------------------------------------------------------------------------------

// From here, runs without adverse events must lead to success: within two runs, and a day later to
// a rotation.
static void check_recovery(void) {
    const struct world here = w;
    bool first, second;

    kind = true;
    w.old_until = 0;
    trace("from here on the world is kind");
    first = next_run();
    advance(30 * MINUTE);
    second = next_run();
    broken_if(!first && !second, RECOVERS, "two kind runs, and no success");
    broken_if(w.rotator.disk.operation != 0 || w.rotator.disk.state.hook_pending, RECOVERS,
              "two kind runs, and something is unfinished");
    pass_gap(DAY, true);
    broken_if(!next_run() || rotation.result != REKEY_ROTATION_ROTATED, RECOVERS,
              "a day later no rotation");
    if (on('f')) {
        pass_gap(DAY, true);
        broken_if(w.follower.disk.key != w.rotator.disk.key, FOLLOWS,
                  "a day later the follower has another key");
    }
    w = here;
    kind = false;
}

// The world at the beginning: the key in use was activated a day ago.
static void begin_world(void) {
    int used = start == 's' ? 2 : 1;
    struct disk *disk = &w.rotator.disk;

    memset(&w, 0, sizeof(w));
    w.now = 10 * DAY;
    w.serial = 13;
    for (int n = 0; n <= NEWEST; n++) { // the slots in turn, a day apart
        int slot = (NEWEST - n) % 2 == 0 ? used : 3 - used, serial = w.serial - (NEWEST - n);

        w.pairs[n].keys[slot - 1] = slot * 100 + serial;
        w.pairs[n].keys[2 - slot] = (3 - slot) * 100 + serial - 1;
        w.pairs[n].since = (uint64_t)(9 + n - NEWEST) * DAY;
    }
    run.device = &w.rotator;
    if (start != 'e') {
        disk->key = current(used);
        disk->previous = current(3 - used);
        disk->state.slot = (enum rekey_key)used;
        disk->state.switched = wall_s(NULL) - 86400;
        memset(disk->state.sha256, 1, sizeof(disk->state.sha256));
        for (int i = 0; i < 2; i++) {
            disk->state.sha256[i][0] = (unsigned char)(i + 1);
            disk->state.sha256[i][1] = (unsigned char)(current(i + 1) % 100);
        }
    }
    w.rotator.before = w.follower.disk = *disk;
}

// Tries all combinations of decisions of the next run from a node. Returns how many.
static unsigned long expand(const struct node *from, int runs) {
    unsigned long paths = 0;
    int number = from->runs + 1;

    path.len = 0;
    do {
        w = from->world;
        begin_answers(number, from->script, from->left);
        next_run();
        paths++;
        if (is_new(canonical(runs - number))) {
            check_recovery();
            if (number < runs) {
                add_node(number);
            }
        }
    } while (next_path());
    return paths;
}

static const struct exploration {
    const char *name, *classes;
    int decisions, runs;
    char start;
} explorations[] = {
    {"all kinds of event", "acfgloprv", 1, 2, 'p'},
    {"empty directory", "acfgloprv", 1, 2, 'e'},
    {"base", "", 2, 2, 'p'},
    {"signals", "a", 2, 2, 'p'},
    {"rollback", "v", 2, 2, 'p'},
    {"wall clock", "c", 2, 2, 'p'},
    {"late lists", "g", 2, 2, 's'},
    {"base", "", 3, 2, 'p'},
    {"base", "", 2, 3, 'p'},
    {"empty directory", "v", 2, 2, 'e'},
    {"signals, old lists", "al", 2, 2, 's'},
    {"rollback", "v", 3, 2, 'p'},
    {"wall clock, no clock but it", "cn", 2, 2, 's'},
    {"late lists", "g", 3, 2, 's'},
    {"options", "o", 2, 2, 'p'},
    {"probes", "p", 2, 2, 'p'},
    {"files", "t", 2, 2, 'p'},
    {"late execution", "x", 2, 2, 'p'},
    {"somebody else", "r", 2, 2, 'p'},
    {"a follower", "fg", 2, 2, 's'},
    {"a follower, rollback", "fv", 2, 2, 'p'},
    {"mixed", "acgv", 2, 3, 'p'},
};
enum { QUICK = 2, ALL_ARROWS = 3, USUAL = 7 };

// Returns how many promises were broken.
static int explore(const struct exploration *e) {
    clock_t begun = clock();
    unsigned long paths = 0;

    snprintf(classes, sizeof(classes), "%s", e->classes);
    start = e->start;
    for (int bound = 0; bound <= e->decisions; bound++) {
        memset(seen, 0, sizeof(seen));
        seen_n = nodes_n = 0;
        begin_world();
        begin_answers(0, "", bound);
        add_node(0);
        for (int next = 0; next < nodes_n; next++) {
            paths += expand(&nodes[next], e->runs);
        }
    }
    printf("%s (%s): %d decisions, %d runs, start %c: %lu paths, %d states, %.1f s\n    asked:",
           e->name, classes, e->decisions, e->runs, start, paths, seen_n,
           (double)(clock() - begun) / CLOCKS_PER_SEC);
    for (int i = 0; questions[i].name != NULL; questions[i++].asked = 0) {
        if (questions[i].asked > 0) {
            printf(" %s %lu", questions[i].name, (unsigned long)questions[i].asked);
        }
    }
    printf("\n");
    return print_broken();
}

static int play(const char *text) {
    char before[sizeof(script)];
    int wanted = 0, number = 1;

    sscanf(text, "%c %31[a-z]", &start, classes);
    for (const char *c = text; *c != '\0'; c++) {
        wanted += *c == ';';
    }
    played = text;
    begin_world();
    do {
        printf("run %d\n", number);
        memcpy(before, script, sizeof(script));
        begin_answers(number, before, 1000);
        next_run();
    } while (played_n < wanted && ++number < 10);
    check_recovery();
    if (played_n != wanted) {
        fprintf(stderr, "-p: %d of %d decisions were asked for (\";\" ends each)\n", played_n,
                wanted);
        return 2;
    }
    return print_broken() > 0;
}

static void print_phases(const char *title, uint32_t phases) {
    printf("%s:", title);
    for (unsigned phase = 0; phase_name(phase) != NULL; phase++) {
        if ((phases & 1u << phase) != 0) {
            printf(" %s", phase_name(phase));
        }
    }
    printf("\n");
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    char title[40];
    int i = strcmp(mode, "-d") == 0 ? USUAL : 0, bad = 0;
    int end = i == USUAL                ? COUNT(explorations)
              : strcmp(mode, "-q") == 0 ? QUICK
              : strcmp(mode, "-a") == 0 ? ALL_ARROWS
                                        : USUAL;

    if (argc > 2) {
        return play(argv[2]);
    }
    while (i < end) {
        bad += explore(&explorations[i++]);
    }
    print_phases("phases never reached", ~phases_seen);
    for (unsigned phase = 0; phase_name(phase) != NULL; phase++) { // for tests/pictures/rotation.py
        snprintf(title, sizeof(title), "after %s", phase_name(phase));
        print_phases(title, followed_by[phase]);
    }
    return bad > 0;
}
