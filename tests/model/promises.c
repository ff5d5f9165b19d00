// promises.c - what must hold, whatever the world does, and what docs/rotation.md excludes. A
// promise that is broken is kept with the script that led to it, unless a part of the same adverse
// decisions has broken it before. What is broken only beyond a limit is counted apart.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define FOUND_MAX 512

static const char *const promises[PROMISES] = {
    [NOT_ASKED] = "the slot whose key is in use is never regenerated",
    [NOT_KILLED] = "no operation of ours kills the key in use",
    [NOT_DEAD] = "a dead key never becomes the key in use",
    [NOT_EARLY] = "a key is in use only when scoring takes it",
    [KEPT] =
        "a key that lives is not replaced because of lists that are old for less than a minute",
    [MIN_AGE] = "the key before stays valid for --min-age",
    [ROLLED_BACK] = "a rollback is completed or undone, never turned round",
    [OUTCOME] = "every run ends with one of the ten outcomes, and the right one",
    [RESULT] = "what a run says it did is what it did",
    [HOOK_RUNS] = "a hook is never forgotten",
    [RECOVERS] = "a kind world leads to success afterwards",
    [FOLLOWS] = "a follower never holds a dead key longer than until its next run",
    [ENDS] = "every run ends",
};

#define BIT(n) (1u << (n))

static const struct {
    const char *name, *sentence;
    unsigned excused; // promises that are not made beyond it
} limits[LIMITS] = {
    [LATE_EXECUTION] = {"late execution", "an operation is executed after the service's 30 minutes",
                        BIT(NOT_KILLED) | BIT(NOT_DEAD) | BIT(FOLLOWS) | BIT(RECOVERS)},
    [OLD_LISTS] = {"old lists", "lists stay older than a minute, for a minute",
                   BIT(NOT_DEAD) | BIT(NOT_EARLY) | BIT(NOT_ASKED) | BIT(NOT_KILLED) |
                       BIT(FOLLOWS)},
    [SHORT_TIMEOUT] = {"short --timeout", "a shorter --timeout is a shorter wait for an operation",
                       BIT(NOT_KILLED) | BIT(NOT_DEAD)},
    [WALL_CLOCK] = {"wall clock", "--min-age is measured by the wall clock", BIT(MIN_AGE)},
    [NO_SETTLING] = {"no settling", "--settle 0 does not wait until scoring takes a key",
                     BIT(NOT_EARLY) | BIT(NOT_DEAD)},
    [FILES_CHANGED] = {"files changed", "files were lost, restored or written by somebody else",
                       BIT(NOT_KILLED) | BIT(NOT_DEAD) | BIT(MIN_AGE) | BIT(NOT_EARLY) |
                           BIT(ROLLED_BACK) | BIT(FOLLOWS)},
    [SOMEBODY_ELSE] = {"somebody else", "somebody else regenerates keys of the endpoint",
                       BIT(NOT_DEAD) | BIT(NOT_EARLY) | BIT(NOT_KILLED) | BIT(FOLLOWS)},
    [FIRST_KEY] = {"first key", "the first key of an empty directory is taken from one list",
                   BIT(NOT_DEAD) | BIT(NOT_EARLY)},
    [FOLLOWERS_LEFT] = {"followers left",
                        "the rotator went to another key by a rollback or because its own was not "
                        "listed, and a follower cannot see that",
                        BIT(FOLLOWS)},
};

static struct found {
    const char *what;
    enum promise promise;
    struct script script;
} found[FOUND_MAX];
static int found_n;
static unsigned long excused[LIMITS];

void passed_limit(enum limit limit) {
    w.limits |= BIT(limit);
}

// ---- what was found -----------------------------------------------------------------------------

// Whether each adverse decision of `some` is among those of `all`, in whatever place.
static bool includes(const struct script *all, const struct script *some) {
    for (int i = 0, j; i < some->n; i++) {
        const struct decision *d = &some->decisions[i];

        for (j = 0; j < all->n &&
                    (all->decisions[j].tag != d->tag || all->decisions[j].value != d->value);) {
            j++;
        }
        if (d->cost > 0 && j == all->n) {
            return false;
        }
    }
    return true;
}

void broken(enum promise promise, const char *what) {
    const struct script now = answers();

    TRACE("***** %s: %s", promises[promise], what);
    for (int i = 0; i < LIMITS; i++) {
        if ((w.limits & BIT(i)) != 0 && (limits[i].excused & BIT(promise)) != 0) {
            excused[i]++;
            TRACE("      (within the limit: %s)", limits[i].sentence);
            return;
        }
    }
    for (int i = 0; i < found_n; i++) {
        if (found[i].what == what && includes(&now, &found[i].script)) {
            return;
        }
    }
    if (found_n < FOUND_MAX) {
        found[found_n++] = (struct found){what, promise, now};
    }
}

