// session_end.h - the end of a run over a session, in words: errors with what the session knows of
// them, the next step, the object of --output json, the last line.

#ifndef REKEY_COMMAND_SESSION_END_H
#define REKEY_COMMAND_SESSION_END_H

#include "session.h"

// What is known of an error beside its text, as one line of visible text; or "".
void session_explain(const struct session *s, const struct rekey_report *report, int error,
                     char line[1024]);

// The name of a right at the endpoint, as roles of Azure have it: of "listKeys/action" or the like.
const char *session_right(const struct session *s, const char *action);

// One line on how to correct what failed; NULL where nothing precise is known.
const char *session_remedy(const struct session *s, const struct rekey_report *report);

// The lines of an error.
void session_say_error(struct session *s, const struct rekey_report *report);

// What the user does next; NULL where there is nothing to say.
const char *session_hint(const struct session *s, const struct rekey_report *report);

// With -v, how much memory was used.
void session_say_memory(const struct session *s);

// Collects the object of --output json, if it was asked for.
void session_put_json(struct session *s, const struct rekey_report *report);

// Says s->fault, and collects the object of --output json if it was asked for. Returns the outcome.
enum rekey_outcome session_say_refusal(struct session *s);

// Closes the session and says the last line. Returns the exit code.
int session_end(struct session *s, enum rekey_outcome outcome);

// The whole end of a run that could not begin. Returns the exit code.
int session_refuse(struct session *s);

// The whole end of a run that failed and changed nothing. Returns the exit code.
int session_fail(struct session *s, const struct rekey_report *report);

#endif
