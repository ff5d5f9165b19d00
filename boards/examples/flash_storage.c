// flash_storage.c - see flash_storage.h. A run begins with load_key (rotate.c), which reads the
// record from flash. The other calls work with the record in RAM, and each save writes all of it.

#include "flash_storage.h"

#define FLASH_FORMAT 0x524B4631u // "RKF1"

static int load(struct flash_storage *s) {
    s->loaded = flash_record_load(s->flash, &s->saved.head);
    return s->loaded ? REKEY_DONE : REKEY_E_STORE;
}

// After a failure nothing is saved until the record is loaded again.
static int save(struct flash_storage *s) {
    s->loaded = s->loaded && flash_record_save(s->flash, &s->saved.head);
    return s->loaded ? REKEY_DONE : REKEY_E_STORE;
}

static int load_key(void *ctx, bool previous, char *key, size_t cap, size_t *len) {
    struct flash_storage *s = ctx;
    const struct flash_key *from = previous ? &s->saved.previous : &s->saved.key;

    if (load(s) != REKEY_DONE || from->len > cap) {
        return REKEY_E_STORE;
    }
    memcpy(key, from->text, from->len);
    *len = from->len;
    return REKEY_DONE;
}

static int save_key(void *ctx, struct rekey_span key) {
    struct flash_storage *s = ctx;

    if (key.len > sizeof(s->saved.key.text)) {
        return REKEY_E_STORE;
    }
    s->saved.previous = s->saved.key;
    s->saved.key.len = (uint32_t)key.len;
    memcpy(s->saved.key.text, key.ptr, key.len);
    return save(s);
}

static int restore_key(void *ctx) {
    struct flash_storage *s = ctx;
    struct flash_key key = s->saved.previous;

    s->saved.previous = s->saved.key;
    s->saved.key = key;
    rekey_zeroize(&key, sizeof(key));
    return save(s);
}

static int load_state(void *ctx, struct rekey_rotation_state *state) {
    struct flash_storage *s = ctx;

    *state = s->saved.state;
    return s->loaded ? REKEY_DONE : REKEY_E_STORE;
}

static int save_state(void *ctx, const struct rekey_rotation_state *state) {
    struct flash_storage *s = ctx;

    s->saved.state = *state;
    return save(s);
}

static int load_operation(void *ctx, struct rekey_record *record, enum rekey_key *slot,
                          uint64_t *age_ms) {
    struct flash_storage *s = ctx;

    record->kind = (enum rekey_poll_kind)s->saved.kind;
    record->unsure = s->saved.unsure != 0;
    record->url = rekey_span(s->saved.url, s->saved.url_len);
    record->request_id = rekey_span(s->saved.request_id, sizeof(s->saved.request_id));
    *slot = (enum rekey_key)s->saved.slot;
    *age_ms = s->port->now_ms(s->port->ctx) - s->since;
    return s->loaded ? REKEY_DONE : REKEY_E_STORE;
}

static int save_operation(void *ctx, const struct rekey_record *record, enum rekey_key slot) {
    struct flash_storage *s = ctx;

    if (record->kind == REKEY_POLL_NONE) { // the intent, whose age begins now
        s->since = s->port->now_ms(s->port->ctx);
    }
    s->saved.slot = (uint32_t)slot;
    s->saved.kind = (uint32_t)record->kind;
    s->saved.unsure = record->unsure;
    s->saved.url_len = (uint32_t)record->url.len; // at most REKEY_URL_MAX
    memcpy(s->saved.url, record->url.ptr, record->url.len);
    memcpy(s->saved.request_id, record->request_id.ptr, sizeof(s->saved.request_id));
    return save(s);
}

static int remove_operation(void *ctx) {
    struct flash_storage *s = ctx;

    s->saved.slot = 0;
    return save(s);
}

static void begin(struct flash_storage *s) {
    memset(s->units, 0, sizeof(s->units));
    s->saved.head.format = FLASH_FORMAT;
    s->saved.head.size = sizeof(s->units);
}

struct rekey_storage flash_storage_init(struct flash_storage *s, const struct flash_driver *flash,
                                        const struct rekey_port *port) {
    const struct rekey_storage storage = {.ctx = s,
                                          .load_key = load_key,
                                          .save_key = save_key,
                                          .restore_key = restore_key,
                                          .load_state = load_state,
                                          .save_state = save_state,
                                          .load_operation = load_operation,
                                          .save_operation = save_operation,
                                          .remove_operation = remove_operation};

    begin(s);
    s->flash = flash;
    s->port = port;
    s->since = port->now_ms(port->ctx);
    s->loaded = false;
    return storage;
}

int flash_storage_format(struct flash_storage *s) {
    begin(s);
    s->loaded = true;
    return save(s);
}
