// error.c - the texts of rekey_error.h, in an object of their own so that firmware can leave them
// out.

#include "rekey_error.h"

#include "rekey_config.h"

const char *rekey_error_text(int error) {
    switch (error) {
#define REKEY_ERROR_CASE(name, value, text)                                                        \
    case name:                                                                                     \
        return text;
        REKEY_ERRORS(REKEY_ERROR_CASE)
#undef REKEY_ERROR_CASE
    default:
        return "unknown error";
    }
}

const char *rekey_error_name(int error) {
    switch (error) {
#define REKEY_ERROR_NAME(name, value, text)                                                        \
    case name:                                                                                     \
        return #name;
        REKEY_ERRORS(REKEY_ERROR_NAME)
#undef REKEY_ERROR_NAME
    default:
        return "";
    }
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
