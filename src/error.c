// error.c - the texts of rekey_error.h, in an object file of their own so that firmware can leave
// them out.

#include "rekey_error.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rekey_config.h"

// Each name is followed by its text, in the order of `values`. A name is found by counting NULs, so
// that no table of positions is needed.
static const struct texts {
#define REKEY_ERROR_MEMBERS(name, value, text)                                                     \
    char name##_name[sizeof(#name)];                                                               \
    char name##_text[sizeof(text)];
    REKEY_ERRORS(REKEY_ERROR_MEMBERS)
#undef REKEY_ERROR_MEMBERS
} texts = {
#define REKEY_ERROR_TEXTS(name, value, text) #name, text,
    REKEY_ERRORS(REKEY_ERROR_TEXTS)
#undef REKEY_ERROR_TEXTS
};

static const int16_t values[] = {
#define REKEY_ERROR_VALUE(name, value, text) value,
    REKEY_ERRORS(REKEY_ERROR_VALUE)
#undef REKEY_ERROR_VALUE
};

// Returns the name of an error, which is followed by its text; NULL if there is no such error.
static const char *find(int error) {
    const char *at = (const char *)&texts;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        if (values[i] == error) {
            return at;
        }
        at += strlen(at) + 1;
        at += strlen(at) + 1;
    }
    return NULL;
}

const char *rekey_error_text(int error) {
    const char *name = find(error);

    return name != NULL ? name + strlen(name) + 1 : "unknown error";
}

const char *rekey_error_name(int error) {
    const char *name = find(error);

    return name != NULL ? name : "";
}

unsigned long rekey_error_limit(int error, const char **macro) {
    switch (error) {
#define REKEY_ERROR_LIMIT(error, name)                                                             \
    case error:                                                                                    \
        *macro = #name;                                                                            \
        return name;
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_URL, REKEY_URL_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_TOKEN, REKEY_TOKEN_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_TOKEN_ANSWER, REKEY_TOKEN_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_CREDENTIAL, REKEY_STAGING_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_KEY_VALUE, REKEY_KEY_VALUE_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_STAGING, REKEY_STAGING_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_HEAD, REKEY_HEAD_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_FIELDS, REKEY_FIELDS_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_INTERIM, REKEY_INTERIM_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_BODY, REKEY_BODY_MAX)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_JSON_TOKENS, REKEY_JSON_TOKENS)
        REKEY_ERROR_LIMIT(REKEY_E_LIMIT_JSON_DEPTH, REKEY_JSON_DEPTH)
#undef REKEY_ERROR_LIMIT
    default:
        *macro = "";
        return 0;
    }
}
