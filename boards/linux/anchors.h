// anchors.h - where the trust anchors are: the file that the user gives, or the system's bundle.

#ifndef REKEY_COMMAND_ANCHORS_H
#define REKEY_COMMAND_ANCHORS_H

#include "fault.h"
#include "pem_bundle.h"

// Finds them in `file`, or if that is NULL in the first of the usual places. A file may be a pipe,
// whose writer must be done at the time `until` of rekey_posix_now_ms. Returns 0 with *anchors,
// which work with *bundle; or an error with *f.
int anchors_find(struct rekey_anchors *anchors, struct rekey_pem_bundle *bundle, const char *file,
                 uint64_t until, struct fault *f);

#endif
