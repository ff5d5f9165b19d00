// model.c - tries all combinations of a bounded number of adverse decisions over some runs of the
// rotation (model.h). Within a run it goes depth first; between runs only a state that is new is
// gone on from; and from each such state a kind world must lead to success.
//
//     model                     the explorations of `make model`
//     model -d                  those of `make model MODEL=deep`
//     model -q                  the first, short ones of these
//     model -c CLASSES [-b DECISIONS] [-r RUNS] [-S p|s|e]      one exploration
//     model -c CLASSES [-S p|s|e] -p SCRIPT                     prints what happens
//
// Network, service, storage and power are always adverse. The classes add:
//     a a signal ends a run     v rollbacks              c steps of the wall clock
//     g lists up to a minute late                        l lists that are old for longer
//     t files lost, restored, written by hand            o options
//     x execution after the service's own limit          p probes of the scoring URI
//     r somebody else regenerates keys                   f a follower, with sync
//     n (no more events) a board without a clock that survives a run
// It begins (-S) with the primary key in use, the secondary one, or an empty directory.

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

struct world w;
struct run run;
struct rekey client;
struct rekey_rotation rotation;
static uint32_t phases_seen;

// ---- a run --------------------------------------------------------------------------------------

#define REBOOT 5
static void step_clock(int value) {
    static const int64_t steps[] = {0, 7200, -7200, 600, 3 * 86400, 0};

    run.device->skew += steps[value];
    if (steps[value] > 0) {
        passed_limit(WALL_CLOCK);
    }
    if (value == REBOOT) {
        reboot(run.device);
    }
}

static void somebody_else(int slot) {
    if (slot != 0) {
        execute(slot, true);
    }
}

// What may happen between two steps: asked when a phase of the rotation begins, and for a signal
// also in each state of the client. True where the run is ended by it.
static bool between_steps(void) {
    unsigned step = (unsigned)rotation.phase << 5 | (unsigned)client.state << 1 | rotation.ended;
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
    if (new_phase && on('c')) {
        step_clock(choose(CLOCK, REBOOT, 1));
    }
    if (new_phase && on('r')) {
        somebody_else(choose(FOREIGN, 3, 1));
    }
    value = choose(STOP, on('a') ? 3 : 2, 1);
    if (value == 1) {
        power_lost();
    } else if (value == 2) {
        run.causes |= STOPPED;
        rekey_rotation_abort(&rotation);
    }
    return value != 0;
}

static int begin_run(void) {
    static const struct rekey_endpoint endpoint = {.subscription = {"s", 1},
                                                   .resource_group = {"g", 1},
                                                   .workspace = {"wks", 3},
                                                   .name = {"ep", 2}};
    static struct rekey_options options;
    static struct rekey_rotation_options rules;

    rules = (struct rekey_rotation_options)REKEY_ROTATION_OPTIONS_INIT;
    rules.list_interval_ms = LIST_INTERVAL;
    rules.settle_ms = run.settle_ms;
    rules.probe = run.probe;
    rules.min_age_s = run.min_age_s;
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = give_token;
    options.timeout_ms = run.timeout_ms;
    options.poll_interval_ms = 2 * MINUTE;
    rekey_init(&client, &port, &options);
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
    return run.verb == ROTATE ? rekey_rotate(&rotation, &endpoint)
           : run.verb == SYNC ? rekey_sync(&rotation, &endpoint, REKEY_KEY_PRIMARY)
                              : rekey_rollback(&rotation);
}

static bool run_to_end(void) {
    unsigned steps = 0;
    int result;

    TRACE("%s", run.verb == ROTATE ? "rotate" : run.verb == SYNC ? "sync" : "rollback");
    adverse = false;
    run.disk = run.device->disk;
    run.unfinished = run.disk.operation != 0 && (int)run.disk.operation != run.disk.key / 100;
    run.accepted = run.unfinished && run.device->accepted;
    run.device->can_undelete = false;
    storage.hook = run.hook ? run_hook : NULL;
    result = begin_run();
    result = result == 0 ? REKEY_AGAIN : result;
    while (result > 0 && !run.dead && !between_steps()) {
        phases_seen |= 1u << rotation.phase;
        result = rekey_rotation_step(&rotation);
        if (result > 0 && result != REKEY_AGAIN) {
            uint32_t ms = rekey_rotation_wait_ms(&rotation);

            advance(ms < 100000 ? ms + 1 : 100000);
        }
        if (++steps > 200000) {
            broken(ENDS, "a run without an end");
            break;
        }
    }
    phases_seen |= 1u << rotation.phase;
    check_end();
    return !run.dead && rotation.outcome == REKEY_SUCCEEDED;
}

