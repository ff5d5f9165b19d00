// device.c - the machine that rekey runs on: its clocks, its storage and its hook. The storage does
// what boards/linux/state.c does with files: a save replaces what was there wholly or not at all,
// but it may fail with its effect done, and a switch of the key is two files.

#include <stdio.h>
#include <stdlib.h>

#include "model.h"

int64_t wall_s(void *ctx) {
    (void)ctx;
    return 1800000000 + (int64_t)(w.now / 1000) + run.device->skew;
}

static uint64_t now_ms(void *ctx) {
    (void)ctx;
    return w.now;
}

static int entropy(void *ctx, void *buf, size_t len) {
    (void)ctx;
    memset(buf, 0x55, len);
    return REKEY_DONE;
}

struct rekey_port port = {.now_ms = now_ms, .wall_s = wall_s, .entropy = entropy};

// Half of the time would be spent in the real one, which clears byte by byte so that no compiler
// leaves it out. The linker puts this in its place.
void __wrap_rekey_zeroize(void *ptr, size_t len);
void __wrap_rekey_zeroize(void *ptr, size_t len) {
    memset(ptr, 0, len);
}

void reboot(struct device *d) {
    d->boot++;
    d->boot_at = w.now;
}

// A removal that was not synced may be undone.
void power_lost(void) {
    struct device *d = run.device;

    run.dead = true;
    TRACE("power is lost");
    if (d->can_undelete && choose(UNDELETE, 2, 0) == 1) {
        d->disk.operation = d->undelete.operation;
        d->disk.kind = d->undelete.kind;
        d->disk.unsure = d->undelete.unsure;
        d->disk.boot = d->undelete.boot;
        d->disk.begun = d->undelete.begun;
    }
    reboot(d);
}

// ---- the storage --------------------------------------------------------------------------------

// In the order of the answers' names in decisions.c.
enum store { DONE, ERROR, ERROR_AFTER, POWER_AFTER, POWER_HALF, ERROR_HALF };

static int reads(void) {
    int value = choose(STORE, 2, 1);

    run.causes |= value != DONE ? LOCAL : 0;
    return value == DONE ? REKEY_DONE : REKEY_E_STORE;
}

// What becomes of a call that writes, one of the first `count` of enum store. Nothing is written
// without power.
static enum store writes(int count) {
    enum store value = run.dead ? ERROR : (enum store)choose(STORE, count, 1);

    run.causes |= value != DONE ? LOCAL : 0;
    return value;
}

static int wrote(enum store value, bool synced) {
    if (synced && value != ERROR) {
        run.device->can_undelete = false;
    }
    if (value == POWER_AFTER || value == POWER_HALF) {
        power_lost();
    }
    return value == DONE || value == POWER_AFTER ? REKEY_DONE : REKEY_E_STORE;
}

static int load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    int number = previous ? run.device->disk.previous : run.device->disk.key;

    (void)ctx;
    *len = number == 0 ? 0 : (size_t)snprintf(key, cap, "%d", number);
    return reads();
}

static int number_of(struct rekey_span text) {
    int number = 0;

    for (size_t i = 0; i < text.len && rekey_is_digit(text.ptr[i]); i++) {
        number = number * 10 + (text.ptr[i] - '0');
    }
    return number;
}

static void set_key(int key, bool restored) {
    struct device *d = run.device;

    TRACE("%s: key file %d -> %d", restored ? "restore_key" : "save_key", d->disk.key, key);
    if (d->disk.key != 0 && d->disk.key != key) {
        d->left_use[d->disk.key / 100 - 1] = w.now;
    }
    check_switch(key, restored);
    d->disk.key = key;
    d->hook_due |= run.hook;
    if (d == &w.rotator) {
        w.follower.clean_syncs = 0;
    }
}

static int save_key(void *ctx, struct rekey_span key) {
    enum store value = writes(6);
    struct disk *disk = &run.device->disk;

    (void)ctx;
    if (value != ERROR && disk->key != 0) {
        disk->previous = disk->key;
    }
    if (value != ERROR && value < POWER_HALF) {
        set_key(number_of(key), false);
    }
    return wrote(value, true);
}

static int restore_key(void *ctx) {
    struct disk *disk = &run.device->disk;
    int key = disk->previous;
    enum store value = writes(6);

    (void)ctx;
    if (value != ERROR) {
        if (value < POWER_HALF && disk->key != 0) {
            disk->previous = disk->key;
        }
        set_key(key, true);
    }
    return wrote(value, true);
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    (void)ctx;
    if (run.device->disk.has_state) {
        *state = run.device->disk.state;
    }
    return reads();
}

