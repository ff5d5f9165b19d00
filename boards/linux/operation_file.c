// operation_file.c - see operation_file.h. One "name value" a line, in a fixed order:
//
//     rekey-operation 1
//     time 1795420800
//     management management.azure.com
//     endpoint /subscriptions/S/resourceGroups/.../onlineEndpoints/E
//     key-type Primary
//     request-id 00000000-0000-4000-8000-000000000000
//     unsure no
//     kind Azure-AsyncOperation
//     url https://management.azure.com/...
//     end

#include "operation_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "posix.h"
#include "text.h"

#define FORMAT "rekey-operation 1"

const char *poll_kind_name(enum rekey_poll_kind kind) {
    static const char *const names[] = {"none", "Azure-AsyncOperation", "Operation-Location",
                                        "Location"};

    return names[kind];
}

int operation_file_save(void *ctx, const struct rekey_record *record) {
    struct operation_file *f = ctx;
    int len;

    f->record = *record;
    len =
        snprintf(f->text, sizeof(f->text),
                 FORMAT "\ntime %lld\nmanagement %.*s\nendpoint %.*s\nkey-type %.*s\n"
                        "request-id %.*s\nunsure %s\nkind %s\nurl %.*s\nend\n",
                 (long long)f->time, (int)f->management.len, f->management.ptr,
                 (int)f->endpoint.len, f->endpoint.ptr, (int)f->key_type.len, f->key_type.ptr,
                 (int)record->request_id.len, record->request_id.ptr, record->unsure ? "yes" : "no",
                 poll_kind_name(record->kind), (int)record->url.len, record->url.ptr);
    if (len < 0 || (size_t)len >= sizeof(f->text)) {
        f->error = EMSGSIZE;
        f->what = NULL;
        return REKEY_E_SAVE;
    }
    f->what = rekey_posix_write_file(f->path, f->text, (size_t)len,
                                     (f->written ? 0 : REKEY_POSIX_NEW) |
                                         (f->alone ? REKEY_POSIX_ALONE : 0),
                                     f->owner, REKEY_POSIX_NO_GROUP);
    if (f->what != NULL) {
        f->error = errno;
        return REKEY_E_SAVE;
    }
    f->written = true;
    return REKEY_DONE;
}

bool take_line(struct rekey_span *rest, const char *name, struct rekey_span *value) {
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

static bool parse(struct operation_file *f, struct rekey_span rest) {
    const struct rekey_span whole = rest;
    struct rekey_span time, unsure, kind;
    bool ok =
        take_line(&rest, "time", &time) && take_line(&rest, "management", &f->management) &&
        take_line(&rest, "endpoint", &f->endpoint) && take_line(&rest, "key-type", &f->key_type) &&
        take_line(&rest, "request-id", &f->record.request_id) &&
        take_line(&rest, "unsure", &unsure) && take_line(&rest, "kind", &kind) &&
        take_line(&rest, "url", &f->record.url) && rekey_span_equal(rest, REKEY_SPAN("end\n")) &&
        parse_kind(kind, &f->record.kind) && f->record.request_id.len == 36 &&
        (f->record.url.len > 0) == (f->record.kind != REKEY_POLL_NONE);

    for (size_t i = 0; i < whole.len; i++) { // it is shown, and sent
        ok = ok && (whole.ptr[i] == '\n' || (whole.ptr[i] >= ' ' && whole.ptr[i] <= '~'));
    }
    f->time = 0;
    for (size_t i = 0; ok && i < time.len; i++) {
        ok = rekey_is_digit(time.ptr[i]) && time.len <= 12;
        f->time = f->time * 10 + (time.ptr[i] - '0');
    }
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
                              f->alone ? REKEY_POSIX_ONE_NAME : 0) != 0) {
        f->error = errno;
        return errno == EFBIG ? OPERATION_FILE_DAMAGED : OPERATION_FILE_UNREADABLE;
    }
    if (!take_line(&rest, "rekey-operation", &version)) {
        return OPERATION_FILE_DAMAGED;
    }
    if (!rekey_span_equal(version, REKEY_SPAN("1"))) {
        return OPERATION_FILE_FORMAT;
    }
    f->written = parse(f, rest);
    return f->written ? OPERATION_FILE_OK : OPERATION_FILE_DAMAGED;
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
