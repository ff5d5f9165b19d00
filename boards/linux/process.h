// process.h - what is one for the whole process: its descriptors and limits, the signals that stop
// it, and when it began.

#ifndef REKEY_COMMAND_PROCESS_H
#define REKEY_COMMAND_PROCESS_H

#include <signal.h>
#include <stdint.h>

// The signal that asked to stop, or 0.
extern volatile sig_atomic_t stop_signal;

struct process {
    uint64_t started;   // ms, by rekey_posix_now_ms
    sigset_t unblocked; // the signal mask where a signal may interrupt
};

extern struct process process;

// Before anything else: opens descriptors 0, 1 and 2 where they are closed, so that no socket
// becomes one of them; a write to a pipe or file that takes no more fails instead of ending the
// process; no core dump, which would hold the token.
void process_begin(void);

// From now on SIGINT, SIGTERM and SIGHUP set stop_signal, and come only where something waits with
// process.unblocked.
void process_catch_signals(void);

#endif
