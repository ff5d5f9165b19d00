// process.h - the state of the process: descriptors, limits, the signals that stop it, and its
// start time.

#ifndef REKEY_COMMAND_PROCESS_H
#define REKEY_COMMAND_PROCESS_H

#include <signal.h>
#include <stdint.h>

// The signal that asked to stop, or 0.
extern volatile sig_atomic_t stop_signal;

struct process {
    uint64_t started;   // ms, by rekey_posix_now_ms
    sigset_t unblocked; // the signal mask during waits that a signal may interrupt
};

extern struct process process;

// Call this first. Opens descriptors 0, 1 and 2 if they are closed, so that no socket becomes one
// of them. Ignores SIGPIPE and SIGXFSZ, so that such a write fails and does not end the process.
// Prevents core dumps, which would contain the token.
void process_begin(void);

// From now on SIGINT, SIGTERM and SIGHUP set stop_signal, and arrive only during waits with
// process.unblocked.
void process_catch_signals(void);

#endif
