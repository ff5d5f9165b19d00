// secret_text.h - finds common mistakes in a token, a client secret or a key value: a file in
// another encoding, quotation marks, a whole JSON object.

#ifndef REKEY_COMMAND_SECRET_TEXT_H
#define REKEY_COMMAND_SECRET_TEXT_H

#include "span.h"

enum secret_text {
    SECRET_TEXT_TOKEN,     // a bearer token (RFC 6750 2.1)
    SECRET_TEXT_CLIENT,    // a client secret: any text that a person can type
    SECRET_TEXT_KEY_VALUE, // a key: any text but UTF-16, which is a mistake
};

// Says what is wrong with a text, and how to correct it, for example "is in quotation marks: ...";
// may use buf[0..cap). NULL if the text can be used. Shows at most one byte of it, and only one
// that cannot be in such a secret.
const char *secret_text_fault(enum secret_text kind, struct rekey_span text, char *buf, size_t cap);

// The same for a name in a variable, which is not secret: finds control characters, such as a
// carriage return.
const char *control_fault(struct rekey_span text, char *buf, size_t cap);

#endif
