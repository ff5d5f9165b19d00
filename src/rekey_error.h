// rekey_error.h - the complete list of errors, each with its text. Errors are negative numbers in
// groups of a hundred. An error says what went wrong. It does not say whether the key was changed:
// that is the outcome (rekey.h). A lost answer, for example, is an error, and the key may have been
// regenerated nevertheless.
//
// In later versions an error keeps its name, its number and its group, and the number of an error
// that is no longer returned is not used again. Errors may be added: a program should treat an
// error that it does not know by its group (-error / 100), and use the outcome to decide whether
// the key was changed. The texts are for people, and may change.

#ifndef REKEY_ERROR_H
#define REKEY_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

// clang-format off
#define REKEY_ERRORS(X) \
    /* usage: a parameter breaks its rule; nothing was sent */ \
    X(REKEY_E_SUBSCRIPTION,     -100, "subscription: 1 to 64 of A-Z a-z 0-9 '-'") \
    X(REKEY_E_RESOURCE_GROUP,   -101, "resource group: 1 to 90 letters, digits, '-' '_' '.' '(' ')', not ending in '.'") \
    X(REKEY_E_WORKSPACE,        -102, "workspace: a letter or digit, then 2 to 32 of A-Z a-z 0-9 '_' '-'") \
    X(REKEY_E_ENDPOINT,         -103, "endpoint: a letter or digit, then up to 254 of A-Z a-z 0-9 '_' '-'") \
    X(REKEY_E_API_VERSION,      -104, "api-version: 1 to 32 of A-Z a-z 0-9 '.' '-'") \
    X(REKEY_E_KEY_TYPE,         -105, "key type: primary or secondary") \
    X(REKEY_E_KEY_VALUE,        -106, "key value: not UTF-8") \
    X(REKEY_E_HOST,             -107, "management host: a host name of letters, digits, '-' '.', 1 to 253 bytes") \
    X(REKEY_E_OPTIONS,          -108, "options: a timeout is zero, or a required pointer is NULL") \
    X(REKEY_E_RECORD,           -109, "the saved operation is damaged") \
    X(REKEY_E_BUSY,             -110, "an operation is running: finish or abort it first") \
    X(REKEY_E_IDLE,             -111, "no operation was started") \
    X(REKEY_E_NO_PREVIOUS,      -112, "there is no previous key to restore") \
    X(REKEY_E_UNFINISHED,       -113, "a rotation is unfinished: run `rekey rotate` first") \
    X(REKEY_E_PORT,             -114, "a function of the port is missing") \
    /* transport: the network below HTTP */ \
    X(REKEY_E_LOOKUP,           -200, "the host name could not be resolved") \
    X(REKEY_E_CONNECT,          -201, "no connection to the host") \
    X(REKEY_E_CONNECT_TIMEOUT,  -202, "the connection was not ready within the connect timeout") \
    X(REKEY_E_IDLE_TIMEOUT,     -203, "no data from the peer within the idle timeout") \
    X(REKEY_E_IO,               -204, "the connection broke") \
    X(REKEY_E_END,              -205, "the connection ended before the answer was complete") \
    X(REKEY_E_TLS,              -206, "TLS failed") \
    X(REKEY_E_DEADLINE,         -207, "the deadline (--timeout) was reached") \
    X(REKEY_E_ABORTED,          -208, "the operation was interrupted on this device before it ended") \
    X(REKEY_E_PROXY,            -209, "the proxy did not open a tunnel") \
    X(REKEY_E_PROXY_TARGET,     -210, "the proxy could not reach the host") \
    /* trust: the identity of the peer could not be verified */ \
    X(REKEY_E_CERT_ISSUER,      -300, "the issuer of the server's certificate is not trusted") \
    X(REKEY_E_CERT_NAME,        -301, "the server's certificate is for another host name") \
    X(REKEY_E_CERT_DATES,       -302, "the server's certificate is outside its validity dates") \
    X(REKEY_E_CERT_OTHER,       -303, "the server's certificate was refused") \
    X(REKEY_E_NO_ANCHORS,       -304, "there are no trusted CA certificates (trust anchors)") \
    X(REKEY_E_CLOCK,            -305, "the clock was never set (it is earlier than this build)") \
    /* framing: the received bytes are not an HTTP/1.1 answer (RFC 9112) */ \
    X(REKEY_E_STATUS_LINE,      -400, "the status line is malformed") \
    X(REKEY_E_FIELD,            -401, "a field line is malformed, or folded") \
    X(REKEY_E_CONTENT_LENGTH,   -402, "Content-Length is malformed or contradicts itself") \
    X(REKEY_E_TRANSFER_ENCODING, -403, "Transfer-Encoding is other than chunked") \
    X(REKEY_E_CHUNK,            -404, "the chunked coding is malformed") \
    X(REKEY_E_REPEATED_FIELD,   -405, "a field that may appear only once is repeated") \
    X(REKEY_E_CONTENT_CODING,   -406, "the body has a Content-Encoding that was not asked for") \
    /* JSON: the body is not the expected JSON */ \
    X(REKEY_E_JSON,             -500, "the body is not JSON") \
    X(REKEY_E_JSON_DUPLICATE,   -501, "the JSON body contains a member name twice") \
    X(REKEY_E_JSON_STATUS,      -502, "the status answer contains no string 'status'") \
    X(REKEY_E_JSON_KEYS,        -503, "the answer to listKeys does not contain the keys") \
    X(REKEY_E_CONTRADICTORY,    -504, "the answer contradicts itself: it shows neither success nor failure") \
    /* service: the answer reports an error, or is unexpected */ \
    X(REKEY_E_REFUSED,          -600, "the service refused the request") \
    X(REKEY_E_FAILED,           -601, "the operation failed") \
    X(REKEY_E_CANCELED,         -602, "the operation was canceled") \
    X(REKEY_E_REDIRECT,         -603, "the service answered with a redirect, which rekey does not follow") \
    X(REKEY_E_MAYBE_EXECUTED,   -604, "the service answered with an error, and may have executed the request") \
    X(REKEY_E_NOT_PROCESSED,    -605, "the service answered every attempt with 408, 429 or 5xx") \
    X(REKEY_E_STATUS,           -606, "the service answered with an unexpected HTTP status") \
    X(REKEY_E_NO_POLL_URL,      -607, "the service accepted the request but gave no polling URL") \
    X(REKEY_E_POLL_REFUSED,     -608, "the service refused to report the operation's status") \
    X(REKEY_E_POLL_NOT_FOUND,   -609, "the service no longer knows the operation") \
    X(REKEY_E_URL_SCHEME,       -610, "the URL is not an absolute https URL") \
    X(REKEY_E_URL_HOST,         -611, "the URL's host or port is malformed, or it has user information") \
    X(REKEY_E_URL_BYTE,         -612, "the URL contains a byte that is not allowed in a URL") \
    X(REKEY_E_URL_FOREIGN,      -613, "the polling URL is for another host or port than the request") \
    X(REKEY_E_RESUME_NO_URL,    -614, "the saved operation has no polling URL") \
    X(REKEY_E_KEYS_NULL,        -615, "one of the endpoint's two keys is null or empty: regenerate that key with `rekey regenerate`") \
    X(REKEY_E_KEYS_EQUAL,       -616, "both keys are equal: regenerate one of them with `rekey regenerate`") \
    X(REKEY_E_KEY_UNCHANGED,    -617, "the service still lists the old key") \
    X(REKEY_E_KEY_FOREIGN,      -618, "somebody else has changed the key that this run was about to regenerate") \
    X(REKEY_E_KEY_REFUSED,      -619, "the scoring URI does not accept the new key yet") \
    X(REKEY_E_SCORING_URI,      -620, "no scoring URI of https and at most 255 bytes: rotate without --probe") \
    /* limits: each text contains the name of the macro to raise */ \
    X(REKEY_E_LIMIT_URL,        -700, "limit: the polling URL is longer than REKEY_URL_MAX") \
    X(REKEY_E_LIMIT_TOKEN,      -701, "limit: the token is longer than REKEY_TOKEN_MAX") \
    X(REKEY_E_LIMIT_KEY_VALUE,  -702, "limit: a key value is longer than REKEY_KEY_VALUE_MAX") \
    X(REKEY_E_LIMIT_STAGING,    -703, "limit: the body and its JSON tokens are longer than REKEY_STAGING_MAX") \
    X(REKEY_E_LIMIT_HEAD,       -704, "limit: the head is longer than REKEY_HEAD_MAX") \
    X(REKEY_E_LIMIT_FIELDS,     -705, "limit: the head has more field lines than REKEY_FIELDS_MAX") \
    X(REKEY_E_LIMIT_INTERIM,    -706, "limit: more interim answers than REKEY_INTERIM_MAX") \
    X(REKEY_E_LIMIT_BODY,       -707, "limit: the body is longer than REKEY_BODY_MAX") \
    X(REKEY_E_LIMIT_JSON_TOKENS, -708, "limit: the body has more JSON tokens than REKEY_JSON_TOKENS") \
    X(REKEY_E_LIMIT_JSON_DEPTH, -709, "limit: the body nests deeper than REKEY_JSON_DEPTH") \
    X(REKEY_E_LIMIT_ARENA,      -710, "limit: TLS needs more memory than its arena has (REKEY_ARENA_SIZE)") \
    X(REKEY_E_LIMIT_TOKEN_ANSWER, -711, "limit: the token service's answer is longer than REKEY_TOKEN_MAX") \
    X(REKEY_E_LIMIT_CREDENTIAL, -712, "limit: the token request is longer than REKEY_STAGING_MAX") \
    /* credentials: there is no token, or it was refused */ \
    X(REKEY_E_NO_TOKEN,         -800, "no token could be obtained") \
    X(REKEY_E_TOKEN,            -801, "the token is empty, or contains a byte that is not allowed in a bearer token") \
    X(REKEY_E_UNAUTHORIZED,     -802, "the service refused the token") \
    X(REKEY_E_CLAIMS,           -803, "the service refused the token with a claims challenge: a policy (Conditional Access) requires proof that a device cannot give") \
    X(REKEY_E_TOKEN_REFUSED,    -804, "the token service issued no token") \
    X(REKEY_E_TOKEN_ANSWER,     -805, "the token service's answer contains no token") \
    X(REKEY_E_IDENTITY,         -806, "tenant or client id: missing, too long, or not only letters, digits, '-' '.'") \
    X(REKEY_E_SECRET,           -807, "the client secret is missing or empty") \
    X(REKEY_E_ASSERTION,        -808, "the federated token cannot be used") \
    X(REKEY_E_SIGN,             -809, "the client certificate or its private key cannot be used") \
    X(REKEY_E_CHALLENGE,        -810, "Azure Arc: the challenge gives no key file in /var/opt/azcmagent/tokens/") \
    X(REKEY_E_KEY_FILE,         -811, "Azure Arc: the key file cannot be used") \
    X(REKEY_E_PLAIN,            -812, "a token service over http:// must be on this machine or at 169.254.169.254") \
    X(REKEY_E_ARC,              -813, "the Azure Arc agent answered in place of IMDS: the identity must be arc, not imds") \
    /* local: the device failed */ \
    X(REKEY_E_ENTROPY,          -900, "the device provides no random numbers") \
    X(REKEY_E_SAVE,             -901, "the operation could not be saved") \
    X(REKEY_E_STORE,            -902, "the state of the rotation cannot be used") \
    X(REKEY_E_HOOK,             -903, "the hook (--exec) failed") \
    X(REKEY_E_HOOK_PENDING,     -904, "the hook of an earlier run must run first, and this run has no --exec")
// clang-format on

enum rekey_error {
#define REKEY_ERROR_ENUM(name, value, text) name = (value),
    REKEY_ERRORS(REKEY_ERROR_ENUM)
#undef REKEY_ERROR_ENUM
};

// The text of an error; "unknown error" for every other number, also for 0. The function is in an
// object file of its own, so that an image that does not call it does not contain the texts.
const char *rekey_error_text(int error);

// The name of an error, such as "REKEY_E_LOOKUP"; "" if there is no such error.
const char *rekey_error_name(int error);

// For an error of the group limits: returns the value of the macro to raise, and stores its name in
// *macro. For all other errors, and for REKEY_E_LIMIT_ARENA, whose macro belongs to the port, it
// returns 0 and stores "".
unsigned long rekey_error_limit(int error, const char **macro);

#ifdef __cplusplus
}
#endif

#endif
