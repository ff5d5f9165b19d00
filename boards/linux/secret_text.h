// secret_text.h - what people put in the place of a token, a client secret or a key value by
// mistake: a file of another encoding, quotation marks, the whole JSON.

#ifndef REKEY_COMMAND_SECRET_TEXT_H
#define REKEY_COMMAND_SECRET_TEXT_H

#include "span.h"

enum secret_text {
    SECRET_TEXT_TOKEN,     // a bearer token (RFC 6750 2.1)
    SECRET_TEXT_CLIENT,    // a client secret: any text that a person can type
    SECRET_TEXT_KEY_VALUE, // a key: any text at all, but UTF-16 was not meant
};

// What is wrong with a text, and how to correct it, in words, in buf[0..cap): as in "is in
// quotation marks: ...". NULL if it can be used. Of the text, at most one byte is shown, and that
// only where no such secret has it.
const char *secret_text_fault(enum secret_text kind, struct rekey_span text, char *buf, size_t cap);

// The same for a name in a variable, which is not secret: NULL, or in words a carriage return or
// another control character in it.
const char *control_fault(struct rekey_span text, char *buf, size_t cap);

#endif
