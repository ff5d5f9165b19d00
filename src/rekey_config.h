// rekey_config.h - every buffer size and every default, each with its reason. A macro that stands
// after an #ifndef can be overridden: define it on the compiler's command line, or in a header
// whose name is the value of the macro REKEY_CONFIG_FILE, as "my_rekey_config.h" or
// <my_rekey_config.h>, including the quotation marks or brackets. The archive and the programs that
// link it must use the same values; rekey.h makes a difference an error of the linker. Values are
// decimal numbers without parentheses. The text of every error of a limit contains the name of the
// macro to raise. Sizes are in bytes and times in milliseconds unless a name or comment says
// otherwise.

#ifndef REKEY_CONFIG_H
#define REKEY_CONFIG_H

#include <assert.h>

#ifdef REKEY_CONFIG_FILE
#include REKEY_CONFIG_FILE
#endif

#define REKEY_VERSION "0.2.0"
// The same version for #if: one byte for each of the three numbers, so 0.2.0 is 0x000200.
#define REKEY_VERSION_NUMBER 0x000200

// The polling URL. Signed URLs of 3.2 KB are normal; the contract of Azure Resource Manager says
// that clients must accept at least 4 KB. Before there is a polling URL, the buffer holds the path
// of the POST.
#ifndef REKEY_URL_MAX
#define REKEY_URL_MAX 4096
#endif

// The bearer token: 1.5 to 2.5 KB is normal for the management plane.
#ifndef REKEY_TOKEN_MAX
#define REKEY_TOKEN_MAX 4096
#endif

// One buffer, staging, with three uses one after the other: the request while it is sent; a new
// polling URL until the head of the answer is complete and the URL has passed the host rule; the
// body with its JSON tokens.
#ifndef REKEY_STAGING_MAX
#define REKEY_STAGING_MAX REKEY_URL_MAX
#endif

// JSON tokens of one body. Each takes 16 bytes of staging. An ErrorResponse with two details needs
// 35 tokens, a status body 15.
#ifndef REKEY_JSON_TOKENS
#define REKEY_JSON_TOKENS 64
#endif

// Nesting depth of arrays and objects. Each level is one bit of a 32-bit word. An ErrorResponse
// nests its details.
#define REKEY_JSON_DEPTH 32

// A key value to set, or one that listKeys returned, before escaping. Key values that the service
// generates have 44 to 84 bytes.
#ifndef REKEY_KEY_VALUE_MAX
#define REKEY_KEY_VALUE_MAX 256
#endif

// The buffer for one read from the transport.
#ifndef REKEY_IO_SIZE
#define REKEY_IO_SIZE 256
#endif

// Bounds against a hostile server. Bytes that do not fit into the buffers above are read and
// dropped up to these limits. The first 16 bytes of framing of each chunk with data do not count
// towards REKEY_HEAD_MAX, so that an answer in many small chunks stays within this limit.
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
#define REKEY_SUBJECT_MAX 88 // the host of a refused URL

// Defaults of struct rekey_options.
#define REKEY_TIMEOUT_MS 1800000u // the whole operation; the limit of the service is 30 minutes
#define REKEY_CONNECT_TIMEOUT_MS 15000u // one connection: lookup, connect, handshake
#define REKEY_IDLE_TIMEOUT_MS 100000u   // the longest time without a byte of the answer
#define REKEY_POLL_INTERVAL_MS 10000u   // if the service requires no wait

// The longest wait between two calls of rekey_options.token while there is no token yet.
#define REKEY_TOKEN_WAIT_MS 1000u

// The longest time without traffic after which a connection is used for another request. If it has
// been idle for longer, the next request closes it and opens a new one, because the server's front
// end or a router on the way may have forgotten it; the TLS session is resumed.
#ifndef REKEY_IDLE_MAX_MS
#define REKEY_IDLE_MAX_MS 15000u
#endif

// Tries of a POST that the service did not execute, or of a listKeys (docs/service.md 4.11).
#define REKEY_TRIES_MAX 5u

// Number of answers 404 in a row that polling tolerates: the operation may not be visible yet
// (docs/service.md 4.6).
#define REKEY_NOT_FOUND_MAX 3u

// At most this many polls of one operation are sent without a wait, if the service requires none.
// The wait before every later poll is at least REKEY_POLL_FLOOR_MS (docs/service.md 4.2).
#define REKEY_IMMEDIATE_POLLS 10u
#define REKEY_POLL_FLOOR_MS 1000u

// The longest path that rekey_regenerate builds: the parameters, with the resource group in UTF-8
// and percent-encoded (90 * 12), and 180 bytes for the fixed parts.
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
