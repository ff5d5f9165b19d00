// state.c - see state.h. `state` has one "name value" a line, in a fixed order:
//
//     rekey-state 1
//     endpoint /subscriptions/S/resourceGroups/.../onlineEndpoints/E
//     slot Primary
//     hook done
//     switched 1795420800
//     primary 64 hexadecimal digits: the SHA-256 of the key
//     secondary the same
//     end

#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "posix.h"
#include "sha256.h"
#include "text.h"

#define FORMAT "rekey-state 1"

static const char damaged[] = "it is damaged: when no operation is running (--timeout after the "
                              "last run), remove 'state' and 'operation'";

static int failed(struct state *s, const char *name, const char *why) {
    s->error = errno;
    s->fault = name;
    s->why = why;
    s->what = NULL;
    return REKEY_E_STORE;
}

const char *state_path(struct state *s, const char *name) {
    int n = snprintf(s->path, sizeof(s->path), "%s/%s", s->directory, name);

    return n > 0 && (size_t)n < sizeof(s->path) ? s->path : "";
}

int state_write(struct state *s, const char *name, const char *text, size_t len, gid_t group) {
    // Files that root writes get the owner of the directory, who must be able to replace them.
    const char *what =
        rekey_posix_write_file(state_path(s, name), text, len, REKEY_POSIX_ALONE, s->owner, group);

    if (what == NULL) {
        return 0;
    }
    failed(s, name, NULL);
    s->what = what;
    return REKEY_E_STORE;
}

// Before each change that two runs must not make at once: checks that `lock` is still the file that
// this run has locked. If somebody removes it, another run can start, and this one ends.
static int check_lock(struct state *s) {
    struct stat ours, there;

    if (fstat(s->lock, &ours) == 0 && lstat(state_path(s, "lock"), &there) == 0 &&
        ours.st_dev == there.st_dev && ours.st_ino == there.st_ino) {
        return 0;
    }
    return failed(s, "lock", "it was removed during this run: another run may have started");
}

// Reads DIR/NAME; *len is 0 if it is not there.
static int state_read(struct state *s, const char *name, char *buf, size_t cap, size_t *len) {
    if (rekey_posix_read_file(state_path(s, name), buf, cap, len, REKEY_POSIX_ONE_NAME) == 0) {
        return 0;
    }
    *len = 0;
    return errno == ENOENT ? 0 : failed(s, name, NULL);
}

// ---- keys ---------------------------------------------------------------------------------------

static int load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    int error = state_read(ctx, previous ? "key.previous" : "key", key, cap, len);

    if (*len > 0 && key[*len - 1] == '\n') { // written by hand
        (*len)--;
    }
    return error;
}

static int save_previous(struct state *s, const char *key, size_t len) {
    return len == 0 ? 0 : state_write(s, "key.previous", key, len, REKEY_POSIX_NO_GROUP);
}

static int save_key(void *ctx, struct rekey_span key) {
    struct state *s = ctx;
    char before[REKEY_KEY_VALUE_MAX];
    size_t len;
    int error = check_lock(s);

    if (error == 0) {
        error = load_key(ctx, false, before, sizeof(before), &len);
    }
    if (error == 0) {
        error = save_previous(s, before, len);
    }
    rekey_zeroize(before, sizeof(before));
    return error == 0 ? state_write(s, "key", key.ptr, key.len, s->group) : error;
}

// The restored key is written first: if power fails between the two writes, it is in use; in the
// other order it would be lost.
static int restore_key(void *ctx) {
    struct state *s = ctx;
    char key[REKEY_KEY_VALUE_MAX], before[REKEY_KEY_VALUE_MAX];
    size_t len, before_len = 0;
    int error = check_lock(s);

    if (error == 0) {
        error = state_read(s, "key.previous", key, sizeof(key), &len);
    }
    if (error == 0) {
        error = state_read(s, "key", before, sizeof(before), &before_len);
    }
    if (error == 0) {
        error = state_write(s, "key", key, len, s->group);
    }
    if (error == 0) {
        error = save_previous(s, before, before_len);
    }
    rekey_zeroize(key, sizeof(key));
    rekey_zeroize(before, sizeof(before));
    return error;
}

// ---- the state ----------------------------------------------------------------------------------

const char *slot_name(enum rekey_key slot) {
    return slot == REKEY_KEY_PRIMARY     ? "Primary"
           : slot == REKEY_KEY_SECONDARY ? "Secondary"
                                         : "none";
}

static bool parse_slot(struct rekey_span word, enum rekey_key *slot) {
    for (int i = 0; i <= REKEY_KEY_SECONDARY; i++) {
        const char *each = slot_name((enum rekey_key)i);

        if (rekey_span_equal(word, rekey_span(each, strlen(each)))) {
            *slot = (enum rekey_key)i;
            return true;
        }
    }
    return false;
}

static bool parse_sum(struct rekey_span text, unsigned char sha256[32]) {
    bool ok = text.len == 64;

    for (size_t i = 0; ok && i < 64; i += 2) {
        int high = rekey_hex_value(text.ptr[i]), low = rekey_hex_value(text.ptr[i + 1]);

        ok = high >= 0 && low >= 0;
        if (ok) {
            sha256[i / 2] = (unsigned char)(high << 4 | low);
        }
    }
    return ok;
}

