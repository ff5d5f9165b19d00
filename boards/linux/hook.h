// hook.h - the program that tells applications of a new key: without a shell, with an environment
// of four variables, without our descriptors, and not for ever.

#ifndef REKEY_COMMAND_HOOK_H
#define REKEY_COMMAND_HOOK_H

#include <sys/types.h>

#include "fault.h"

struct hook {
    // For the caller to set.
    const char *program; // its path
    uint32_t timeout_ms;
    // Called in the child if the program cannot be started, with errno.
    void (*not_started)(const char *program, int error);

    pid_t child; // that runs; 0: none does
    uint64_t started;
};

// What the program is told in its environment.
struct hook_event {
    const char *key_file, *endpoint, *key_type;
};

// Starts the program, or looks whether it has ended. Returns REKEY_DONE; REKEY_WANT_TIME to be
// called again; or REKEY_E_HOOK with *f.
int hook_run(struct hook *h, const struct hook_event *event, struct fault *f);

// Ends the program, if it runs, with what it has started.
void hook_stop(struct hook *h);

#endif
