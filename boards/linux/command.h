// command.h - what the parts of the command share: one struct, in static memory, for one run.

#ifndef REKEY_COMMAND_H
#define REKEY_COMMAND_H

#include <signal.h>

#include "identity.h"
#include "operation_file.h"
#include "options.h"
#include "pem_bundle.h"
#include "posix.h"
#include "proxy.h"
#include "rekey.h"
#include "state.h"

struct command {
    struct command_options options;
    struct rekey client;
    struct rekey_options client_options;
    struct rekey_port port;
    struct rekey_posix_tcp tcp;
    struct rekey_proxy proxy;
    char proxy_url[512]; // https://HOST[:PORT] of the proxy
    char proxy_authorization[320];
    char proxy_password[256];
    struct rekey_secret secrets[4]; // what the core does not know by itself
    struct rekey_tls tls;
    struct rekey_pem_bundle bundle;
    struct rekey_keys keys;
    struct rekey_token got; // by `rekey token`
    struct identity identity;
    struct rekey_keys before; // with --check-keys
    struct rekey checker;     // lists afterwards, while the report of `client` stays
    struct rekey_shown shown;
    struct operation_file file;
    struct state state; // of rotate and sync, as are these:
    struct rekey_rotation rotation;
    struct rekey_storage storage;
    struct rekey_rotation_options rotation_options;
    pid_t hook; // that runs; 0: none does
    uint64_t hook_started;
    char token[REKEY_TOKEN_MAX]; // as it was given; kept because a repeated request needs it again
    size_t token_len;
    char key_value[REKEY_KEY_VALUE_MAX];
    size_t key_value_len;
    char path[REKEY_PATH_MAX + 1]; // of the endpoint's action
    char management[300];          // host or host:port
    uint64_t started;              // ms
    sigset_t unblocked;            // the signal mask where a signal may interrupt
    _Alignas(16) unsigned char arena[REKEY_ARENA_SIZE];
};

// The signal that asked to stop, or 0.
extern volatile sig_atomic_t stop_signal;

// ---- report.c: what a person or a script is told ----

// An end before the operation began: says why, prints the JSON object if it was asked for, then the
// last line. Returns the exit code.
int refuse(struct command *c, enum rekey_outcome outcome, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// What happened in a step: -v's requests and answers, and the progress line.
void tell(const struct command *c, const struct rekey_report *now,
          const struct rekey_report *before);

// The end of an operation: everything there is to say. Returns the exit code.
int conclude(struct command *c, const struct rekey_report *report);

// ---- input.c: what the user gave ----

// Reads the file `path` ("-": standard input) into buf[0..cap), without one newline at its end (LF
// or CRLF) and a byte order mark in front. It may be a pipe: --timeout bounds the wait for whoever
// writes it. Returns 0 with the length in *len; that can be more than `cap`: then it did not fit,
// and buf holds its beginning. Returns errno if it cannot be read, EINTR if a signal asked to stop.
int read_secret(const struct command *c, const char *path, char *buf, size_t cap, size_t *len);

// Copies the environment variable `name`, overwrites it where it stands, and unsets it. False if it
// is not set, or empty. *len as above.
bool take_environment(const char *name, char *buf, size_t cap, size_t *len);

// The end of a run whose `option` names a file that cannot be read.
int cannot_read(struct command *c, enum rekey_outcome outcome, int code, const char *option,
                const char *file, int error);

// Overwrites and unsets every variable that may hold a secret and was not taken.
void forget_environment(void);

// Reads the token, so that a bad one is refused before anything is sent. Returns 0 or an exit code.
int take_token(struct command *c);

// Reads the key value into c->key_value, if there is one. Returns 0 or an exit code.
int take_key_value(struct command *c);

// Finds the trust anchors. Returns 0 or an exit code.
int find_anchors(struct command *c, struct rekey_anchors *anchors);

// rekey_options.token, with the struct command as its ctx: the token that was taken; after a 401,
// a file is read anew.
int give_token(void *ctx, char *buf, size_t cap, size_t *len);

// ---- hook.c ----

// rekey_storage.hook, with the struct command as its ctx.
int run_hook(void *ctx);

// Ends the hook, if it runs.
void stop_hook(struct command *c);

// ---- switch.c: rotate, sync and status ----

// Runs rotate or sync to its end, and says what it came to. Returns the exit code.
int run_rotation(struct command *c);

// Writes to status.json that a run ended before it began.
void note_refusal(struct command *c, enum rekey_outcome outcome);

// Prints what the last run came to. Returns the exit code.
int print_status(struct command *c);

// ---- report.c and main.c, for switch.c ----

// What a user does after REKEY_NOT_REACHED, for `error`.
const char *not_reached_hint(int error);

// Overwrites all that is secret, when nothing is sent any more.
void forget_secrets(struct command *c);

// The details of an end, as conclude tells them.
void say_error(const struct command *c, const struct rekey_report *report);
const char *outcome_word(enum rekey_outcome outcome);
int finish(enum rekey_outcome outcome);

// ---- proxy.c: the way to the service ----

// Chooses the proxy by --proxy or the environment, with its credentials. Returns 0 or an exit code.
int choose_proxy(struct command *c);

// Says in words what the proxy has to do with `error` of an attempt to reach `host`. False if it
// has nothing to do with it.
bool proxy_explain(const struct command *c, struct rekey_span host, int error, char *buf,
                   size_t cap);

#endif
