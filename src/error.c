// error.c - the texts of rekey_error.h, in an object of their own so that firmware can leave them out.

#include "rekey_error.h"

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
