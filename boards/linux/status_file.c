// status_file.c - see status_file.h.

#include "status_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "posix.h"
#include "text.h"

const char *status_file_read(struct status_file *s, const char *directory) {
    char path[512];
    int n = snprintf(path, sizeof(path), "%s/status.json", directory);

    if (n < 0 || (size_t)n >= sizeof(path)) {
        path[0] = '\0';
    }
    if (rekey_posix_read_file(path, s->text, sizeof(s->text) - 1, &s->len, REKEY_POSIX_ONE_NAME) !=
        0) {
        return rekey_posix_error_text(errno);
    }
    s->text[s->len] = '\0';
    if (rekey_json_parse(&s->json, rekey_span(s->text, s->len), false, s->tokens,
                         STATUS_FILE_TOKENS) != 0 ||
        !rekey_span_equal(status_file_member(s, "format"), REKEY_SPAN("1"))) {
        return "it is damaged, or was written by another version of rekey";
    }
    return NULL;
}

struct rekey_span status_file_member(const struct status_file *s, const char *name) {
    int at = rekey_json_find(&s->json, 0, name);

    return at > 0 ? rekey_json_raw(&s->json, at) : rekey_span("", 0);
}

int64_t status_file_number(const struct status_file *s, const char *name) {
    return strtoll(status_file_member(s, name).ptr, NULL, 10);
}
