// operation_file.c - see operation_file.h. One "name value" a line, in a fixed order:
//
//     rekey-operation 2
//     time 1795420800
//     boot 00000000-0000-4000-8000-000000000000
//     boot-ms 123456
//     management management.azure.com
//     endpoint /subscriptions/S/resourceGroups/.../onlineEndpoints/E
//     key-type Primary
//     request-id 00000000-0000-4000-8000-000000000000
//     unsure no
//     kind Azure-AsyncOperation
//     url https://management.azure.com/...
//     end
//
// `boot` is the kernel's boot_id, or "none"; `boot-ms` the milliseconds from that boot to the
// intent. Format 1 has neither.

#include "operation_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "posix.h"
#include "text.h"

#define FORMAT "rekey-operation 2"

const char *poll_kind_name(enum rekey_poll_kind kind) {
    static const char *const names[] = {"none", "Azure-AsyncOperation", "Operation-Location",
                                        "Location"};

    return names[kind];
}

int operation_file_save(void *ctx, const struct rekey_record *record) {
    static char text[OPERATION_FILE_MAX]; // f->text can have what is copied here
    struct operation_file *f = ctx;
    int len;

    f->record = *record;
    if (record->kind == REKEY_POLL_NONE) { // the intent: the POST will be sent next
        f->time = rekey_posix_wall_s(NULL);
        f->boot_ms = rekey_posix_now_ms(NULL);
        rekey_posix_boot_id(f->boot);
    }
    len = snprintf(
        text, sizeof(text),
        FORMAT "\ntime %lld\nboot %s\nboot-ms %llu\nmanagement %.*s\nendpoint %.*s\nkey-type %.*s\n"
               "request-id %.*s\nunsure %s\nkind %s\nurl %.*s\nend\n",
        (long long)f->time, f->boot[0] != '\0' ? f->boot : "none", (unsigned long long)f->boot_ms,
        (int)f->management.len, f->management.ptr, (int)f->endpoint.len, f->endpoint.ptr,
        (int)f->key_type.len, f->key_type.ptr, (int)record->request_id.len, record->request_id.ptr,
        record->unsure ? "yes" : "no", poll_kind_name(record->kind), (int)record->url.len,
        record->url.ptr);
    if (len < 0 || (size_t)len >= sizeof(text)) {
        f->error = EMSGSIZE;
        f->what = NULL;
        return REKEY_E_SAVE;
    }
    f->what = rekey_posix_write_file(f->path, text, (size_t)len,
                                     (f->written ? 0 : REKEY_POSIX_NEW) |
                                         (f->exclusive ? REKEY_POSIX_ALONE : 0),
                                     f->owner, REKEY_POSIX_NO_GROUP);
    if (f->what != NULL) {
        f->error = errno;
        return REKEY_E_SAVE;
    }
    f->written = true;
    f->has_url = record->kind != REKEY_POLL_NONE;
    return REKEY_DONE;
}

bool read_line(struct rekey_span *rest, const char *name, struct rekey_span *value) {
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t name_len = strlen(name);
    size_t len = end == NULL ? 0 : (size_t)(end - rest->ptr);

    if (end == NULL || len < name_len + 1 || memcmp(rest->ptr, name, name_len) != 0 ||
        rest->ptr[name_len] != ' ') {
        return false;
    }
    *value = rekey_span(rest->ptr + name_len + 1, len - name_len - 1);
    rest->ptr += len + 1;
    rest->len -= len + 1;
    return true;
}

static bool parse_kind(struct rekey_span text, enum rekey_poll_kind *kind) {
    for (int k = REKEY_POLL_NONE; k <= REKEY_POLL_LOCATION; k++) {
        const char *name = poll_kind_name((enum rekey_poll_kind)k);

        if (rekey_span_equal(text, rekey_span(name, strlen(name)))) {
            *kind = (enum rekey_poll_kind)k;
            return true;
        }
    }
    return false;
}