void forget_broken(void) {
    found_n = 0;
    memset(excused, 0, sizeof(excused));
}

unsigned long within_limits(void) {
    unsigned long n = 0;

    for (int i = 0; i < LIMITS; i++) {
        n += excused[i];
    }
    return n;
}

int print_broken(void) {
    for (int i = 0; i < LIMITS; i++) {
        if (excused[i] > 0) {
            printf("    within the limit \"%s\": %lu\n", limits[i].name, excused[i]);
        }
    }
    for (int i = 0; i < found_n; i++) {
        printf("    BROKEN: %s: %s\n        -p \"", promises[found[i].promise], found[i].what);
        print_script(&found[i].script);
        printf("\"\n");
    }
    return found_n;
}

// ---- at single events ---------------------------------------------------------------------------

// A key comes into the key file of the device that runs.
void check_switch(int key, bool restored) {
    const struct device *d = run.device;
    bool adopted = rotation.result == REKEY_ROTATION_ADOPTED;

    if (adopted && alive(d->disk.key) &&
        (w.old_since == 0 || w.now + LIST_INTERVAL < w.old_since + MINUTE)) {
        broken(KEPT, "a key that lives was replaced by another one that is listed");
    }
    if (d->disk.key == 0) {
        passed_limit(FIRST_KEY);
    }
    if (d == &w.rotator && (adopted || restored)) {
        passed_limit(FOLLOWERS_LEFT);
    }
    if (d == &w.follower) {
        if (d->disk.key != 0 && key % 100 < d->disk.key % 100 && !restored) {
            broken(FOLLOWS, "the follower has gone back to an older key");
        }
    } else if (!alive(key)) {
        broken(NOT_DEAD, restored  ? "a rollback to a dead key"
                         : adopted ? "a dead key was adopted"
                                   : "a dead key was put to use");
    } else if (w.now < w.accepted_at[key / 100 - 1] && !restored) {
        broken(NOT_EARLY, adopted ? "a key was adopted that scoring does not take yet"
                                  : "a key was put to use that scoring does not take yet");
    }
}

static bool younger(uint64_t event) {
    return event != 0 && w.now - event + 2 * MINUTE < (uint64_t)run.min_age_s * SECOND;
}

void check_post(int slot) {
    const struct device *d = run.device;

    if (d != &w.rotator) {
        broken(NOT_ASKED, "a follower regenerates");
    }
    if (w.rotator.disk.key == current(slot)) {
        broken(NOT_ASKED, "the service was asked to regenerate the key in use");
    }
    if (younger(d->left_use[slot - 1])) {
        broken(MIN_AGE, "the key before is regenerated before --min-age");
    }
    if (younger(d->foreign_seen[slot - 1])) {
        broken(MIN_AGE, "somebody else's key is regenerated before --min-age");
    }
}

// ---- at the end of a run ------------------------------------------------------------------------

// An outcome needs a cause among what has happened, and must not claim more than is so.
static void check_outcome(enum rekey_outcome outcome) {
    static const struct {
        enum rekey_outcome outcome;
        unsigned causes; // one of them; 0: needs none
        bool settled;    // says that nothing of what was begun is open
    } rows[] = {
        {REKEY_SUCCEEDED, 0, false},
        {REKEY_REFUSED, SERVICE, true},
        {REKEY_FAILED, SERVICE, true},
        {REKEY_USAGE, 0, true},
        {REKEY_NOT_REACHED, NETWORK | STOPPED, true},
        {REKEY_NOT_TRUSTED, TRUST, true},
        {REKEY_UNKNOWN, 0, false},
        {REKEY_RUNNING, 0, false},
        {REKEY_CREDENTIALS, CREDENTIALS, true},
        {REKEY_LOCAL, LOCAL | STOPPED, false},
    };
    size_t n = sizeof(rows) / sizeof(rows[0]), i = 0;
    // What happened before this run is the cause of these.
    bool earlier = rotation.error == REKEY_E_KEY_FOREIGN || (outcome == REKEY_LOCAL && !run.hook);

    while (i < n && rows[i].outcome != outcome) {
        i++;
    }
    if (i == n) {
        broken(OUTCOME, "it has ended without an outcome");
    } else if (rows[i].causes != 0 && (run.causes & rows[i].causes) == 0 && !earlier) {
        broken(OUTCOME, "nothing has happened that would lead to this outcome");
    } else if (rows[i].settled && !earlier && run.took) {
        broken(OUTCOME, "better than unknown after a POST that is executed");
    } else if (rows[i].settled && !earlier && run.verb == ROTATE && run.unfinished &&
               run.device->disk.operation != 0) {
        broken(OUTCOME, "better than unknown while an operation is unfinished");
    }
    if (outcome == REKEY_USAGE && run.verb != ROLLBACK) {
        broken(OUTCOME, "a wrong use (2) that was none");
    }
    if ((outcome == REKEY_UNKNOWN || outcome == REKEY_RUNNING) && run.disk.operation == 0 &&
        !run.posted) {
        broken(OUTCOME, "'unknown' (12) or 'running' (13), and nothing was begun");
    } else if (outcome == REKEY_RUNNING && !run.accepted && !run.device->accepted &&
               !rotation.by_comparison) {
        broken(OUTCOME, "'running' (13), and the service has not accepted it");
    }
}

