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

unsigned long rekey_error_limit(int error) {
    switch (error) {
    case REKEY_E_LIMIT_URL:
        return REKEY_URL_MAX;
    case REKEY_E_LIMIT_TOKEN:
        return REKEY_TOKEN_MAX;
    case REKEY_E_LIMIT_KEY_VALUE:
        return REKEY_KEY_VALUE_MAX;
    case REKEY_E_LIMIT_STAGING:
        return REKEY_STAGING_MAX;
    case REKEY_E_LIMIT_HEAD:
        return REKEY_HEAD_MAX;
    case REKEY_E_LIMIT_FIELDS:
        return REKEY_FIELDS_MAX;
    case REKEY_E_LIMIT_INTERIM:
        return REKEY_INTERIM_MAX;
    case REKEY_E_LIMIT_BODY:
        return REKEY_BODY_MAX;
    case REKEY_E_LIMIT_JSON_TOKENS:
        return REKEY_JSON_TOKENS;
    case REKEY_E_LIMIT_JSON_DEPTH:
        return REKEY_JSON_DEPTH;
    default:
        return 0;
    }
}
