// arm_error.h - Azure Resource Manager's ErrorResponse (docs/service.md 1.3), bounded.
// {"error":{"code":s,"message":s,"target":s,"details":[the same, ...]}}; every member may be
// missing or null. The texts come from the server: a program that prints them must make control
// characters visible.

#ifndef REKEY_ARM_ERROR_H
#define REKEY_ARM_ERROR_H

#include "json.h"
#include "rekey_config.h"

#ifdef __cplusplus
extern "C" {
#endif

// A string of at most `sizeof text` bytes, UTF-8, not NUL-terminated; `cut` is set if the string
// was longer.
#define REKEY_TEXT(size)                                                                           \
    struct {                                                                                       \
        uint16_t len;                                                                              \
        bool cut;                                                                                  \
        char text[size];                                                                           \
    }

struct rekey_arm_error {
    REKEY_TEXT(REKEY_CODE_MAX) code;       // error.code
    REKEY_TEXT(REKEY_CODE_MAX) detail;     // error.details[0].code: often more specific than `code`
    REKEY_TEXT(REKEY_MESSAGE_MAX) message; // error.message, or details[0].message if there is none
    REKEY_TEXT(REKEY_TARGET_MAX) target;   // error.target
};

// Fills *error, which the caller must have zeroed, with the members that the JSON text contains. If
// the text was cut (json.h), only strings that are complete are used.
void rekey_arm_error_read(struct rekey_arm_error *error, const struct rekey_json *json);

#ifdef __cplusplus
}
#endif

#endif
