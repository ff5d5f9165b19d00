// hook.h - the program of --exec, which tells applications about a new key. It runs without a shell
// and without our descriptors, with an environment of four variables, and for a limited time.

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

    pid_t child; // its process; 0: it does not run
    uint64_t started;
};

// What the environment of the program says.
struct hook_event {
    const char *key_file, *endpoint, *key_type;
};

// Starts the program, or checks whether it has ended. Returns REKEY_DONE; REKEY_WANT_TIME to be
// called again; or REKEY_E_HOOK with *f.
int hook_run(struct hook *h, const struct hook_event *event, struct fault *f);

// Kills the program, if it runs, with its children.
void hook_stop(struct hook *h);

#endif
