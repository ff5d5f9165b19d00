// option_values.h - the values of the options, and how each is read.

#ifndef REKEY_COMMAND_OPTION_VALUES_H
#define REKEY_COMMAND_OPTION_VALUES_H

#include "fault.h"
#include "identity.h"
#include "rekey.h"

#define OPTION_NOT_GIVEN UINT32_MAX
#define OPTION_MIN_AGE_MAX 100000000 // seconds

struct command_row;
struct option_topic;

struct options {
    const struct command_row *command; // options.h
    struct rekey_endpoint endpoint;
    bool ids;                   // its names are parts of a resource ID, without a NUL after each
    enum rekey_key key;         // 0: not given
    struct rekey_span key_type; // its word: Primary, Secondary; empty: not given
    enum auth auth;
    const struct cloud *cloud;
    const char *key_value_file, *token_file, *secret_file, *ca_file, *operation_file;
    const char *proxy, *proxy_auth_file;
    struct rekey_span host; // of the management URL, without brackets
    uint16_t port;
    const char *state, *exec, *key_group;
    uint32_t settle_ms, min_age_s; // OPTION_NOT_GIVEN: the default of the command
    uint32_t exec_timeout_ms;      // of rotate and sync
    bool check_keys, probe, rollback, volatile_ok, prometheus;
    uint32_t timeout_ms, connect_timeout_ms, idle_timeout_ms, poll_interval_ms;
    bool help, version;               // if set, nothing else counts
    const struct option_topic *topic; // the page of the help; NULL: that of the command, if any
    bool no_wait, retry_unsafe, json, quiet, verbose, show;
};

// Sets the option `id` (option_table.h) to a value; NULL for an option without an argument. False
// with *f if it breaks the option's rule.
bool option_set(struct options *o, int id, const char *value, struct fault *f);

// The same for the management URL; `name` is the option or the variable that gave it.
bool option_set_management_url(struct options *o, const char *name, const char *text,
                               struct fault *f);

// Fills in *f with the rule that the value of an option breaks. Always false.
bool option_bad(struct fault *f, const char *name, const char *value, const char *rule);

#endif
