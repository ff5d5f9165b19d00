// show.h - reads the properties of an endpoint: its authentication mode, its provisioning state,
// its scoring URI (docs/service.md 1.5, get). It changes nothing. It is an object file of its own,
// so that an image that does not use it does not contain it.

#ifndef REKEY_SHOW_H
#define REKEY_SHOW_H

#include "rekey.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REKEY_URI_MAX 256 // bytes of a scoring URI, with its NUL

// Texts are NUL-terminated. A text is empty if the service does not give it, or if it is too long.
struct rekey_shown {
    char auth_mode[16]; // Key, AMLToken or AADToken
    char provisioning_state[24];
    char scoring_uri[REKEY_URI_MAX];
};

// Starts to read the properties into *shown, which is complete after rekey_step has returned 0. It
// changes nothing, so failed requests are repeated. Returns the errors that rekey_list_keys
// returns.
int rekey_show(struct rekey *r, const struct rekey_endpoint *endpoint, struct rekey_shown *shown);

#ifdef __cplusplus
}
#endif

#endif
