// identity_text.h - messages about an identity that was used.

#ifndef REKEY_COMMAND_IDENTITY_TEXT_H
#define REKEY_COMMAND_IDENTITY_TEXT_H

#include "identity.h"

// Checks the client certificate. Only after TLS has its memory. Returns 0, or an error with *f.
int identity_check(struct identity *id, struct fault *f);

// Writes the details of `error`: a file name, or the fault of a certificate; or an empty text.
void identity_explain(const struct identity *id, int error, char *buf, size_t cap);

// One line on how to correct an error of a token service; or NULL.
const char *identity_remedy(const struct identity *id, const struct rekey_report *report);

// After identity_check: the day on which the client certificate ends, as 2026-11-30, or an empty
// text for another kind of identity. True if it has ended, or does so within 30 days.
bool identity_ends(const struct identity *id, char day[16]);

#endif
