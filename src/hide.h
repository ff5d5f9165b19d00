// hide.h - keeps secrets out of the report. A service may repeat anything in its answers, including
// the secrets that it was sent. So the texts of the service that the report keeps are searched for
// the secrets before the secrets are zeroized, and each secret that is found is overwritten with
// asterisks.

#ifndef REKEY_HIDE_H
#define REKEY_HIDE_H

#include "rekey.h"

// The shortest part of a secret that is searched for, in bytes. A secret that is shorter than this
// is searched for as a whole, unless it is shorter than REKEY_HIDE_MIN: so short a text is part of
// many words.
#define REKEY_HIDE_RUN ((size_t)16)
#define REKEY_HIDE_MIN ((size_t)4)

// Overwrites each part of `secret` in text[0..len) of at least REKEY_HIDE_RUN bytes. NULs at the
// end of the secret are ignored, so that it can be a whole buffer. `cut` says that the text was
// longer: then the beginning of a secret at the end of the text is overwritten, too, however short
// it is.
void rekey_hide_text(char *text, size_t len, bool cut, struct rekey_span secret);

// Searches all texts of the service that the report shows for all secrets: the token, the key
// value, the secret of the credential, and those of rekey_options.
void rekey_hide(struct rekey *r);

// Call it when the key value is not needed any more. It replaces the key value by a digest of 32
// bits for each 8 bytes: too little to reconstruct the key value, and enough for rekey_hide to
// recognise it.
void rekey_hide_forget_key_value(struct rekey *r);

#endif
