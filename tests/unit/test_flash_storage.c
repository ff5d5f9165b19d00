// test_flash_storage.c - the storage of boards/examples over flash that loses power: before, during
// and after each erasure and each write of a rotation, of the first run, which adopts a key, and of
// a rollback. After each cut the device starts again: its key must be one that the service accepts,
// and the next run must complete the unfinished one.

#include <stdio.h>

#include "../../boards/examples/flash_record.c"
#include "../../boards/examples/flash_storage.c"
#include "fake_port.h"
#include "support.h"

#define HOST "management.azure.com"
#define RECORD sizeof(((struct flash_storage *)0)->units)
#define UNIT_SIZE 8u // that flash is written in

static struct {
    _Alignas(8) unsigned char sectors[2][RECORD];
    int points, cut; // so far: points at which power could fail; the one at which it does, or 0
    bool off;        // power is lost
    bool writes_nothing, erases_nothing; // worn out, and says that it has succeeded
    bool unreadable[2];                  // until the sector is erased
} flash;

static struct {
    char keys[2][32]; // that the service accepts
    int made, posts;
    char sent[4096], text[512];
    size_t sent_len;
    const char *rest;
} service;

static struct flash_storage device;
static struct rekey client;
static struct rekey_options options;
static struct rekey_rotation rotation;
static struct rekey_rotation_options rules;
static struct rekey_storage storage;
static int hooks;

// ---- the flash ----------------------------------------------------------------------------------

// A point at which power can fail. Whether it is still there.
static bool powered(void) {
    if (!flash.off && ++flash.points == flash.cut) {
        flash.off = true;
    }
    return !flash.off;
}

static int flash_read(void *ctx, unsigned sector, void *data, size_t len) {
    (void)ctx;
    check(len <= RECORD);
    if (flash.off || flash.unreadable[sector]) {
        return -1;
    }
    memcpy(data, flash.sectors[sector], len);
    return 0;
}

// An erasure that is cut leaves some bytes erased, some in between, and some as they were.
static int flash_erase(void *ctx, unsigned sector) {
    unsigned char *cells = flash.sectors[sector];

    (void)ctx;
    if (flash.erases_nothing) {
        return 0;
    }
    if (!powered()) {
        return -1;
    }
    for (size_t i = 0; i < RECORD / 2; i++) {
        cells[i] |= i % 2 == 0 ? 0xFF : 0x5A;
    }
    if (!powered()) {
        return -1;
    }
    memset(cells, 0xFF, RECORD);
    flash.unreadable[sector] = false;
    return powered() ? 0 : -1;
}

// A write that is cut leaves all units before some point written, and one in part.
static int flash_write(void *ctx, unsigned sector, const void *data, size_t len) {
    const size_t ends[] = {UNIT_SIZE, 2 * UNIT_SIZE, len / 2 / UNIT_SIZE * UNIT_SIZE,
                           len - UNIT_SIZE, len};
    unsigned char *cells = flash.sectors[sector];
    const unsigned char *from = data;
    size_t at = 0;

    (void)ctx;
    check(len % UNIT_SIZE == 0 && len <= RECORD);
    for (size_t i = 0; i < COUNT(ends); i++) {
        if (!powered()) {
            memcpy(cells + at, from + at, UNIT_SIZE / 2);
            return -1;
        }
        for (; at < ends[i] && !flash.writes_nothing; at++) {
            cells[at] &= from[at]; // as in flash: a cell that was not erased is damaged
        }
    }
    return powered() ? 0 : -1;
}

static const struct flash_driver driver = {NULL, flash_read, flash_erase, flash_write};

// ---- the service --------------------------------------------------------------------------------

static bool accepted(const char *key, size_t len) {
    return rekey_span_equal(rekey_span(key, len),
                            rekey_span(service.keys[0], strlen(service.keys[0]))) ||
           rekey_span_equal(rekey_span(key, len),
                            rekey_span(service.keys[1], strlen(service.keys[1])));
}

