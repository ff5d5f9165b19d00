// status_file.h - reads status.json in the directory of a rotation: how the last run ended.

#ifndef REKEY_COMMAND_STATUS_FILE_H
#define REKEY_COMMAND_STATUS_FILE_H

#include "json.h"

#define STATUS_FILE_TOKENS 64 // JSON tokens, of 4 int each

struct status_file {
    char text[1024]; // the file, NUL-terminated
    size_t len;
    struct rekey_json json;
    int tokens[4 * STATUS_FILE_TOKENS];
};

// Reads DIRECTORY/status.json. Returns NULL; or the reason why it cannot be used, in words.
const char *status_file_read(struct status_file *s, const char *directory);

// The text of a member, of a string without its quotation marks; empty if there is no such member.
struct rekey_span status_file_member(const struct status_file *s, const char *name);

// The value of a member that is a number; 0 if there is no such member.
int64_t status_file_number(const struct status_file *s, const char *name);

#endif
