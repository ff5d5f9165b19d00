// arm_error.c - copies an ErrorResponse into the bounded struct of arm_error.h.

#include "arm_error.h"

// The first members of each REKEY_TEXT.
struct text {
    uint16_t len;
    bool cut;
    char text[];
};

#define TEXT(member)                                                                               \
    offsetof(struct rekey_arm_error, member), sizeof(((struct rekey_arm_error *)0)->member.text)

void rekey_arm_error_read(struct rekey_arm_error *error, const struct rekey_json *json) {
    static const struct {
        char name[8];
        uint16_t offset, cap;
        bool of_detail;
    } rows[] = {
        {"code", TEXT(code), false},      {"message", TEXT(message), false},
        {"target", TEXT(target), false},  {"code", TEXT(detail), true},
        {"message", TEXT(message), true}, // only if there is none yet
    };
    int object = rekey_json_find(json, 0, "error");
    int detail = rekey_json_first(json, rekey_json_find(json, object, "details"));

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text *out = (struct text *)((char *)error + rows[i].offset);
        int at = rekey_json_find(json, rows[i].of_detail ? detail : object, rows[i].name);
        size_t needed;

        if (out->len == 0 && rekey_json_is_string(json, at)) {
            out->len = (uint16_t)rekey_json_string(json, at, out->text, rows[i].cap, &needed);
            out->cut = needed > out->len;
        }
    }
}