static void answer(void) {
    int slot = strstr(service.sent, "\"Primary\"") != NULL ? 0 : 1;

    if (strstr(service.sent, "/regenerateKeys?") != NULL) {
        service.posts++;
        snprintf(service.keys[slot], sizeof(service.keys[slot]), "key-%d-%d", slot, ++service.made);
        strcpy(service.text, "HTTP/1.1 202 Accepted\r\nLocation: https://" HOST "/operation\r\n"
                             "Retry-After: 1\r\nContent-Length: 0\r\n\r\n");
    } else if (strstr(service.sent, "/listKeys?") != NULL) {
        snprintf(service.text, sizeof(service.text),
                 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                 "{\"primaryKey\":\"%s\",\"secondaryKey\":\"%s\"}",
                 service.keys[0], service.keys[1]);
    } else {
        strcpy(service.text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    service.rest = service.text;
    service.sent_len = 0;
}

static int fake_open(void *ctx, struct rekey_span host, uint16_t port, uint32_t timeout_ms) {
    (void)ctx;
    (void)host;
    (void)port;
    (void)timeout_ms;
    service.sent_len = 0;
    service.rest = NULL;
    return REKEY_DONE;
}

static int fake_write(void *ctx, const void *data, size_t len, size_t *done) {
    (void)ctx;
    check(!flash.off && service.sent_len + len < sizeof(service.sent));
    service.rest = NULL;
    *done = len;
    return fake_send(service.sent, &service.sent_len, data, len);
}

static int fake_read(void *ctx, void *buf, size_t cap, size_t *done) {
    (void)ctx;
    if (service.rest == NULL && fake_sent_whole(service.sent, service.sent_len)) {
        answer();
    }
    if (service.rest == NULL || *service.rest == '\0') {
        return service.rest != NULL ? REKEY_END : REKEY_WANT_READ;
    }
    return fake_give(&service.rest, strlen(service.rest), buf, cap, done);
}

static int fake_token(void *ctx, char *buf, size_t cap, size_t *len) {
    (void)ctx;
    (void)cap;
    memcpy(buf, "token", 5);
    *len = 5;
    return REKEY_DONE;
}

static const struct rekey_port port = {
    .tls = {.open = fake_open, .write = fake_write, .read = fake_read, .close = fake_close},
    .now_ms = fake_now,
    .wall_s = fake_wall,
    .entropy = fake_entropy,
};

// ---- the device ---------------------------------------------------------------------------------

static int hook(void *ctx) {
    (void)ctx;
    hooks++;
    return REKEY_DONE;
}

// Not SHA-256, but a sum that differs for these keys.
static void sum(void *ctx, struct rekey_span data, unsigned char out[32]) {
    (void)ctx;
    memset(out, 1, 32);
    for (size_t i = 0; i < data.len; i++) {
        out[i % 31] = (unsigned char)(out[i % 31] * 31 + data.ptr[i]);
    }
}

// The device starts.
static void power_on(void) {
    flash.off = false;
    flash.cut = 0;
    rules = (struct rekey_rotation_options)REKEY_ROTATION_OPTIONS_INIT;
    options = (struct rekey_options)REKEY_OPTIONS_INIT;
    options.token = fake_token;
    storage = flash_storage_init(&device, &driver, &port);
    storage.hook = hook;
    storage.sha256 = sum;
    check_int(rekey_init(&client, &port, &options), 0);
    rekey_rotation_init(&rotation, &client, &options, &rules, &storage);
}

// A device that has never had a key.
static void leave_factory(void) {
    memset(&flash, 0, sizeof(flash));
    memset(&service, 0, sizeof(service));
    strcpy(service.keys[0], "key-0-0");
    strcpy(service.keys[1], "key-1-0");
    fake = (struct fake_port){.now = 1000, .wall = 1764000000};
    hooks = 0;
    power_on();
    check_int(flash_storage_format(&device), 0);
}

enum job { ROTATE, ROLL_BACK };

static void run(enum job job) {
    int result = job == ROTATE ? rekey_rotate(&rotation, &endpoint) : rekey_rollback(&rotation);

    result = result == 0 ? REKEY_AGAIN : result;
    while (result > 0 && !flash.off) {
        result = rekey_rotation_step(&rotation);
        if (result > 0 && result != REKEY_AGAIN) {
            fake.now += rekey_rotation_wait_ms(&rotation);
        }
    }
}

static struct rekey_rotation_report report(void) {
    struct rekey_rotation_report of_run;

    rekey_rotation_report(&rotation, &of_run);
    return of_run;
}

static void pass_days(int64_t days) {
    fake.now += (uint64_t)days * 86400000;
    fake.wall += days * 86400;
}

// The key in use, as it is in flash after a start.
static struct rekey_span key_in_use(void) {
    static char key[REKEY_KEY_VALUE_MAX];
    size_t len = 0;

    power_on();
    check_int(storage.load_key(storage.ctx, false, key, sizeof(key), &len), 0);
    return rekey_span(key, len);
}

// Begins each run that is cut: 0, as it leaves the factory; 1, with a key; 2, when it has rotated.
static void prepare(int runs) {
    leave_factory();
    for (int i = 0; i < runs; i++) {
        power_on();
        run(ROTATE);
        check_int(report().outcome, REKEY_SUCCEEDED);
        pass_days(2);
    }
    power_on();
}

// Cuts `job` at each point. Returns how many there are.
static int cut_everywhere(const char *name, int runs, enum job job) {
    int points;

    row_n(name, 0);
    prepare(runs);
    flash.points = 0;
    run(job);
    points = flash.points;
    check_int(report().outcome, REKEY_SUCCEEDED);

    for (int cut = 1; cut <= points; cut++) {
        struct rekey_span key;

        row_n(name, cut);
        prepare(runs);
        flash.points = 0;
        flash.cut = cut;
        run(job);
        check(flash.off);

        key = key_in_use();
        check(key.len == 0 ? runs == 0 : accepted(key.ptr, key.len));

        run(ROTATE); // completes it
        check_int(report().outcome, REKEY_SUCCEEDED);
        key = key_in_use();
        check(accepted(key.ptr, key.len));
        check(hooks > 0 && !device.saved.state.hook_pending && device.saved.slot == 0);
        pass_days(2);
        run(ROTATE);
        check_int(report().result, REKEY_ROTATION_ROTATED);
        key = key_in_use();
        check(accepted(key.ptr, key.len));
    }
    return points;
}

static void test_power_cuts(void **state) {
    int points = cut_everywhere("first key, cut", 0, ROTATE);

    (void)state;
    points += cut_everywhere("rotation, cut", 1, ROTATE);
    points += cut_everywhere("rollback, cut", 2, ROLL_BACK);
    check_int(points,
              (5 + 8 + 3) * 2 * (3 + 6)); // saves, sectors, points of an erasure and a write
    rows_done();
}

// ---- what is damaged ----------------------------------------------------------------------------

static bool sectors_equal(void) {
    return memcmp(flash.sectors[0], flash.sectors[1], RECORD) == 0;
}

// A sector that decays, or cannot be read, is written again from the other one.
static void test_one_sector(void **state) {
    (void)state;
    for (unsigned sector = 0; sector < 2; sector++) {
        for (size_t at = 0; at <= RECORD; at += RECORD / 16) {
            struct rekey_span key;

            row_nn("sector, byte", (long)sector, (long)at);
            prepare(2);
            if (at < RECORD) {
                flash.sectors[sector][at] ^= 4;
            } else {
                flash.unreadable[sector] = true;
            }
            key = key_in_use();
            check_span(key, REKEY_SPAN("key-1-1"));
            check(sectors_equal() && !flash.unreadable[sector]);
        }
    }
    rows_done();
}

// No run begins, and nothing is sent or written, until somebody has decided what to do.
static void check_refused(void) {
    static unsigned char before[2][RECORD];
    static const struct rekey_rotation_state none;

    memcpy(before, flash.sectors, sizeof(before));
    power_on();
    run(ROTATE);
    check_int(report().error, REKEY_E_STORE);
    check_int(report().outcome, REKEY_LOCAL);
    check(service.posts == 1 && memcmp(before, flash.sectors, sizeof(before)) == 0);
    check_int(storage.save_state(storage.ctx, &none), REKEY_E_STORE);
    check(memcmp(before, flash.sectors, sizeof(before)) == 0);
}

static void test_both_sectors(void **state) {
    static const char *const names[] = {"decayed", "blank", "unreadable", "another format",
                                        "another size"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        row(names[i]);
        prepare(2);
        for (unsigned sector = 0; sector < 2; sector++) {
            struct flash_head head;

            memcpy(&head, flash.sectors[sector], sizeof(head));
            switch (i) {
            case 0:
                flash.sectors[sector][RECORD - 1 - sector] ^= 1;
                break;
            case 1:
                memset(flash.sectors[sector], 0xFF, RECORD);
                break;
            case 2:
                flash.unreadable[sector] = true;
                break;
            case 3:
                head.format++;
                break;
            default:
                head.size -= UNIT_SIZE;
            }
            if (i > 2) {
                memcpy(flash.sectors[sector], &head, sizeof(head));
            }
        }
        check_refused();
    }
    rows_done();
}

// Worn-out cells do not store the written bytes although the driver reports success: the intent is
// not saved, so no key is regenerated. A key that is too long is not cut.
static void test_worn(void **state) {
    static const char key[REKEY_KEY_VALUE_MAX + 1];
    char small[4];
    size_t len;

    (void)state;
    for (int i = 0; i < 2; i++) {
        row_n("worn", i);
        prepare(1);
        flash.writes_nothing = true;
        flash.erases_nothing = i == 1; // so that the old record stays, and is whole
        run(ROTATE);
        check_int(report().error, REKEY_E_STORE);
        check(service.posts == 0);
    }

    row("too long");
    prepare(1);
    check_int(storage.load_key(storage.ctx, false, small, sizeof(small), &len), REKEY_E_STORE);
    check_int(storage.save_key(storage.ctx, rekey_span(key, sizeof(key))), REKEY_E_STORE);
    check_int(key_in_use().len, 7);
    rows_done();
}

// ---- the age of an operation --------------------------------------------------------------------

static uint64_t age(void) {
    enum rekey_key slot = (enum rekey_key)0;
    struct rekey_record record;
    uint64_t ms = UINT64_MAX;

    check_int(storage.load_operation(storage.ctx, &record, &slot, &ms), 0);
    check_int(slot, REKEY_KEY_SECONDARY);
    check_span(record.request_id, REKEY_SPAN("012345678901234567890123456789012345"));
    return ms;
}

static void test_age(void **state) {
    struct rekey_record record = {.kind = REKEY_POLL_NONE,
                                  .url = {"", 0},
                                  .request_id = {"012345678901234567890123456789012345", 36}};

    (void)state;
    row("age");
    prepare(1);
    check_span(key_in_use(), REKEY_SPAN("key-0-0"));
    fake.now += 5000;
    check_int(storage.save_operation(storage.ctx, &record, REKEY_KEY_SECONDARY), 0);
    fake.now += 3000;
    record.kind = REKEY_POLL_LOCATION; // keeps the age of the intent
    record.url = REKEY_SPAN("https://" HOST "/operation");
    check_int(storage.save_operation(storage.ctx, &record, REKEY_KEY_SECONDARY), 0);
    check_int(age(), 3000);
    fake.now += 100;
    key_in_use(); // starts again: less than the truth
    fake.now += 70;
    check_int(age(), 70);
    rows_done();
}

int main(void) {
    static const struct CMUnitTest tests[] = {UNIT(test_power_cuts), UNIT(test_one_sector),
                                              UNIT(test_both_sectors), UNIT(test_worn),
                                              UNIT(test_age)};

    return cmocka_run_group_tests_name("flash_storage", tests, NULL, rows_total);
}
