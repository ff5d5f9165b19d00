// session.h - what a command that talks to the service needs: trust anchors, proxy, identity, TLS
// and the client. Opened from the options, run to an end with progress, closed and zeroized. There
// is one in the process. session_end.h prints how it ended.

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

// A wait that is shown to the user.
struct session_wait {
    const char *what; // NULL: nothing
    uint64_t since, last;
    bool counts; // it was shown: on a terminal it counts down
};

struct session { // frequently used fields come first: short offsets make short instructions
    const struct options *options;
    struct rekey_span key_type; // the key of this run, for example Primary; empty: none, or both
    bool resumes;               // the run continues the operation of `file`
    bool has_tls;
    bool error_said;              // the error of the operation is printed already
    const char *credentials_hint; // what the user does next after REKEY_CREDENTIALS
    // Writes details of REKEY_E_STORE; `store` is its argument. NULL: there are none.
    void (*explain_store)(const void *store, char *buf, size_t cap);
    const void *store;
    struct rekey_options client_options;
    struct rekey_port port;
    struct rekey_secret secrets[2]; // secrets that the core does not know
    // For a run with its own steps: what it waits for, and until when; or NULL.
    const char *(*waits_for)(uint64_t *until);
    struct session_wait time_wait, answer_wait; // between two requests, and for an answer
    uint64_t shown_until;                       // the end of the last wait that was shown
    const struct rekey *watched;
    struct rekey_report previous; // the report after the last step
    char previous_status[32];
    char management[300]; // host or host:port, to be shown
    struct rekey_posix_tcp tcp;
    struct proxy proxy;
    struct rekey_tls tls;
    struct fault fault; // why the run cannot start
    struct rekey_pem_bundle bundle;
    struct identity identity;
    struct operation_file file; // the operation file; without a path, there is none
    struct rekey client;
    _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];
};

// The session of this process. From now on signals stop the run in an orderly way.
struct session *session_begin(const struct options *o);

// Checks everything that can be checked before the first packet, and prepares the client. Returns
// 0, or an error with s->fault.
int session_open(struct session *s);

// The same in two steps, for a command that reads something in between: first proxy and identity,
// whose secrets are removed from the environment before any wait; then trust anchors and client.
int session_choose(struct session *s);
int session_connect(struct session *s);

// The two parts of session_choose, for a command that continues if one of them fails.
int session_choose_proxy(struct session *s);
int session_choose_identity(struct session *s);

// Prepares the client for a run without a connection.
void session_open_offline(struct session *s);

// --timeout is for all operations of a run: the next operation gets the time that is left.
void session_use_time_left(struct session *s);

// Runs `client`, which is the session's own or another one, to its end. With --no-wait the end is
// the service's acceptance.
void session_run(struct session *s, struct rekey *client, struct rekey_report *report);

// For a run with its own steps: from now on session_follow reports on `client`.
void session_watch(struct session *s, const struct rekey *client);

// Call this after each step, which returned `result`: shows progress, and waits if `result` asks
// for it, at most `wait_ms`. False when the run has ended, or a signal asked to stop it.
bool session_follow(struct session *s, int result, uint32_t wait_ms);

// The host or host:port that the last answer or the error of `report` is from, in text[0..300) or
// elsewhere. *token is true for a token service.
struct rekey_span session_peer(const struct session *s, const struct rekey_report *report,
                               char text[300], bool *token);

// Overwrites all secrets of the session, when nothing more is sent.
void session_forget(struct session *s);

// Closes the session, and zeroizes its memory.
void session_close(struct session *s);

#endif
