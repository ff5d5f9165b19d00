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
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "output.h"
#include "volatile.h"

#define FORMAT "rekey-state 1"
#define PROBE_SIZE 8192 // what a run may have to write at the worst, at once

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
    // What root writes belongs to whom the directory belongs to, who will want to replace it.
    const char *what =
        rekey_posix_write_file(state_path(s, name), text, len, REKEY_POSIX_ALONE, s->owner, group);

    if (what == NULL) {
        return 0;
    }
    failed(s, name, NULL);
    s->what = what;
    return REKEY_E_STORE;
}

// Before a run changes what must not be changed by two runs at once: whether `lock` is still the
// file that this run has locked. Who removes it lets another run begin, and ends this one.
static int check_lock(struct state *s) {
    struct stat ours, there;

    if (fstat(s->lock, &ours) == 0 && lstat(state_path(s, "lock"), &there) == 0 &&
        ours.st_dev == there.st_dev && ours.st_ino == there.st_ino) {
        return 0;
    }
    return failed(s, "lock", "it was removed while this run lasts: another one may be at work");
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
    struct command *c = ctx;
    int error = state_read(&c->state, previous ? "key.previous" : "key", key, cap, len);

    if (*len > 0 && key[*len - 1] == '\n') { // put there by hand
        (*len)--;
    }
    return error;
}

static int save_previous(struct state *s, const char *key, size_t len) {
    return len == 0 ? 0 : state_write(s, "key.previous", key, len, REKEY_POSIX_NO_GROUP);
}

