// hide.h - no secret is repeated. A service may say anything, also what it was sent: what the
// report keeps of its words is searched for the secrets while they are still there, and each one
// that is found becomes asterisks.

#ifndef REKEY_HIDE_H
#define REKEY_HIDE_H

#include "rekey.h"

// The shortest run of a secret that is looked for, in bytes. A shorter secret is looked for as a
// whole, down to REKEY_HIDE_MIN: what is shorter than that is part of many words.
#define REKEY_HIDE_RUN ((size_t)16)
#define REKEY_HIDE_MIN ((size_t)4)

// Overwrites each run of `secret` in text[0..len). NULs at the end of the secret do not count, so
// that it can be a buffer. `cut` says that the text had more: then a beginning of the secret at its
// end is overwritten, too, however short it is.
void rekey_hide_text(char *text, size_t len, bool cut, struct rekey_span secret);

// Searches all words of the service that the report shows for all that is secret: the token, the
// key value, the secret of the credential, and those of rekey_options.
void rekey_hide(struct rekey *r);

// The key value is not needed any more. What stays of it are 32 bits of each 8 bytes: too few to
// find it by, and enough for rekey_hide to recognise it.
void rekey_hide_forget_key_value(struct rekey *r);

#endif