// A decimal number of at most 12 digits: 31 years of milliseconds.
static bool parse_number(struct rekey_span text, uint64_t *number) {
    bool ok = text.len > 0 && text.len <= 12;

    *number = 0;
    for (size_t i = 0; ok && i < text.len; i++) {
        ok = rekey_is_digit(text.ptr[i]);
        *number = *number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return ok;
}

// Parses the lines that format 1 does not have.
static bool parse_boot(struct operation_file *f, struct rekey_span *rest) {
    struct rekey_span boot, ms;

    if (!read_line(rest, "boot", &boot) || !read_line(rest, "boot-ms", &ms) ||
        !parse_number(ms, &f->boot_ms)) {
        return false;
    }
    if (boot.len == REKEY_POSIX_BOOT_ID_LEN) {
        memcpy(f->boot, boot.ptr, boot.len);
        f->boot[boot.len] = '\0';
        return true;
    }
    return rekey_span_equal(boot, REKEY_SPAN("none"));
}

static bool parse(struct operation_file *f, struct rekey_span rest, bool has_boot) {
    const struct rekey_span whole = rest;
    struct rekey_span time, unsure, kind;
    uint64_t seconds = 0;
    bool ok =
        read_line(&rest, "time", &time) && parse_number(time, &seconds) &&
        (!has_boot || parse_boot(f, &rest)) && read_line(&rest, "management", &f->management) &&
        read_line(&rest, "endpoint", &f->endpoint) && read_line(&rest, "key-type", &f->key_type) &&
        read_line(&rest, "request-id", &f->record.request_id) &&
        read_line(&rest, "unsure", &unsure) && read_line(&rest, "kind", &kind) &&
        read_line(&rest, "url", &f->record.url) && rekey_span_equal(rest, REKEY_SPAN("end\n")) &&
        parse_kind(kind, &f->record.kind) && f->record.request_id.len == 36 &&
        (f->record.url.len > 0) == (f->record.kind != REKEY_POLL_NONE);

    for (size_t i = 0; i < whole.len; i++) { // the values are shown, and sent
        ok = ok && (whole.ptr[i] == '\n' || (whole.ptr[i] >= ' ' && whole.ptr[i] <= '~'));
    }
    f->time = (int64_t)seconds;
    f->record.unsure = ok && !rekey_span_equal(unsure, REKEY_SPAN("no"));
    return ok;
}

enum operation_file_result operation_file_read(struct operation_file *f, const char *path) {
    struct rekey_span rest = {f->text, 0};
    struct rekey_span version;

    f->path = path;
    f->error = 0;
    f->what = NULL;
    if (rekey_posix_read_file(path, f->text, sizeof(f->text), &rest.len,
                              f->exclusive ? REKEY_POSIX_ONE_NAME : 0) != 0) {
        f->error = errno;
        return errno == EFBIG ? OPERATION_FILE_DAMAGED : OPERATION_FILE_UNREADABLE;
    }
    if (!read_line(&rest, "rekey-operation", &version)) {
        return OPERATION_FILE_DAMAGED;
    }
    if (!rekey_span_equal(version, REKEY_SPAN("1")) &&
        !rekey_span_equal(version, REKEY_SPAN("2"))) {
        return OPERATION_FILE_FORMAT;
    }
    f->boot[0] = '\0';
    f->boot_ms = 0;
    f->written = parse(f, rest, version.ptr[0] == '2');
    f->has_url = f->written && f->record.kind != REKEY_POLL_NONE;
    return f->written ? OPERATION_FILE_OK : OPERATION_FILE_DAMAGED;
}

uint64_t operation_file_age_ms(const struct operation_file *f) {
    uint64_t now = rekey_posix_now_ms(NULL);
    char boot[REKEY_POSIX_BOOT_ID_LEN + 1];

    if (f->boot[0] == '\0' || !rekey_posix_boot_id(boot)) {
        return 0;
    }
    if (strcmp(boot, f->boot) != 0) { // it was saved before this boot
        return now;
    }
    return now > f->boot_ms ? now - f->boot_ms : 0;
}

bool operation_file_remove(struct operation_file *f) {
    if (!f->written || unlink(f->path) == 0 || errno == ENOENT) {
        return true;
    }
    f->error = errno;
    f->what = "remove the file";
    return false;
}

void operation_file_explain(const void *ctx, char *buf, size_t cap) {
    const struct operation_file *f = ctx;

    snprintf(buf, cap, "'%s': %s", f->path, file_error(f->what, f->error));
}