static void set_run(struct device *d, enum verb verb) {
    run = (struct run){.device = d,
                       .verb = verb,
                       .hook = true,
                       .probe = on('p'),
                       .timeout_ms = REKEY_TIMEOUT_MS,
                       .settle_ms = MINUTE,
                       .min_age_s = 86400};
}

// In the order of the answers' names.
static void set_options(int value) {
    run.hook = value != 1;
    run.timeout_ms = value == 2 ? MINUTE : value == 3 ? 120 * MINUTE : run.timeout_ms;
    run.min_age_s = value == 4 ? 0 : run.min_age_s;
    run.settle_ms = value == 5 ? 0 : run.settle_ms;
    run.probe = value != 5 && run.probe;
    if (value == 2 || value == 5) {
        passed_limit(value == 2 ? SHORT_TIMEOUT : NO_SETTLING);
    }
}

// The follower runs twice in a long gap, as docs/rotation.md wants it, and may run in a short one.
static void pass_gap(uint64_t gap) {
    unsigned parts = !on('f') ? 1 : gap >= DAY ? 3 : choose(FOLLOW, 2, 0) == 1 ? 2 : 1;

    for (unsigned i = 1; i < parts; i++) {
        advance(gap / parts);
        set_run(&w.follower, SYNC);
        run_to_end();
    }
    advance(gap / parts);
    set_run(&w.rotator, ROTATE);
}

// What lies between two runs of the rotator, then the run. Whether it ended in success.
static bool next_run(void) {
    static const uint64_t gaps[] = {10 * MINUTE, 35 * MINUTE, DAY + 60 * MINUTE, MINUTE / 2};
    struct disk disk = w.rotator.disk;

    pass_gap(gaps[choose(GAP, 4, 0)]);
    change_files(&w.rotator, on('t') ? choose(FILES, 8, 1) : 0);
    w.rotator.before = disk;
    step_clock(on('c') ? choose(CLOCK, 6, 1) : 0);
    somebody_else(on('r') ? choose(FOREIGN, 3, 1) : 0);
    set_options(on('o') ? choose(OPTIONS, 6, 1) : 0);
    if (on('v') && choose(VERB, 2, 1) == 1) {
        run.verb = ROLLBACK;
    }
    return run_to_end();
}

// ---- states between runs ------------------------------------------------------------------------

static uint64_t hash;

static void mix(uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    hash ^= hash >> 29;
}

static void mix_key(int key) {
    mix(key == 0 ? 999 : (uint64_t)(key / 100 * 128 + w.serial - key % 100));
}

// By the ten seconds up to an hour, by the minute up to a day and some more.
static void mix_age(int64_t seconds) {
    mix((uint64_t)(seconds < -600     ? -1
                   : seconds < 3600   ? seconds / 10
                   : seconds < 100000 ? 1000 + seconds / 60
                                      : 9999));
}

static void mix_time(uint64_t at) {
    mix_age(at == 0 ? 99999999 : (int64_t)(w.now - at) / 1000);
}

static void mix_disk(const struct disk *d, int64_t wall) {
    mix_key(d->key);
    mix_key(d->previous);
    mix(d->has_state);
    if (d->has_state) {
        mix(d->state.slot | (unsigned)d->state.hook_pending << 4 |
            (unsigned)d->state.rolled_back << 5);
        mix_age(wall - d->state.switched);
        for (int i = 0; i < 2; i++) {
            mix_key(d->state.sha256[i][0] == 0
                        ? 0
                        : d->state.sha256[i][0] * 100 + d->state.sha256[i][1]);
        }
    }
    mix(d->operation);
    if (d->operation != 0) {
        mix(d->kind | (unsigned)d->unsure << 4);
        mix(operation_age_ms(run.device) / 10000);
    }
}

static void mix_device(struct device *d) {
    run.device = d;
    mix_disk(&d->disk, wall_s(NULL));
    if (on('t')) {
        mix_disk(&d->before, wall_s(NULL));
    }
    for (int i = 0; i < 2; i++) {
        mix_time(d->left_use[i]);
        mix_time(d->foreign_seen[i]);
    }
    mix(d->hook_due | (unsigned)d->accepted << 1 | (unsigned)(d->clean_syncs > 1) << 2 |
        (unsigned)(d->clean_syncs > 0) << 3);
    mix_key(d->rollback_from);
}

