// json.h - one JSON text (RFC 8259) in a buffer: checked, tokenised, looked up, unescaped.
// jsmn makes the tokens; because it accepts much that is not JSON, the text first passes a grammar
// check of its own, without recursion. A text that was cut by a buffer can be read as far as it
// goes, for an error's code and message; what it may be evidence of is for the caller to say.

#ifndef REKEY_JSON_H
#define REKEY_JSON_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rekey_json {
    struct rekey_span text; // as far as it was read
    const void *tokens;     // jsmntok_t, known to json.c alone
    int count;
};

// The bytes that `count` tokens take; the buffer must be aligned for an int.
#define REKEY_JSON_TOKEN_SIZE 16

// Checks and tokenises `text`, without a byte order mark in front of it (docs/service.md 1.4),
// which stays the caller's and must live as long as *json. With `cut` the text is known to end
// early, and what stands before the first fault is read. Returns 0, or REKEY_E_JSON (not JSON, an
// empty text, not UTF-8), REKEY_E_LIMIT_JSON_DEPTH, REKEY_E_LIMIT_JSON_TOKENS. After the last of
// these the tokens that there are can be looked up.
int rekey_json_parse(struct rekey_json *json, struct rekey_span text, bool cut, void *tokens,
                     size_t token_count);

// The member `name` of the object that is token `object` (0: the top level): the token of its
// value; -1 if there is none, or `object` is -1 or no object. Names are compared after unescaping;
// `name` has at most 28 bytes.
// Returns REKEY_E_JSON_DUPLICATE if the name is there twice.
int rekey_json_find(const struct rekey_json *json, int object, const char *name);

// Whether the object has a member whose name is `name` but for the case of ASCII letters, and not
// `name` itself. False if `object` is -1 or not an object.
bool rekey_json_has_variant(const struct rekey_json *json, int object, const char *name);

// The first element of an array; -1 if it is empty, or `array` is negative or no array.
int rekey_json_first(const struct rekey_json *json, int array);

// Whether token `at` is a string that is whole. Negative `at` is not.
bool rekey_json_is_string(const struct rekey_json *json, int at);

// Whether token `at` is the literal null.
bool rekey_json_is_null(const struct rekey_json *json, int at);

// The text of token `at` as it stands, without quotation marks.
struct rekey_span rekey_json_raw(const struct rekey_json *json, int at);

// Unescapes the string token `at` into buf[0..cap), as UTF-8, and returns how many bytes it put
// there. *needed is the length that the whole string has; more than was returned means that it was
// cut, at the start of a character. A lone surrogate escape becomes U+FFFD.
size_t rekey_json_string(const struct rekey_json *json, int at, char *buf, size_t cap,
                         size_t *needed);

// Writes `text` (UTF-8) to buf[0..cap) with the escapes of a JSON string; returns the length, or
// cap + 1 if it does not fit. 6 bytes for each byte of text always do.
size_t rekey_json_escape(struct rekey_span text, char *buf, size_t cap);

#ifdef __cplusplus
}
#endif

#endif
