// credential.h - how to get a token: one HTTP request to a token service, which is repeated as long
// as the failure may be temporary. Each kind of credential has a file of its own, which defines its
// request and the meaning of answers other than 200; the code that they share is in credential.c.
// The application gives a credential to the client in rekey_options. The credential works with the
// client's own memory, connection and clock. Only one connection is open at a time, so the
// connection to the management host is closed first. An image contains only the kinds whose init
// functions it calls. Each operation of the client asks for a new token, unless the option `hold`
// of rekey_options keeps the token for the next operation.
//
// To add a kind, write a struct that begins with a struct rekey_credential, a `prepare` function
// and, if the service has answers of its own, an `answered` function. The file includes only this
// header. It uses a struct rekey only through the functions below, because all fields of struct
// rekey are private.
//
//     struct mine {
//         struct rekey_credential base; // the first member, so that a cast leads to the whole
//         ...
//     };
//
//     static int prepare(struct rekey_credential *base, struct rekey *r) {
//         const struct mine *c = (const struct mine *)base;
//         size_t cap;
//         char *request = rekey_credential_buffer(r, &cap);
//
//         rekey_credential_aim(r, c->transport, c->host, c->port);
//         ... writes the request ...
//         return (int)len;
//     }
//
//     static const struct rekey_credential base =
//         REKEY_CREDENTIAL(prepare, rekey_credential_answered);
//
// credential.c reads an answer with status 200: JSON with `access_token` and, if the service knows
// the lifetime of the token, `expires_in` in seconds (RFC 6749 5.1). For a token that does not come
// over HTTP, use rekey_options.token instead of a credential.

#ifndef REKEY_CREDENTIAL_H
#define REKEY_CREDENTIAL_H

#include "rekey.h"

#ifdef __cplusplus
extern "C" {
#endif

// Initialize it with the init function of its kind, which starts from REKEY_CREDENTIAL.
struct rekey_credential {
    // Does a bounded amount of work toward a token; the value is always rekey_credential_step.
    // Returns REKEY_DONE if there is a token, a REKEY_WANT_... or REKEY_AGAIN to be called again,
    // or an error.
    int (*step)(struct rekey_credential *c, struct rekey *r);

    // Writes one whole request to rekey_credential_buffer and sets the server of the request with
    // rekey_credential_aim. The function is called for each try, so that a signed or expiring part
    // of the request is always new. Returns the length of the request in bytes; a length larger
    // than the buffer becomes REKEY_E_LIMIT_CREDENTIAL. May return an error of the group
    // credentials or REKEY_E_ENTROPY, which ends the operation.
    int (*prepare)(struct rekey_credential *c, struct rekey *r);

    // Decides on an answer other than 200. Returns REKEY_AGAIN to repeat the request at once,
    // REKEY_WANT_TIME to repeat it after a wait (within the limit on tries of all requests), or an
    // error.
    int (*answered)(struct rekey_credential *c, struct rekey *r, unsigned status);

    // The kind sets these in its init function or in `prepare`.
    struct rekey_span secret; // the report must not show this text; empty: no secret
    uint16_t proof_len;       // bytes at the end of the request that are secret as well
    bool once;       // if the connection fails, do not try again: there may be no such service
    bool challenged; // for the kind's own use; reset to false after each failed try

    // Private.
    bool sent;
    uint8_t phase;   // the core sets it to 0 when it needs a new token
    uint16_t length; // of the request
    uint16_t tries;
    uint64_t renew_at;      // from this time on, a request first obtains a new token; 0: never
    uint64_t expiry;        // of the token, on the port's clock in ms; 0: unknown
    uint64_t patient_until; // until this time the number of tries is not limited
};

#define REKEY_CREDENTIAL(prepare_, answered_)                                                      \
    {                                                                                              \
        rekey_credential_step, (prepare_), (answered_), {NULL, 0}, 0, false, false, false, 0, 0,   \
            0, 0, 0, 0                                                                             \
    }

// The shared `step`.
int rekey_credential_step(struct rekey_credential *c, struct rekey *r);

// The buffer for the request, *cap bytes. Its content is lost when `prepare` returns an error, and
// zeroized when the answer has arrived.
static inline char *rekey_credential_buffer(struct rekey *r, size_t *cap) {
    *cap = sizeof(r->staging.bytes);
    return r->staging.bytes;
}

// Sets the server of the request that is being prepared. `transport` is the port's `tls` or
// `plain`. The pointers must stay valid until the answer has arrived.
void rekey_credential_aim(struct rekey *r, const struct rekey_transport *transport,
                          struct rekey_span host, uint16_t port);

// The shared `answered`: 408, 429 and 5xx are repeated. Any other status is a refusal, and the
// error in the answer is copied into the report.
int rekey_credential_answered(struct rekey_credential *c, struct rekey *r, unsigned status);

// Whether plain http is allowed to `host`: only to 127.x.x.x, localhost, ::1 and 169.254.169.254.
// No bearer token is ever sent over plain http.
bool rekey_credential_plain_host(struct rekey_span host);

// Builds a text in buf[0..cap). If `len` is larger than `cap`, the text did not fit.
struct rekey_writer {
    char *buf;
    size_t cap, len;
};

// rekey_writer_put appends the bytes unchanged. rekey_writer_encode appends them as the value of a
// form or a query: a byte that is not unreserved (RFC 3986 2.3) becomes %XX. It needs three free
// bytes in the buffer for each byte of the text, whatever the byte is.
void rekey_writer_put(struct rekey_writer *w, struct rekey_span text);
void rekey_writer_encode(struct rekey_writer *w, struct rekey_span text);

// Whether everything that was appended did fit.
bool rekey_writer_whole(const struct rekey_writer *w);

// Stores the server of the request, written as in Host fields and URLs, in values[0..2] of a form;
// the port is left out if it equals `usual`. `port` is the buffer for the digits of the port.
void rekey_credential_host(const struct rekey *r, uint16_t usual, char port[12],
                           struct rekey_span values[3]);

// For `answered`: the value of the answer's WWW-Authenticate field, in which a service names the
// proof that it requires. Empty if the field is missing or was too long.
struct rekey_span rekey_credential_authenticate(const struct rekey *r);

// The parameter `name` of the challenge with the scheme `scheme` in a WWW-Authenticate field,
// without quotation marks. Empty if there is no such parameter. Commas separate both challenges and
// their parameters, and may also occur inside quotation marks (RFC 9110 11.6.1).
struct rekey_span rekey_credential_challenge(struct rekey_span field, const char *scheme,
                                             const char *name);

#ifdef __cplusplus
}
#endif

#endif
