// http.h - an HTTP/1.1 client engine without I/O (RFC 9110, RFC 9112). It fills in the form of a
// request, and parses the bytes of one answer in pieces of any size. It decides only the framing;
// operation.c decides what an answer means. The values of the fields that the caller wants are
// copied to the caller's buffers as they arrive, so that no memory is needed for the head as a
// whole, up to REKEY_HEAD_MAX bytes.

#ifndef REKEY_HTTP_H
#define REKEY_HTTP_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// The position in a request that is being sent. Zero it before the first call.
struct rekey_http_cursor {
    uint16_t form;
    uint16_t value;
};

// Writes the next bytes of a request to buf[0..cap); returns how many, 0 at the end of the request.
// The request is `form`, in which a byte 0x80 + n stands for values[n]. The caller must make sure
// that no value contains a line end, and must pass the same form and values in all calls for one
// request.
size_t rekey_http_emit(const char *form, const struct rekey_span *values,
                       struct rekey_http_cursor *cursor, char *buf, size_t cap);

// Writes `value` in decimal to buf[0..9]; returns the number of digits.
size_t rekey_http_decimal(uint32_t value, char buf[10]);

// A field that the caller wants. Its value is stored in buf[0..cap), without the white space around
// it. `len` is the length of the whole value even if it did not fit, so that len > cap means "too
// long". Two adjacent fields of the list may share a buffer: if the answer contains both fields,
// the buffer holds the value of the field that is earlier in the list, whatever their order.
struct rekey_http_field {
    const char *name; // lower case
    char *buf;
    uint16_t cap;
    uint16_t len; // a head is at most REKEY_HEAD_MAX
    uint8_t seen; // field lines of this name, at most 255; a later one overwrites `buf`
};

// One answer. rekey_http_start sets its fields; the caller reads those below "results".
struct rekey_http {
    // results, valid once rekey_http_feed has returned REKEY_HTTP_HEAD
    bool keep;  // the version and the Connection field allow another request on this connection
    bool coded; // the body has a Content-Encoding other than identity
    uint16_t status;
    // results, valid once it has returned REKEY_DONE
    uint16_t body_len;  // bytes kept in `body`
    uint32_t body_size; // bytes of the whole body; larger than body_len if the body was cut

    // The caller sets `unframed` between rekey_http_start and the first byte if no body follows the
    // head, as in the answer to CONNECT. Content-Length and Transfer-Encoding are then fields like
    // any other.
    bool unframed;

    uint8_t state;
    uint8_t next;    // the state that the LF of this line leads to
    uint8_t pos;     // position in the fixed part of the status line, or in a chunk line
    uint8_t minor;   // HTTP/1.minor
    uint8_t interim; // 1xx answers so far
    uint8_t own;     // which of the engine's own fields this line is
    uint8_t name_len;
    bool has_length, has_chunked, conn_close, conn_keep;
    bool trailers;
    int16_t error; // the error if this line has a bad byte
    uint16_t field_count;
    uint16_t body_cap;
    uint16_t field_lines;
    uint16_t value_end; // length of the value without trailing white space
    struct rekey_http_field *fields;
    char *body;
    uint32_t head_size;
    uint32_t length;                  // Content-Length
    uint32_t remaining;               // bytes of the body or of this chunk that have not come yet
    struct rekey_http_field *capture; // where this value goes; may be NULL
    struct rekey_http_field own_field;
    char name[30];  // NUL-terminated. Names of up to 28 bytes can be distinguished:
                    // x-ms-correlation-request-id has 27
    char value[40]; // of the engine's own fields
};

// A result of rekey_http_feed besides REKEY_AGAIN and REKEY_DONE (rekey_port.h).
#define REKEY_HTTP_HEAD 100

// Prepares *h for one answer. `fields` and `body` belong to the caller and must stay valid until
// the answer is complete. The lengths of the fields are set to 0.
void rekey_http_start(struct rekey_http *h, struct rekey_http_field *fields, size_t field_count,
                      char *body, size_t body_cap);

// Parses bytes from the front of *in and removes them from it. Returns
//   REKEY_AGAIN      all of *in was eaten and the answer is not complete,
//   REKEY_HTTP_HEAD  the final answer's head is complete (once; call again to continue with the
//   body), REKEY_DONE       the answer is complete; the rest of *in does not belong to it,
//   REKEY_E_STATUS_LINE, REKEY_E_FIELD, REKEY_E_CONTENT_LENGTH, REKEY_E_TRANSFER_ENCODING,
//   REKEY_E_CHUNK, REKEY_E_LIMIT_HEAD, REKEY_E_LIMIT_FIELDS, REKEY_E_LIMIT_INTERIM,
//   REKEY_E_LIMIT_BODY: it is not an answer, or too much of one; *h must not be fed again.
// Between REKEY_HTTP_HEAD and the next call the caller may change `body` and `body_cap`.
int rekey_http_feed(struct rekey_http *h, struct rekey_span *in);

// Tells the engine that the peer closed the stream in an orderly way. Returns REKEY_DONE if the
// close completes the answer (a body without a length), else REKEY_E_END.
int rekey_http_end(struct rekey_http *h);

#ifdef __cplusplus
}
#endif

#endif
