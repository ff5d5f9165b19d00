// show.h - what the service says of an endpoint: how it is authenticated, how it stands, where it
// scores (docs/service.md 1.5, get). In an object of its own: an image that never asks does not
// hold it.

#ifndef REKEY_SHOW_H
#define REKEY_SHOW_H

#include "rekey.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REKEY_URI_MAX 256 // bytes of a scoring URI

// Texts are NUL-terminated; empty where the service does not say. One that is too long is empty.
struct rekey_shown {
    char auth_mode[16]; // Key, AMLToken or AADToken
    char provisioning_state[24];
    char scoring_uri[REKEY_URI_MAX];
};

// Reads it into *shown, which is complete once rekey_step has returned 0. Changes nothing, and is
// repeated freely. Returns errors as rekey_list_keys does.
int rekey_show(struct rekey *r, const struct rekey_endpoint *endpoint, struct rekey_shown *shown);

#ifdef __cplusplus
}
#endif

#endif
