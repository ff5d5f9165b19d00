// status_file.h - status.json in the directory of a rotation, read: how the last run ended.

#ifndef REKEY_COMMAND_STATUS_FILE_H
#define REKEY_COMMAND_STATUS_FILE_H

#include "json.h"

#define STATUS_FILE_TOKENS 64 // of the JSON, of 4 int each

struct status_file {
    char text[1024]; // the file, NUL-terminated
    size_t len;
    struct rekey_json json;
    int tokens[4 * STATUS_FILE_TOKENS];
};

// Reads DIRECTORY/status.json. Returns NULL, or in words why it cannot be used.
const char *status_file_read(struct status_file *s, const char *directory);

// A member as it stands, a string without its quotation marks; empty if it is not there.
struct rekey_span status_file_member(const struct status_file *s, const char *name);

// A member that is a number; 0 if it is not there.
int64_t status_file_number(const struct status_file *s, const char *name);

#endif
