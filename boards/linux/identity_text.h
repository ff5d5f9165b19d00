// identity_text.h - what is found out about an identity when it is used, in words.

#ifndef REKEY_COMMAND_IDENTITY_TEXT_H
#define REKEY_COMMAND_IDENTITY_TEXT_H

#include "identity.h"

// What can be checked only when TLS has its memory: the certificate. Returns 0, or an error with
// *f.
int identity_check(struct identity *id, struct fault *f);

// What `error` was about: a file, or a certificate's fault; an empty text where there is no more.
void identity_explain(const struct identity *id, int error, char *buf, size_t cap);

// One line on how to correct an error of a token service; NULL where there is nothing to say.
const char *identity_remedy(const struct identity *id, const struct rekey_report *report);

// After identity_check: the day on which the client certificate ends, as 2026-11-30, or an empty
// text for another kind of identity. True if it has ended, or does so within 30 days.
bool identity_ends(const struct identity *id, char day[16]);

#endif