// The same for two worlds that go on in the same way: keys by their age.
static uint64_t canonical(int runs_left) {
    hash = (uint64_t)(runs_left * 16 + adverse_left() + 1);
    mix(w.limits);
    mix_device(&w.rotator);
    if (on('f')) {
        mix_device(&w.follower);
    }
    for (int n = 1; n <= 3; n++) {
        mix_key(w.pairs[w.pairs_n - n][0]);
        mix_key(w.pairs[w.pairs_n - n][1]);
    }
    mix_time(w.since[w.pairs_n - 1]);
    for (int i = 0; i < PENDING; i++) {
        const struct pending *p = &w.pending[i];

        mix((uint64_t)p->slot | (uint64_t)p->polled << 4);
        mix(p->slot == 0 ? 0 : p->due == NEVER ? 1 : (p->due - w.now) / 1000 + 2);
        mix(p->slot == 0 ? 0 : (w.now - p->sent) / 10000);
    }
    for (int i = 0; i < 2; i++) {
        mix(w.accepted_at[i] == NEVER ? 7 : w.now < w.accepted_at[i]);
    }
    mix(w.last_failed);
    mix(w.old_until > w.now ? (w.old_until - w.now) / 10000 : 0);
    mix(w.old_since == 0 ? 0 : w.now - w.old_since >= MINUTE ? 2 : 1);
    return hash;
}

#define SEEN_BITS 22
static uint64_t seen[1u << SEEN_BITS];
static uint32_t seen_n;

// Whether it was not seen before. False, too, where there is no more memory for it: `full`.
static bool full;
static bool is_new(uint64_t state) {
    size_t i = state >> (64 - SEEN_BITS);

    state += state == 0;
    while (seen[i] != 0) {
        if (seen[i] == state) {
            return false;
        }
        i = (i + 1) & ((1u << SEEN_BITS) - 1);
    }
    full |= seen_n == (1u << SEEN_BITS) / 4 * 3;
    if (!full) {
        seen[i] = state;
        seen_n++;
    }
    return !full;
}

#define NODES_MAX (1u << 18)
static struct node {
    struct world world;
    struct script script;
    int runs, runs_left, left; // runs: so far
} nodes[NODES_MAX];
static uint32_t nodes_n;

static void add_node(int runs, int runs_left) {
    if (nodes_n == NODES_MAX) {
        full = true;
        return;
    }
    nodes[nodes_n].world = w;
    nodes[nodes_n].script = answers();
    nodes[nodes_n].runs = runs;
    nodes[nodes_n].runs_left = runs_left;
    nodes[nodes_n++].left = adverse_left();
}

// ---- exploration --------------------------------------------------------------------------------

// From here a kind world must lead to success: in one of two runs, and a day later to a rotation.
static void check_recovery(void) {
    const struct world here = w;
    bool first, second;

    kind = true;
    w.old_until = 0;
    TRACE("from here on the world is kind");
    first = next_run();
    advance(30 * MINUTE);
    second = next_run();
    if (!first && !second) {
        broken(RECOVERS, "two kind runs, and no success");
    } else if (w.rotator.disk.operation != 0 || w.rotator.disk.state.hook_pending) {
        broken(RECOVERS, "two kind runs, and something is unfinished");
    }
    pass_gap(DAY);
    if (!next_run() || rotation.result != REKEY_ROTATION_ROTATED) {
        broken(RECOVERS, "a day later no rotation");
    }
    if (on('f')) {
        pass_gap(DAY);
        if (w.follower.disk.key != w.rotator.disk.key) {
            broken(FOLLOWS, "a day later the follower has another key");
        }
    }
    w = here;
    kind = false;
}

// The world at the beginning: `start` is p or s, the key that was put to use a day ago, or e for an
// empty directory.
static void begin_world(char start) {
    int used = start == 's' ? 2 : 1, other = 3 - used;
    struct disk *disk = &w.rotator.disk;

    memset(&w, 0, sizeof(w));
    w.now = 10 * DAY;
    w.serial = 13;
    w.pairs_n = 3;
    for (int n = 0; n < 3; n++) { // the slots in turn, a day between
        w.pairs[n][used - 1] = used * 100 + (n < 2 ? 11 : 13);
        w.pairs[n][other - 1] = other * 100 + (n < 1 ? 10 : 12);
        w.since[n] = (uint64_t)(7 + n) * DAY;
    }
    run.device = &w.rotator;
    if (start != 'e') {
        *disk = (struct disk){.key = current(used), .previous = current(other), .has_state = true};
        disk->state.slot = (enum rekey_key)used;
        disk->state.switched = wall_s(NULL) - 86400;
        for (int slot = 1; slot <= 2; slot++) {
            memset(disk->state.sha256[slot - 1], 1, 32);
            disk->state.sha256[slot - 1][0] = (unsigned char)slot;
            disk->state.sha256[slot - 1][1] = (unsigned char)(current(slot) % 100);
        }
    }
    w.rotator.before = w.follower.disk = *disk;
}

static unsigned long paths;

