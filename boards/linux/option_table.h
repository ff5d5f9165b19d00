// option_table.h - the options with their help, the row that describes a command, and the pages of
// help that are about several commands.

#ifndef REKEY_COMMAND_OPTION_TABLE_H
#define REKEY_COMMAND_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

// Each option is in a group. A command accepts whole groups, and its row names them.
enum option_group {
    OPTIONS_ENDPOINT = 1 << 0,   // which endpoint
    OPTIONS_KIND = 1 << 1,       // its kind
    OPTIONS_KEY_TYPE = 1 << 2,   // which key
    OPTIONS_IDENTITY = 1 << 3,   // how to sign in
    OPTIONS_MANAGEMENT = 1 << 4, // the management host
    OPTIONS_POLLS = 1 << 5,      // polling
    OPTIONS_OPERATION = 1 << 6,  // the operation file
    OPTIONS_SECRETS = 1 << 7,    // whether secrets are shown
    OPTIONS_STATE = 1 << 8,      // the directory of a rotation
    OPTIONS_ROTATION = 1 << 9,
    OPTIONS_REGENERATE = 1 << 10, // this and the next two are of one command each
    OPTIONS_ROTATE = 1 << 11,
    OPTIONS_STATUS = 1 << 12,
    OPTIONS_ALL = 1 << 13,        // of every command
    OPTIONS_CONNECTION = 1 << 14, // trust, proxy and timeouts
    OPTIONS_NETWORK = OPTIONS_IDENTITY | OPTIONS_CONNECTION,
};

// The number of an option. Below 256 it is the short name.
enum option_id {
    OPTION_SUBSCRIPTION = 256,
    OPTION_RESOURCE_GROUP = 'g',
    OPTION_WORKSPACE = 'w',
    OPTION_NAME = 'n',
    OPTION_OUTPUT = 'o',
    OPTION_QUIET = 'q',
    OPTION_VERBOSE = 'v',
    OPTION_HELP = 'h',
    OPTION_VERSION = 'V',
    OPTION_IDS = 300,
    OPTION_KEY_TYPE,
    OPTION_KEY_VALUE_FILE,
    OPTION_AUTH,
    OPTION_CLOUD,
    OPTION_TOKEN_FILE,
    OPTION_SECRET_FILE,
    OPTION_MANAGEMENT_URL,
    OPTION_CA_FILE,
    OPTION_PROXY,
    OPTION_PROXY_AUTH_FILE,
    OPTION_API_VERSION,
    OPTION_TIMEOUT,
    OPTION_CONNECT_TIMEOUT,
    OPTION_IDLE_TIMEOUT,
    OPTION_POLL_INTERVAL,
    OPTION_OPERATION_FILE,
    OPTION_NO_WAIT,
    OPTION_RETRY_UNSAFE,
    OPTION_SHOW,
    OPTION_KIND_OF_ENDPOINT,
    OPTION_CHECK_KEYS,
    OPTION_STATE,
    OPTION_SETTLE,
    OPTION_PROBE,
    OPTION_MIN_AGE,
    OPTION_ROLLBACK,
    OPTION_EXEC,
    OPTION_EXEC_TIMEOUT,
    OPTION_KEY_GROUP,
    OPTION_VOLATILE_OK,
    OPTION_PROMETHEUS,
};

#define OPTION_COUNT 41

struct option_row {
    const char *name;
    const char *argument; // NULL: no argument
    const char *help;     // one line of at most 47 characters, or two
    uint16_t id, group;
};

extern const struct option_row option_table[OPTION_COUNT];

struct options;

// A command. Its file in command/ defines it.
struct command_row {
    const char *name;
    const char *summary;                 // what it does, in the list of commands
    const char *synopsis;                // after the name: what it needs
    const char *example;                 // after the name: one command line, or two
    unsigned accepts, needs;             // groups of options; all accept OPTIONS_ALL
    int (*run)(const struct options *o); // returns the exit code
};

// A page of `rekey help` that is not about a command.
struct option_topic {
    const char *name;
    const char *help;
    unsigned groups; // the groups whose options it shows; 0: it shows the exit codes
};

#define OPTION_TOPIC_COUNT 5

extern const struct option_topic option_topics[OPTION_TOPIC_COUNT];

#endif
