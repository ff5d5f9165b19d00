// option_table.h - the options: what each is called, which commands take it, and its help; what a
// command says of itself; the pages of help that are about options of several commands.

#ifndef REKEY_COMMAND_OPTION_TABLE_H
#define REKEY_COMMAND_OPTION_TABLE_H

#include <stddef.h>
#include <stdint.h>

// The options come in groups. A command takes whole groups, and names them in its row.
enum option_group {
    OPTIONS_ENDPOINT = 1 << 0,   // which endpoint
    OPTIONS_KIND = 1 << 1,       // of which kind it is
    OPTIONS_KEY_TYPE = 1 << 2,   // which key
    OPTIONS_IDENTITY = 1 << 3,   // who asks
    OPTIONS_MANAGEMENT = 1 << 4, // the management host
    OPTIONS_POLLS = 1 << 5,      // of an operation
    OPTIONS_OPERATION = 1 << 6,  // its file
    OPTIONS_SECRETS = 1 << 7,    // whether they are shown
    OPTIONS_STATE = 1 << 8,      // the directory of a rotation
    OPTIONS_ROTATION = 1 << 9,
    OPTIONS_REGENERATE = 1 << 10, // these are of one command each
    OPTIONS_ROTATE = 1 << 11,
    OPTIONS_STATUS = 1 << 12,
    OPTIONS_ALL = 1 << 13,        // of every command
    OPTIONS_CONNECTION = 1 << 14, // trust, proxy and timeouts
    OPTIONS_NETWORK = OPTIONS_IDENTITY | OPTIONS_CONNECTION,
};

// What stands for each in the code. Below 256 it is the short name.
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
    const char *argument; // NULL: it has none
    const char *help;     // one line of at most 47 characters, or two
    uint16_t id, group;
};

extern const struct option_row option_table[OPTION_COUNT];

struct options;

// A command: its file in command/ defines one.
struct command_row {
    const char *name;
    const char *summary;                 // what it does, in the list of commands
    const char *synopsis;                // behind the name: what it needs
    const char *example;                 // behind the name: one command line, or two
    unsigned accepts, needs;             // groups of options; OPTIONS_ALL goes without saying
    int (*run)(const struct options *o); // returns the exit code
};

// A page of `rekey help` beside those of the commands.
struct option_topic {
    const char *name;
    const char *help;
    unsigned groups; // whose options are on it; 0: it is about exit codes
};

#define OPTION_TOPIC_COUNT 5

extern const struct option_topic option_topics[OPTION_TOPIC_COUNT];

#endif
