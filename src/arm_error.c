// arm_error.c - an ErrorResponse into a bounded report.

#include "arm_error.h"

// Copies the string member `name` of `object`, if it is there, into a REKEY_TEXT.
#define COPY(json, object, name, out)                                                              \
    copy((json), rekey_json_find((json), (object), (name)), (out).text, sizeof((out).text),        \
         &(out).len, &(out).cut)

static void copy(const struct rekey_json *json, int at, char *text, size_t cap, uint16_t *len,
                 bool *cut) {
    size_t needed;

    if (rekey_json_is_string(json, at)) {
        *len = (uint16_t)rekey_json_string(json, at, text, cap, &needed);
        *cut = needed > *len;
    }
}

void rekey_arm_error_read(struct rekey_arm_error *error, const struct rekey_json *json) {
    int object = rekey_json_find(json, 0, "error");
    int detail = rekey_json_first(json, rekey_json_find(json, object, "details"));

    COPY(json, object, "code", error->code);
    COPY(json, object, "message", error->message);
    COPY(json, object, "target", error->target);
    COPY(json, detail, "code", error->detail);
    if (error->message.len == 0) {
        COPY(json, detail, "message", error->message);
    }
}
