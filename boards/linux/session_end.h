// session_end.h - the end of a run over a session, in words: errors with the details that the
// session knows, the next step, the object of --output json, the last line.

#ifndef REKEY_COMMAND_SESSION_END_H
#define REKEY_COMMAND_SESSION_END_H

#include "session.h"

// Writes the details of an error, as one line of visible text; or "".
void session_explain(const struct session *s, const struct rekey_report *report, int error,
                     char line[1024]);

// The name of a permission at the endpoint, as in Azure's roles; `action` is for example
// "listKeys/action".
const char *session_right(const struct session *s, const char *action);

// One line on how to correct the failure; NULL if nothing precise is known.
const char *session_remedy(const struct session *s, const struct rekey_report *report);

// Prints an error.
void session_say_error(struct session *s, const struct rekey_report *report);

// What the user can do next; or NULL.
const char *session_hint(const struct session *s, const struct rekey_report *report);

// With -v, prints how much memory was used.
void session_say_memory(const struct session *s);

// Collects the object of --output json, if it was asked for.
void session_put_json(struct session *s, const struct rekey_report *report);

// Prints s->fault, and collects the object of --output json if it was asked for. Returns the
// outcome.
enum rekey_outcome session_say_refusal(struct session *s);

// Closes the session, and prints the last line. Returns the exit code.
int session_end(struct session *s, enum rekey_outcome outcome);

// Ends a run that could not start. Returns the exit code.
int session_refuse(struct session *s);

// Ends a run that failed and changed nothing. Returns the exit code.
int session_fail(struct session *s, const struct rekey_report *report);

#endif