static int save_state(void *ctx, const struct rekey_rotation_state *state) {
    enum store value = writes(4);

    (void)ctx;
    if (value != ERROR) {
        run.device->disk.state = *state;
        run.device->disk.has_state = true;
        TRACE("save_state: slot %d, hook %s", (int)state->slot,
              state->hook_pending ? "pending" : "done");
    }
    return wrote(value, true);
}

uint64_t operation_age_ms(const struct device *d) {
    return on('n') ? 0 : w.now - d->boot_at - (d->disk.boot == d->boot ? d->disk.begun : 0);
}

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    static const char url[] = "https://" HOST "/op", id[] = "55555555-5555-4555-9555-555555555555";
    const struct device *d = run.device;
    const struct disk *disk = &d->disk;

    (void)ctx;
    if (disk->operation != 0) {
        *record = (struct rekey_record){
            .kind = disk->kind,
            .url = rekey_span(url, disk->kind == REKEY_POLL_NONE ? 0 : sizeof(url) - 1),
            .request_id = rekey_span(id, sizeof(id) - 1),
            .unsure = disk->unsure};
        *slot = disk->operation;
        *age_ms = operation_age_ms(d);
    }
    return reads();
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    struct disk *disk = &run.device->disk;
    enum store value = writes(4);

    (void)ctx;
    if (value != ERROR) {
        if (record->kind == REKEY_POLL_NONE) {
            disk->boot = run.device->boot;
            disk->begun = w.now - run.device->boot_at;
        }
        disk->operation = slot;
        disk->kind = record->kind;
        disk->unsure = record->unsure;
        TRACE("save_operation: slot %d, %s", (int)slot,
              record->kind == REKEY_POLL_NONE ? "no URL" : "URL");
    }
    return wrote(value, true);
}

// It is gone at once, but for a power cut before the next save: unlink does not sync the directory.
static int remove_operation(void *ctx) {
    struct device *d = run.device;
    enum store value = writes(4);

    (void)ctx;
    if (value != ERROR && d->disk.operation != 0) {
        TRACE("remove_operation");
        d->undelete = d->disk;
        d->can_undelete = true;
        d->disk.operation = (enum rekey_key)0;
    }
    return wrote(value, false);
}

int run_hook(void *ctx) {
    static const uint64_t durations[] = {0, 0, 0, 90 * SECOND, 40 * MINUTE};
    int value;

    (void)ctx;
    if (run.dead) {
        return REKEY_E_HOOK;
    }
    if (w.now < run.hook_until) {
        return REKEY_WANT_TIME;
    }
    if (run.hook_until == 0) {
        value = choose(HOOK_RUN, 5, 1);
        run.causes |= value == 1 ? LOCAL : value == 4 ? NETWORK : 0;
        if (value == 1) {
            return REKEY_E_HOOK;
        }
        if (value == 2) {
            power_lost();
            return REKEY_DONE;
        }
        if (value > 2) {
            run.hook_until = w.now + durations[value];
            return REKEY_WANT_TIME;
        }
    }
    run.hook_until = 0;
    run.device->hook_due = false;
    TRACE("hook: sees %d", run.device->disk.key);
    return REKEY_DONE;
}

static void sum(void *ctx, struct rekey_span data, unsigned char out[32]) {
    int number = number_of(data);

    (void)ctx;
    memset(out, 1, 32);
    out[0] = (unsigned char)(number / 100);
    out[1] = (unsigned char)(number % 100);
}

struct rekey_storage storage = {
    .load_key = load_key,
    .save_key = save_key,
    .restore_key = restore_key,
    .load_state = load_state,
    .save_state = save_state,
    .load_operation = load_operation,
    .save_operation = save_operation,
    .remove_operation = remove_operation,
    .sha256 = sum,
};

// What is lost, restored or put there by hand between two runs, in the order of the names.
void change_files(struct device *d, int value) {
    struct disk *disk = &d->disk;

    if (value == 0) {
        return;
    }
    passed_limit(FILES_CHANGED);
    d->hook_due = false;
    if (value == 1 || value == 4) {
        disk->has_state = false;
        memset(&disk->state, 0, sizeof(disk->state));
    }
    if (value == 2 || value == 4) {
        disk->operation = (enum rekey_key)0;
    }
    if (value == 3) {
        disk->key = 0;
    }
    if (value == 5) {
        disk->previous = 0;
    }
    if (value == 6) {
        *disk = d->before;
    }
    if (value == 7) {
        disk->key = current(disk->key / 100 == 1 ? 2 : 1);
    }
}