static void check_result(void) {
    const struct disk *disk = &run.device->disk;

    switch (rotation.result) {
    case REKEY_ROTATION_ROTATED:
        if (disk->key / 100 != (int)rotation.state.slot ||
            (disk->key == run.disk.key && !rotation.found_operation && run.verb == ROTATE)) {
            broken(RESULT, "'rotated', and it was not");
        }
        break;
    case REKEY_ROTATION_RESTORED:
        if (disk->key == run.disk.key) {
            broken(RESULT, "'restored', and the key is what it was");
        }
        if (disk->key == run.device->rollback_from) {
            broken(ROLLED_BACK, "a repeated rollback goes forward again");
        }
        break;
    case REKEY_ROTATION_NOT_DUE:
    case REKEY_ROTATION_UNCHANGED:
        if (disk->key != run.disk.key) {
            broken(RESULT, "nothing was done, and the key is another one");
        }
        break;
    default:
        break;
    }
}

// A rollback that is refused changes nothing.
static void check_refusal(void) {
    const struct disk *now = &run.device->disk, *before = &run.disk;

    if (run.verb == ROLLBACK && rotation.outcome == REKEY_USAGE &&
        (now->key != before->key || now->previous != before->previous ||
         now->state.slot != before->state.slot || now->state.switched != before->state.switched ||
         now->state.hook_pending != before->state.hook_pending)) {
        broken(ROLLED_BACK, "a rollback was refused, and something has changed");
    }
}

static void check_follower(void) {
    struct device *d = &w.follower;

    if (run.device != d || rotation.outcome != REKEY_SUCCEEDED || adverse || w.now < w.old_until) {
        return;
    }
    d->clean_syncs++;
    if (!alive(d->disk.key)) {
        broken(FOLLOWS, "the follower's key is dead after its run");
    }
}

static void note_end(struct device *d, bool good) {
    bool refused = !run.dead && rotation.outcome == REKEY_USAGE;

    if (run.verb == ROLLBACK && !good && !refused) {
        d->rollback_from = d->rollback_from != 0 ? d->rollback_from : run.disk.key;
    } else if (!refused) {
        d->rollback_from = 0;
    }
    if (!run.dead && rotation.error == REKEY_E_KEY_FOREIGN) {
        d->foreign_seen[d->disk.key / 100 == 1 ? 1 : 0] = w.now;
    }
}

void check_end(void) {
    struct device *d = run.device;
    bool good = !run.dead && rotation.outcome == REKEY_SUCCEEDED;

    if (!run.dead) {
        TRACE("ends: error %d, outcome %d, result %d%s%s", rotation.error, (int)rotation.outcome,
              (int)rotation.result, rotation.by_comparison ? ", by comparison" : "",
              rotation.foreign ? ", foreign" : "");
        if (good != (rotation.error == 0)) {
            broken(OUTCOME, "error and outcome differ");
        }
        check_outcome(rotation.outcome);
        check_refusal();
        check_follower();
    }
    if (good) {
        check_result();
        if (d->hook_due && run.hook) {
            broken(HOOK_RUNS, "success, and the hook is due still");
        }
        if (run.verb == ROTATE && d->disk.operation != 0) {
            broken(RESULT, "success, and the operation is there still");
        }
    }
    if (d->hook_due && !(d->disk.has_state && d->disk.state.hook_pending)) {
        broken(HOOK_RUNS, "a pending hook is lost");
    }
    note_end(d, good);
}

// A line of what is printed of a script. The same thing many times in a row is said twice.
void trace(const char *format, ...) {
    static char before[200];
    static int same;
    char line[200];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    same = strcmp(line, before) == 0 ? same + 1 : 0;
    memcpy(before, line, sizeof(before));
    if (same < 3) {
        printf("    %8.1f s  %s\n", (double)w.now / 1000.0, same == 2 ? "... and so on" : line);
    }
}
