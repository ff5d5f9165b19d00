// options.h - the command line and the environment, checked before anything else happens.

#ifndef REKEY_COMMAND_OPTIONS_H
#define REKEY_COMMAND_OPTIONS_H

#include "identity.h"
#include "rekey.h"

enum verb {
    COMMAND_REGENERATE = 1,
    COMMAND_WAIT = 2,
    COMMAND_LIST_KEYS = 4,
    COMMAND_TOKEN = 8,
    COMMAND_SHOW = 16,
    COMMAND_ROTATE = 32,
    COMMAND_SYNC = 64,
    COMMAND_STATUS = 128
};

struct command_options {
    enum verb command;
    struct rekey_endpoint endpoint;
    enum rekey_key key; // 0: not given
    enum auth auth;
    const struct cloud *cloud;
    const char *key_value_file, *token_file, *secret_file, *ca_file, *operation_file;
    const char *proxy, *proxy_auth_file;
    struct rekey_span host; // of the management URL, without brackets
    uint16_t port;
    const char *state, *exec, *key_group;
    uint32_t settle_ms, min_age_s, exec_timeout_ms; // of rotate and sync
    bool check_keys, probe, rollback, volatile_ok, prometheus;
    uint32_t timeout_ms, connect_timeout_ms, idle_timeout_ms, poll_interval_ms;
    bool no_wait, retry_unsafe, json, quiet, verbose, show;
};

// Fills *o. Returns true to go on; false when all is done: help or version was printed, or a bad
// option was reported, and *exit_code is set.
bool parse_options(struct command_options *o, int argc, char **argv, int *exit_code);

#endif
