// outcome.h - how a run ended, in words: lines on standard error, and with --output json one object
// on standard output. Text that came from the service is printed with control characters made
// visible.

#ifndef REKEY_COMMAND_OUTCOME_H
#define REKEY_COMMAND_OUTCOME_H

#include "fault.h"

// What is known about the end of a run and is not in the report.
struct outcome_details {
    struct rekey_span peer; // the host or host:port that the errors are about
    const char *missing;    // what each kind of identity lacks, as "; not token: no FILE"; or ""
    bool token_service;     // `peer` is a token service
    char of_error[1024];    // details of the report's error, as one line of visible text; or ""
    char of_cause[1024];    // details of its cause; or ""
    const char *remedy;     // one line; or NULL
};

// What the object of --output json has, and the report has not.
struct outcome_object {
    struct rekey_span key_type; // Primary or Secondary; empty: neither
    const char *message;        // of the error, if the service has said nothing
    uint64_t elapsed_ms;        // since the process began
};

const char *outcome_word(enum rekey_outcome outcome);

int outcome_exit_code(enum rekey_outcome outcome);

// What the user can do next, by outcome and error; or NULL. The caller knows more about
// REKEY_CREDENTIALS and REKEY_RUNNING.
const char *outcome_hint(enum rekey_outcome outcome, int error);

// The report of a run that ended before it began.
struct rekey_report outcome_of_fault(const struct fault *f);

// The lines of an error: its text and details, its cause, what the service said, the remedy.
void outcome_say_error(const struct rekey_report *report, const struct outcome_details *details);

// Collects the object for standard output.
void outcome_put_json(const struct rekey_report *report, const struct outcome_object *object);

// A member of an object after its first: a string, or null if there is none.
void outcome_put_member(const char *name, struct rekey_span value);

// Writes what was collected for standard output, then the last line of every run; no line if lines
// are held and the run succeeded. Returns the exit code.
int outcome_finish(enum rekey_outcome outcome);

#endif
