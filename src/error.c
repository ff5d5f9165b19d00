// error.c - the texts of rekey_error.h, in an object of their own so that firmware can leave them
// out.

#include "rekey_error.h"

#include <stddef.h>
#include <stdint.h>

#include "rekey_config.h"

// Names and texts lie one behind the other, so that a place among them takes two bytes and not a
// pointer.
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

static const struct {
    int16_t error;
    uint16_t name, text;
} places[] = {
#define REKEY_ERROR_PLACE(name, value, text)                                                       \
    {value, offsetof(struct texts, name##_name), offsetof(struct texts, name##_text)},
    REKEY_ERRORS(REKEY_ERROR_PLACE)
#undef REKEY_ERROR_PLACE
};

const char *rekey_error_text(int error) {
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].error == error) {
            return (const char *)&texts + places[i].text;
        }
    }
    return "unknown error";
}

const char *rekey_error_name(int error) {
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i].error == error) {
            return (const char *)&texts + places[i].name;
        }
    }
    return "";
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
