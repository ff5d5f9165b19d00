// anchors.h - finds the trust anchors: the user's file, or the bundle of the system.

#ifndef REKEY_COMMAND_ANCHORS_H
#define REKEY_COMMAND_ANCHORS_H

#include "fault.h"
#include "pem_bundle.h"

// Uses `file`, or if that is NULL the first of the usual files that can be read. A file may be a
// pipe; its writer must be done at the time `until` of rekey_posix_now_ms. Returns 0 with *anchors,
// which use *bundle; or an error with *f.
int anchors_find(struct rekey_anchors *anchors, struct rekey_pem_bundle *bundle, const char *file,
                 uint64_t until, struct fault *f);

#endif