// All combinations of decisions of the next run from a node.
static void expand(uint32_t index) {
    const struct node *from = &nodes[index];
    int number = from->runs + 1;

    begin_path();
    do {
        w = from->world;
        begin_answers(&from->script, number, from->left);
        next_run();
        paths++;
        if (is_new(canonical(from->runs_left - 1))) {
            check_recovery();
            if (from->runs_left > 1) {
                add_node(number, from->runs_left - 1);
            }
        }
    } while (next_path());
}

struct exploration {
    const char *name, *classes;
    int decisions, runs;
    char start;
};

// Returns how many promises were broken.
static int explore(const struct exploration *e) {
    clock_t begun = clock();
    uint64_t questions = 0;
    int n;

    snprintf(classes, sizeof(classes), "%s", e->classes);
    memset(asked, 0, sizeof(asked));
    paths = 0;
    full = false;
    for (int budget = 0; budget <= e->decisions; budget++) {
        memset(seen, 0, sizeof(seen));
        seen_n = nodes_n = 0;
        begin_world(e->start);
        begin_answers(&(struct script){0}, 0, budget);
        add_node(0, e->runs);
        for (uint32_t next = 0; next < nodes_n; next++) {
            expand(next);
        }
    }
    printf("%s%s%s: %d decisions, %d runs, start %c: %lu paths, %u states, %.1f s%s", e->name,
           *e->classes != '\0' ? " -c " : "", e->classes, e->decisions, e->runs, e->start, paths,
           seen_n, (double)(clock() - begun) / CLOCKS_PER_SEC, full ? " (NOT COMPLETE)" : "");
    for (enum tag tag = GAP; tag < TAGS; tag++) {
        questions += asked[tag];
        if (asked[tag] > 0) {
            printf("%s%s %lu", questions == asked[tag] ? "\n    decisions: " : ", ", tag_name(tag),
                   (unsigned long)asked[tag]);
        }
    }
    printf("\n");
    n = print_broken();
    printf("    %d broken, %lu within limits\n", n, within_limits());
    fflush(stdout);
    forget_broken();
    return n + (full ? 1 : 0);
}

static int play(const char *text, char start) {
    struct script script, so_far = {0};
    int last = 1;

    if (!parse_script(text, &script)) {
        return 2;
    }
    for (int i = 0; i < script.n; i++) {
        last = script.decisions[i].run;
    }
    play_script(&script);
    tracing = true;
    begin_world(start);
    for (int number = 1; number <= last; number++) {
        printf("run %d\n", number);
        begin_answers(&so_far, number, 1000);
        next_run();
        so_far = answers();
    }
    check_recovery();
    return print_broken() > 0;
}

static void print_phases(void) {
    printf("phases never reached:");
    for (unsigned phase = 0; phase_name(phase) != NULL; phase++) {
        if ((phases_seen & 1u << phase) == 0) {
            printf(" %s", phase_name(phase));
        }
    }
    printf("\n");
}

static const struct exploration usual[] = {
    {"all kinds of event", "acfgloprv", 1, 2, 'p'},
    {"empty directory", "acfgloprv", 1, 2, 'e'},
    {"base", "", 2, 2, 'p'},
    {"signals", "a", 2, 2, 'p'},
    {"rollback", "v", 2, 2, 'p'},
    {"wall clock", "c", 2, 2, 'p'},
    {"late lists", "g", 2, 2, 's'},
};
#define QUICK 2 // of them see most faults in a second: for mutants.py

static const struct exploration deep[] = {
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

int main(int argc, char **argv) {
    const struct exploration *table = usual;
    size_t n = sizeof(usual) / sizeof(usual[0]);
    struct exploration one = {"exploration", "", 2, 2, 'p'};
    const char *script = NULL;
    int option, bad = 0;

    port.tls = transport;
    while ((option = getopt(argc, argv, "b:c:dp:qr:S:")) != -1) {
        if (option == '?') {
            return 2;
        }
        table = option == 'd' ? deep : option == 'q' ? usual : &one;
        n = option == 'd' ? sizeof(deep) / sizeof(deep[0]) : option == 'q' ? QUICK : 1;
        script = option == 'p' ? optarg : script;
        one.classes = option == 'c' ? optarg : one.classes;
        one.decisions = option == 'b' ? atoi(optarg) : one.decisions;
        one.runs = option == 'r' ? atoi(optarg) : one.runs;
        one.start = option == 'S' ? *optarg : one.start;
    }
    if (script != NULL) {
        snprintf(classes, sizeof(classes), "%s", one.classes);
        return play(script, one.start);
    }
    for (size_t i = 0; i < n; i++) {
        bad += explore(&table[i]);
    }
    print_phases();
    return bad > 0;
}
