// rekey_config.h - every buffer size and every default, each with its reason.
// One that stands after an #ifndef is overridden by defining it on the compiler's command line, or
// in a file that REKEY_CONFIG_FILE names, as "my_rekey_config.h" or <my_rekey_config.h>, with the
// quotation marks or brackets. Both hold for the archive and for what is linked with it: rekey.h
// sees to that. Values are decimal numbers without parentheses. Every limit error names the macro
// to raise. Sizes are bytes and times milliseconds unless a name or comment says otherwise.

#ifndef REKEY_CONFIG_H
#define REKEY_CONFIG_H

#include <assert.h>

#ifdef REKEY_CONFIG_FILE
#include REKEY_CONFIG_FILE
#endif

#define REKEY_VERSION "0.1.0"
// The same for #if: a byte each for the three numbers, as 0x000100 for 0.1.0.
#define REKEY_VERSION_NUMBER 0x000100

// The polling URL. Signed URLs of 3.2 KB are the normal case; Azure Resource Manager's contract
// says that clients must take at least 4 KB. Before there is one, the POST's own path is built
// here.
#ifndef REKEY_URL_MAX
#define REKEY_URL_MAX 4096
#endif

// The bearer token: 1.5 to 2.5 KB is normal for the management plane.
#ifndef REKEY_TOKEN_MAX
#define REKEY_TOKEN_MAX 4096
#endif

// One buffer with three uses, one after the other: the request as it goes out; a new polling URL
// until its head is complete and it has passed the host rule; the body with its JSON tokens.
#ifndef REKEY_STAGING_MAX
#define REKEY_STAGING_MAX REKEY_URL_MAX
#endif

// JSON tokens of one body (16 bytes each, taken from staging). An ErrorResponse with two details
// needs 35, a status body 15.
#ifndef REKEY_JSON_TOKENS
#define REKEY_JSON_TOKENS 64
#endif

// Nesting of arrays and objects; one bit each in a 32-bit word. ErrorResponse nests its details.
#define REKEY_JSON_DEPTH 32

// A key value to set, or one that listKeys returned, before escaping. The service's own are 44
// to 84.
#ifndef REKEY_KEY_VALUE_MAX
#define REKEY_KEY_VALUE_MAX 256
#endif

// Bytes taken from the transport at a time.
#ifndef REKEY_IO_SIZE
#define REKEY_IO_SIZE 256
#endif

// Bounds against a hostile server. What is beyond the buffers above is read and dropped up to here.
// A chunk with data is free of 16 bytes of its framing, so that the size of the chunks is no limit.
#ifndef REKEY_HEAD_MAX
#define REKEY_HEAD_MAX                                                                             \
    65536u // one answer's head, chunk lines and trailers, interim answers included
#endif
#ifndef REKEY_FIELDS_MAX
#define REKEY_FIELDS_MAX 256u // field lines of one answer
#endif
#ifndef REKEY_INTERIM_MAX
#define REKEY_INTERIM_MAX 16u // 1xx answers before the final one
#endif
#ifndef REKEY_BODY_MAX
#define REKEY_BODY_MAX 1048576u // body bytes of one answer
#endif

// Parts of the report: an error's code, message and target, cut at these lengths.
#define REKEY_CODE_MAX 64
#define REKEY_MESSAGE_MAX 256
#define REKEY_TARGET_MAX 96
#define REKEY_SUBJECT_MAX 88 // the host that a refused URL leads to

// Defaults of struct rekey_options.
#define REKEY_TIMEOUT_MS 1800000u       // the whole operation; the service's own is PT30M
#define REKEY_CONNECT_TIMEOUT_MS 15000u // one connection: lookup, connect, handshake
#define REKEY_IDLE_TIMEOUT_MS 100000u   // an answer without a byte for so long is lost
#define REKEY_POLL_INTERVAL_MS 10000u   // when the service names no wait

// Between two questions for a token that the application does not have yet.
#define REKEY_TOKEN_WAIT_MS 1000u

// A connection that was idle for longer is closed when the next request is due, because the front
// end, or a router between, may have forgotten it; the TLS session is resumed.
#ifndef REKEY_IDLE_MAX_MS
#define REKEY_IDLE_MAX_MS 15000u
#endif

// Tries of a POST that nobody executed, or of a listKeys (azure.md 4).
#define REKEY_TRIES_MAX 5u

// Answers 404 in a row that a poll tolerates: the operation may not be visible yet (azure.md 4.6).
#define REKEY_NOT_FOUND_MAX 3u

// Polls that may follow at once, whatever was answered; every later wait is at least
// REKEY_POLL_FLOOR_MS (azure.md 4.2).
#define REKEY_IMMEDIATE_POLLS 10u
#define REKEY_POLL_FLOOR_MS 1000u

// The longest path that rekey_regenerate builds: 64 + 90 * 12 (UTF-8, percent-encoded) + 33 + 255 +
// 32 for the parameters, and 180 for the fixed parts.
#define REKEY_PATH_MAX (64 + 90 * 12 + 33 + 255 + 32 + 180)

static_assert(REKEY_BODY_MAX <= 100000000, "the length of a body is read by rekey_number");
static_assert(REKEY_HEAD_MAX <= 65536, "the length of a field is counted in 16 bits");
static_assert(REKEY_URL_MAX >= REKEY_PATH_MAX, "the path of the POST is built in the URL buffer");
static_assert(REKEY_STAGING_MAX >= REKEY_URL_MAX, "a new URL is staged before it replaces the old");
static_assert(REKEY_STAGING_MAX >= REKEY_KEY_VALUE_MAX * 12 + 128,
              "the body is escaped in staging, and shares it with a piece of the request");
static_assert(REKEY_STAGING_MAX >= REKEY_TOKEN_MAX, "a new token is compared with the old one");
static_assert(REKEY_STAGING_MAX % 16 == 0 && REKEY_STAGING_MAX >= 16 * REKEY_JSON_TOKENS + 1024,
              "staging holds a body and its JSON tokens");
static_assert(REKEY_URL_MAX <= 32767, "lengths are kept in 16 bits");
static_assert(REKEY_TOKEN_MAX <= 32767, "lengths are kept in 16 bits");
static_assert(REKEY_STAGING_MAX <= 32767, "lengths are kept in 16 bits");

#endif