static int save_key(void *ctx, struct rekey_span key) {
    struct command *c = ctx;
    struct state *s = &c->state;
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

// The key that is put back comes first: where power fails between the two it is in use, while the
// other order would have lost it.
static int restore_key(void *ctx) {
    struct command *c = ctx;
    struct state *s = &c->state;
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

const char *slot_word(enum rekey_key slot) {
    return slot == REKEY_KEY_PRIMARY     ? "Primary"
           : slot == REKEY_KEY_SECONDARY ? "Secondary"
                                         : "none";
}

// What the line `hook` says.
static const char *hook_word(bool pending, bool rolled_back) {
    static const char *const words[] = {"done", "pending", "rollback-done", "rollback-pending"};

    return words[(rolled_back ? 2 : 0) + (pending ? 1 : 0)];
}

static bool is_hook_word(struct rekey_span word, bool pending, bool rolled_back) {
    const char *each = hook_word(pending, rolled_back);

    return rekey_span_equal(word, rekey_span(each, strlen(each)));
}

static bool parse_slot(struct rekey_span word, enum rekey_key *slot) {
    for (int i = 0; i <= REKEY_KEY_SECONDARY; i++) {
        const char *each = slot_word((enum rekey_key)i);

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
    struct command *c = ctx;
    struct state *s = &c->state;
    char sums[2][64];
    int len;

    for (size_t i = 0; i < 64; i++) {
        rekey_hex(state->sha256[i / 32][i % 32], &sums[i / 32][i % 32 * 2]);
    }
    len = snprintf(s->text, sizeof(s->text),
                   FORMAT "\nendpoint %s\nslot %s\nhook %s\nswitched %lld\nprimary %.64s\n"
                          "secondary %.64s\nend\n",
                   c->path, slot_word(state->slot),
                   hook_word(state->hook_pending, state->rolled_back), (long long)state->switched,
                   sums[0], sums[1]);
    if ((size_t)len >= sizeof(s->text)) {
        errno = EMSGSIZE;
        return failed(s, "state", NULL);
    }
    return state_write(s, "state", s->text, (size_t)len, REKEY_POSIX_NO_GROUP);
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    struct command *c = ctx;
    struct state *s = &c->state;
    struct rekey_span rest = {s->text, 0}, version, endpoint, slot, hook, switched, sums[2];
    int error = state_read(s, "state", s->text, sizeof(s->text), &rest.len);
    size_t len = strlen(c->path);

    if (error != 0 || rest.len == 0) {
        return error;
    }
    if (!take_line(&rest, "rekey-state", &version)) {
        return failed(s, "state", "it is damaged");
    }
    if (!rekey_span_equal(version, REKEY_SPAN("1"))) {
        return failed(s, "state", "its format is that of another version of rekey");
    }
    if (!take_line(&rest, "endpoint", &endpoint) || !take_line(&rest, "slot", &slot) ||
        !take_line(&rest, "hook", &hook) || !take_line(&rest, "switched", &switched) ||
        !take_line(&rest, "primary", &sums[0]) || !take_line(&rest, "secondary", &sums[1]) ||
        !rekey_span_equal(rest, REKEY_SPAN("end\n")) || !parse_slot(slot, &state->slot) ||
        !parse_sum(sums[0], state->sha256[0]) || !parse_sum(sums[1], state->sha256[1])) {
        return failed(s, "state", "it is damaged");
    }
    if (len > 0 && endpoint.len > 0 && !rekey_span_equal(endpoint, rekey_span(c->path, len))) {
        return failed(s, "state", "it is of another endpoint");
    }
    if (len == 0 && endpoint.len < sizeof(c->path)) { // --rollback names none
        memcpy(c->path, endpoint.ptr, endpoint.len);
        c->path[endpoint.len] = '\0';
    }
    state->rolled_back = is_hook_word(hook, false, true) || is_hook_word(hook, true, true);
    state->hook_pending = !is_hook_word(hook, false, false) && !is_hook_word(hook, false, true);
    state->switched = strtoll(switched.ptr, NULL, 10); // a line end follows
    return 0;
}

// ---- the operation ------------------------------------------------------------------------------

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    struct command *c = ctx;
    struct operation_file *f = c->state.file;

    switch (operation_file_read(f, f->path)) {
    case OPERATION_FILE_OK:
        *record = f->record;
        *age_ms = operation_file_age_ms(f);
        return parse_slot(f->key_type, slot) ? 0 : failed(&c->state, "operation", "it is damaged");
    case OPERATION_FILE_UNREADABLE:
        errno = f->error;
        return f->error == ENOENT ? 0 : failed(&c->state, "operation", NULL);
    case OPERATION_FILE_FORMAT:
        return failed(&c->state, "operation", "its format is that of another version of rekey");
    default:
        return failed(&c->state, "operation", "it is damaged");
    }
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    struct command *c = ctx;
    struct operation_file *f = c->state.file;
    const char *word = slot_word(slot);

    if (check_lock(&c->state) != 0) {
        return REKEY_E_STORE;
    }
    f->management = rekey_span(c->management, strlen(c->management));
    f->endpoint = rekey_span(c->path, strlen(c->path));
    f->key_type = rekey_span(word, strlen(word));
    f->written = true; // by the lock nobody else writes it, and it may be there
    if (operation_file_save(f, record) == REKEY_DONE) {
        return 0;
    }
    errno = f->error;
    failed(&c->state, "operation", NULL);
    c->state.what = f->what;
    return REKEY_E_STORE;
}

static int remove_operation(void *ctx) {
    struct command *c = ctx;
    struct operation_file *f = c->state.file;

    if (!operation_file_remove(f)) {
        errno = f->error;
        return failed(&c->state, "operation", NULL);
    }
    f->written = false;
    return 0;
}

static void sha256(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    mbedtls_sha256((const unsigned char *)data.ptr, data.len, out, 0);
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
    .hook = run_hook,
    .sha256 = sha256,
};

// ---- the directory ------------------------------------------------------------------------------

// A group by its name in /etc/group, or its number. The C library's look-up may ask a network.
static bool find_group(const char *name, gid_t *group) {
    const size_t len = strlen(name);
    char line[512];
    size_t at = 0;
    char byte;
    int fd;
    int32_t number = rekey_number(rekey_span(name, len), 200000000);

    if (number >= 0) {
        *group = (gid_t)number;
        return true;
    }
    fd = rekey_posix_open("/etc/group", O_RDONLY, REKEY_POSIX_LINKS);
    while (fd >= 0 && read(fd, &byte, 1) == 1) {
        if (byte != '\n') {
            line[at] = byte;
            at += at < sizeof(line) - 1;
            continue;
        }
        line[at] = '\0';
        at = 0;
        if (strncmp(line, name, len) == 0 && line[len] == ':') { // name:password:number:members
            const char *second = strchr(line + len + 1, ':');

            *group = second != NULL ? (gid_t)strtoul(second + 1, NULL, 10) : REKEY_POSIX_NO_GROUP;
            close(fd);
            return second != NULL;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

// The key file gets the group that was asked for, and is nobody else's. A group that it has stays
// until the next key; with --rollback, for that one as well.
static void mend_key_file(struct command *c) {
    struct state *s = &c->state;
    int fd = rekey_posix_open(state_path(s, "key"), O_RDONLY, REKEY_POSIX_ONE_NAME);
    struct stat file;

    if (fd >= 0 && fstat(fd, &file) == 0) {
        if (c->options.rollback && c->options.key_group == NULL && (file.st_mode & S_IRGRP) != 0) {
            s->group = file.st_gid;
        }
        if ((file.st_mode & S_IRWXO) != 0 ||
            (s->group != REKEY_POSIX_NO_GROUP &&
             ((file.st_mode & S_IRGRP) == 0 || s->group != file.st_gid))) {
            rekey_posix_set_mode(fd, s->group); // where it cannot be, the next key gets it
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

// A run that was killed while it wrote leaves these, with a key or a signed URL in them.
static bool remove_temporaries(struct state *s) {
    static const char *const names[] = {
        "key.tmp",       "key.previous.tmp", "state.tmp", "status.json.tmp",
        "operation.tmp", "probe.tmp",        "probe"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (unlink(state_path(s, names[i])) != 0 && errno != ENOENT) {
            return false;
        }
    }
    return true;
}

// Whether status.json was left by another version of rekey. A damaged one is not worth a rotation.
static bool is_foreign(struct state *s) {
    static const char begin[] = "{\"format\":";
    const size_t len = sizeof(begin) - 1;
    size_t n;

    return rekey_posix_read_file(state_path(s, "status.json"), s->text, sizeof(s->text), &n,
                                 REKEY_POSIX_ONE_NAME) == 0 &&
           n > len + 1 && memcmp(s->text, begin, len) == 0 && memcmp(s->text + len, "1,", 2) != 0;
}

// Opens the lock, and gives it to the owner of the directory if it is new. One with content is not
// ours, and a file with other names may be anybody's. Returns the descriptor, or -1 with errno set.
static int open_lock(struct state *s) {
    int fd = rekey_posix_open(state_path(s, "lock"), O_RDWR | O_CREAT, REKEY_POSIX_ONE_NAME);
    struct stat lock;

    if (fd >= 0 && s->owner != 0 && fstat(fd, &lock) == 0 && lock.st_size == 0 &&
        lock.st_uid != s->owner && fchown(fd, s->owner, (gid_t)-1) != 0) {
        say("warning: '%s': %s", s->path, error_word(errno));
    }
    return fd;
}

// Writes as much as a run may have to write at the worst, so that a directory that cannot take it
// is noticed before anything is sent. Nothing stays there, whatever fails.
static bool probe(struct state *s) {
    static char filler[PROBE_SIZE];
    bool written = state_write(s, "probe", filler, sizeof(filler), s->group) == 0;

    if (unlink(state_path(s, "probe")) != 0 && written) {
        failed(s, "probe", NULL);
        s->what = "remove a file";
        return false;
    }
    return written;
}

int open_state(struct command *c) {
    static char operation[512];
    struct state *s = &c->state;
    struct stat directory;
    char reason[400];

    s->directory = c->options.state;
    s->file = &c->file;
    s->group = REKEY_POSIX_NO_GROUP;
    if (strlen(s->directory) > sizeof(s->path) - 32) {
        return refuse(c, REKEY_USAGE, REKEY_E_STORE, "--state: the name is too long");
    }
    strcpy(operation, state_path(s, "operation"));
    c->file.path = operation;
    c->file.alone = true;
    if (c->options.key_group != NULL && !find_group(c->options.key_group, &s->group)) {
        return refuse(c, REKEY_USAGE, REKEY_E_STORE, "--key-group '%s': there is no such group",
                      c->options.key_group);
    }
    if (geteuid() == 0 && stat(s->directory, &directory) == 0) {
        s->owner = c->file.owner = directory.st_uid;
    }
    s->lock = open_lock(s);
    if (s->lock < 0) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE, "--state '%s': cannot open 'lock': %s",
                      s->directory, error_word(errno));
    }
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE,
                      errno == EWOULDBLOCK ? "--state '%s': another rekey is at work there"
                                           : "--state '%s': it cannot be locked",
                      s->directory);
    }
    if (is_foreign(s)) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE,
                      "'%s/status.json': its format is that of another version of rekey",
                      s->directory);
    }
    if (!c->options.volatile_ok && volatile_reason(s->directory, reason, sizeof(reason)) != NULL) {
        return refuse(c, REKEY_USAGE, REKEY_E_STORE,
                      "--state '%s': %s: what is written there may be gone after a restart, and "
                      "with it the key; --volatile-ok takes it all the same",
                      s->directory, reason);
    }
    if (!remove_temporaries(s)) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE, "'%s': %s", s->path,
                      file_error("remove it", errno));
    }
    if (!probe(s)) {
        return refuse(c, REKEY_LOCAL, REKEY_E_STORE, "--state '%s': %s", s->directory,
                      file_error(s->what, s->error));
    }
    mend_key_file(c);
    s->opened = true;
    return 0;
}
