// endpoint.h - all that is specific to an Azure Machine Learning online endpoint (docs/service.md
// 1): the rules of its names, its paths, the body of regenerateKeys, the keys in the answer to
// listKeys. It sends nothing.

#ifndef REKEY_ENDPOINT_H
#define REKEY_ENDPOINT_H

#include "json.h"
#include "rekey.h"

// Returns 0, or the error of the first name that breaks its rule.
int rekey_endpoint_check(const struct rekey_endpoint *endpoint);

// Writes the path and query of the endpoint's `action` ("/regenerateKeys", "/listKeys") to `buf`,
// which has REKEY_PATH_MAX bytes; returns the length. The endpoint must have passed
// rekey_endpoint_check.
size_t rekey_endpoint_path(const struct rekey_endpoint *endpoint, struct rekey_span action,
                           char *buf);

// Writes the body of regenerateKeys to buf[0..cap); returns its length. `cap` must be at least 12
// bytes for each byte of the key value and 128 more, because the escaped key value is first written
// to the second half of the buffer.
size_t rekey_endpoint_body(enum rekey_key key, struct rekey_span key_value, char *buf, size_t cap);

// Reads the answer to listKeys into `keys`, a struct rekey_keys. Returns 0, REKEY_E_JSON_DUPLICATE,
// REKEY_E_JSON_KEYS, or REKEY_E_LIMIT_KEY_VALUE with the bytes needed in *needed.
int rekey_endpoint_keys(void *keys, const struct rekey_json *json, uint32_t *needed);

#endif
