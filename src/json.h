// json.h - checks, tokenises, looks up and unescapes one JSON text (RFC 8259) in a buffer. jsmn
// makes the tokens. Because jsmn accepts much that is not JSON, the text is first checked against
// the grammar, without recursion. A text that did not fit into its buffer can be read up to the
// cut, for an error's code and message; the caller decides what may be concluded from a text that
// was cut.

#ifndef REKEY_JSON_H
#define REKEY_JSON_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_json {
    struct rekey_span text; // if the text was cut, only the part before the first fault
    const void *tokens;     // jsmntok_t, a type that only json.c uses
    int count;
};

// Bytes of the buffer for one token. The buffer must be aligned for an int.
#define REKEY_JSON_TOKEN_SIZE 16

// Checks and tokenises `text`; a byte order mark in front of it is skipped (docs/service.md 1.4).
// `text` belongs to the caller and must stay valid as long as *json is used. `cut` says that the
// end of the text is missing: then the part before the first fault is read. Returns 0, or
// REKEY_E_JSON (not JSON, an empty text, not UTF-8), REKEY_E_LIMIT_JSON_DEPTH, or
// REKEY_E_LIMIT_JSON_TOKENS; after REKEY_E_LIMIT_JSON_TOKENS the tokens that did fit can be looked
// up.
int rekey_json_parse(struct rekey_json *json, struct rekey_span text, bool cut, void *tokens,
                     size_t token_count);

// Returns the token of the value of member `name` in the object that is token `object` (0: the top
// level). Returns -1 if there is no such member, or if `object` is -1 or not an object;
// REKEY_E_JSON_DUPLICATE if the object has the name twice. Names are compared after unescaping;
// `name` has at most 28 bytes.
int rekey_json_find(const struct rekey_json *json, int object, const char *name);

// Whether the object has a member whose name differs from `name` only in the case of ASCII letters.
// False if `object` is -1 or not an object.
bool rekey_json_has_variant(const struct rekey_json *json, int object, const char *name);

// Returns the token of the first element of an array; -1 if it is empty, or if `array` is negative
// or not an array.
int rekey_json_first(const struct rekey_json *json, int array);

// Whether token `at` is a complete string. False if `at` is negative.
bool rekey_json_is_string(const struct rekey_json *json, int at);

// Whether token `at` is the literal null.
bool rekey_json_is_null(const struct rekey_json *json, int at);

// The text of token `at`, not unescaped and without quotation marks.
struct rekey_span rekey_json_raw(const struct rekey_json *json, int at);

// Unescapes the string token `at` into buf[0..cap), as UTF-8, and returns the number of bytes
// stored. *needed is the length of the whole string in bytes: if it is larger than the returned
// length, the string was cut, between two characters. A lone surrogate escape becomes U+FFFD.
size_t rekey_json_string(const struct rekey_json *json, int at, char *buf, size_t cap,
                         size_t *needed);

// Writes `text` (UTF-8) to buf[0..cap) with the escapes of a JSON string; returns the length, or
// cap + 1 if it does not fit. 6 bytes for each byte of text are always enough.
size_t rekey_json_escape(struct rekey_span text, char *buf, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