static int save_state(void *ctx, const struct rekey_rotation_state *state) {
    struct state *s = ctx;
    char sums[2][64];
    int len;

    for (size_t i = 0; i < 64; i++) {
        rekey_hex(state->sha256[i / 32][i % 32], &sums[i / 32][i % 32 * 2]);
    }
    len = snprintf(s->text, sizeof(s->text),
                   FORMAT "\nendpoint %s\nslot %s\nhook %s%s\nswitched %lld\nprimary %.64s\n"
                          "secondary %.64s\nend\n",
                   s->endpoint, slot_name(state->slot), state->rolled_back ? "rollback-" : "",
                   state->hook_pending ? "pending" : "done", (long long)state->switched, sums[0],
                   sums[1]);
    if ((size_t)len >= sizeof(s->text)) {
        errno = EMSGSIZE;
        return failed(s, "state", NULL);
    }
    return state_write(s, "state", s->text, (size_t)len, REKEY_POSIX_NO_GROUP);
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    struct state *s = ctx;
    struct rekey_span rest = {s->text, 0}, version, endpoint, slot, hook, switched, sums[2];
    int error = state_read(s, "state", s->text, sizeof(s->text), &rest.len);
    size_t len = strlen(s->endpoint);

    if (error != 0 || rest.len == 0) {
        return error;
    }
    if (!read_line(&rest, "rekey-state", &version)) {
        return failed(s, "state", damaged);
    }
    if (!rekey_span_equal(version, REKEY_SPAN("1"))) {
        return failed(s, "state", "it was written by another version of rekey");
    }
    if (!read_line(&rest, "endpoint", &endpoint) || !read_line(&rest, "slot", &slot) ||
        !read_line(&rest, "hook", &hook) || !read_line(&rest, "switched", &switched) ||
        !read_line(&rest, "primary", &sums[0]) || !read_line(&rest, "secondary", &sums[1]) ||
        !rekey_span_equal(rest, REKEY_SPAN("end\n")) || !parse_slot(slot, &state->slot) ||
        !parse_sum(sums[0], state->sha256[0]) || !parse_sum(sums[1], state->sha256[1])) {
        return failed(s, "state", damaged);
    }
    if (len > 0 && endpoint.len > 0 && !rekey_span_equal(endpoint, rekey_span(s->endpoint, len))) {
        return failed(
            s, "state",
            "it belongs to another endpoint: correct the endpoint's name if that is wrong; "
            "if you meant to change it, put this directory aside");
    }
    if (len == 0 && endpoint.len < sizeof(s->endpoint)) { // --rollback names no endpoint
        memcpy(s->endpoint, endpoint.ptr, endpoint.len);
        s->endpoint[endpoint.len] = '\0';
    }
    state->rolled_back = hook.len > 0 && hook.ptr[0] == 'r'; // rollback-done, rollback-pending
    state->hook_pending = hook.len < 4 || memcmp(hook.ptr + hook.len - 4, "done", 4) != 0;
    state->switched = strtoll(switched.ptr, NULL, 10); // a line end follows
    return 0;
}

// ---- the operation ------------------------------------------------------------------------------

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    struct state *s = ctx;
    struct operation_file *f = s->operation;

    switch (operation_file_read(f, f->path)) {
    case OPERATION_FILE_OK:
        *record = f->record;
        *age_ms = operation_file_age_ms(f);
        return parse_slot(f->key_type, slot) ? 0 : failed(s, "operation", damaged);
    case OPERATION_FILE_UNREADABLE:
        errno = f->error;
        return f->error == ENOENT ? 0 : failed(s, "operation", NULL);
    case OPERATION_FILE_FORMAT:
        return failed(s, "operation", "it was written by another version of rekey");
    default:
        return failed(s, "operation", damaged);
    }
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    struct state *s = ctx;
    struct operation_file *f = s->operation;
    const char *word = slot_name(slot);

    if (check_lock(s) != 0) {
        return REKEY_E_STORE;
    }
    f->management = s->management;
    f->endpoint = rekey_span(s->endpoint, strlen(s->endpoint));
    f->key_type = rekey_span(word, strlen(word));
    f->written = true; // the lock keeps others from writing it, and it may exist
    if (operation_file_save(f, record) == REKEY_DONE) {
        return 0;
    }
    errno = f->error;
    failed(s, "operation", NULL);
    s->what = f->what;
    return REKEY_E_STORE;
}

static int remove_operation(void *ctx) {
    struct state *s = ctx;
    struct operation_file *f = s->operation;

    if (!operation_file_remove(f)) {
        errno = f->error;
        return failed(s, "operation", NULL);
    }
    f->written = false;
    return 0;
}

static void sha256(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    rekey_sha256(data, out);
}

const struct rekey_storage state_storage = {
    .load_key = load_key,
    .save_key = save_key,
    .restore_key = restore_key,
    .load_state = load_state,
    .save_state = save_state,
    .load_operation = load_operation,
    .save_operation = save_operation,
    .remove_operation = remove_operation,
    .sha256 = sha256,
};

void state_explain(const void *ctx, char *buf, size_t cap) {
    const struct state *s = ctx;

    if (s->fault != NULL) {
        snprintf(buf, cap, "'%s/%s': %s", s->directory, s->fault,
                 s->why != NULL ? s->why : file_error(s->what, s->error));
    }
}
