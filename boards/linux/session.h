// session.h - what a command that talks to the service needs: trust anchors, proxy, identity, TLS
// and the client. Opened from the options, run to an end with progress, closed and zeroized. There
// is one in the process. What is said of its end is in session_end.h.

#ifndef REKEY_COMMAND_SESSION_H
#define REKEY_COMMAND_SESSION_H

#include "fault.h"
#include "identity.h"
#include "operation_file.h"
#include "options.h"
#include "owner.h"
#include "pem_bundle.h"
#include "posix.h"
#include "proxy.h"
#include "rekey.h"
#include "tls.h"

// Something that is waited for, until it has not been for a while.
struct session_wait {
    const char *what; // NULL: nothing
    uint64_t since, last;
    bool counts; // it was told: on a terminal it counts down
};

struct session { // what is used most comes first: short offsets make short instructions
    const struct options *options;
    struct rekey_span key_type; // that the run is about, as Primary; empty: none, or both
    bool resumes;               // the run goes on with the operation of `file`
    bool has_tls;
    const char *credentials_hint; // what the user does next after REKEY_CREDENTIALS
    // What is known of REKEY_E_STORE: `store` is handed to it. NULL: nothing.
    void (*explain_store)(const void *store, char *buf, size_t cap);
    const void *store;
    struct rekey_options client_options;
    struct rekey_port port;
    struct rekey_secret secrets[2]; // what the core does not know by itself
    // What a run with steps of its own waits for, and until when; NULL: nothing, or no such run.
    const char *(*waits_for)(uint64_t *until);
    struct session_wait time_wait, answer_wait; // between two requests; for an answer
    uint64_t told;                              // until when the last wait lasts that was told
    const struct rekey *watched;
    struct rekey_report seen; // of the last step
    char seen_status[32];
    char management[300]; // host or host:port, to be shown
    struct rekey_posix_tcp tcp;
    struct proxy proxy;
    struct rekey_tls tls;
    struct fault fault; // why the run cannot begin
    struct rekey_pem_bundle bundle;
    struct identity identity;
    struct operation_file file; // of the operation; it has a path where there is one
    struct rekey client;
    _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];
};

// The session of this process. From now on signals stop the run in an orderly way.
struct session *session_begin(const struct options *o);

// Finds everything that can be refused before the first packet, and makes the client ready. Returns
// 0, or an error with s->fault.
int session_open(struct session *s);

// The same in two steps, for a command that reads something itself in between: proxy and identity,
// whose secrets leave the environment before anything is waited for; then trust anchors and client.
int session_choose(struct session *s);
int session_connect(struct session *s);

// The two parts of session_choose, for a command that goes on where one of them fails.
int session_choose_proxy(struct session *s);
int session_choose_identity(struct session *s);

// Makes the client ready for a run that connects to nobody.
void session_open_offline(struct session *s);

// --timeout is for all operations of a run: the next one gets what is left of it.
void session_use_time_left(struct session *s);

// Runs `client`, which is the session's own or another one, to its end. With --no-wait that is the
// service's acceptance.
void session_run(struct session *s, struct rekey *client, struct rekey_report *report);

// For a run that has steps of its own, as session_run is made: from now on `client` is watched.
void session_watch(struct session *s, const struct rekey *client);

// After each step, which returned `result`: says what happened, and waits if the result asks for
// it, at most `wait_ms`. False when the run has ended, or a signal asked to stop it.
bool session_follow(struct session *s, int result, uint32_t wait_ms);

// Whom the last answer of `report`, or its error, is of: host or host:port, in text[0..300) or
// elsewhere. *token: it is a token service.
struct rekey_span session_peer(const struct session *s, const struct rekey_report *report,
                               char text[300], bool *token);

// Overwrites all that is secret in the session, when nothing is sent any more.
void session_forget(struct session *s);

// Closes and zeroizes what the session has.
void session_close(struct session *s);

#endif
