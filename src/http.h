// http.h - an HTTP/1.1 client engine without I/O (RFC 9110, RFC 9112).
// It fills in the form of a request, and eats the bytes of one answer in pieces of any size. It
// decides framing and nothing else: what an answer means is for operation.c, and the fields that a
// caller wants are captured into the caller's buffers as they pass by, so that a head of any size
// up to REKEY_HEAD_MAX needs no memory of its own.

#ifndef REKEY_HTTP_H
#define REKEY_HTTP_H

#include "rekey_error.h"
#include "span.h"

#ifdef __cplusplus
extern "C" {
#endif

// Where the next byte of a request comes from. Starts zeroed.
struct rekey_http_cursor {
    uint16_t form;
    uint16_t value;
};

// Fills up to `cap` bytes of `buf` with what comes next of a request; returns how many, 0 at the
// end. The request is `form`, in which a byte 0x80 + n stands for values[n]. Whoever gives the
// values has seen to it that none holds a line end, and gives the same ones until the end.
size_t rekey_http_emit(const char *form, const struct rekey_span *values,
                       struct rekey_http_cursor *cursor, char *buf, size_t cap);

// Writes `value` in decimal to buf[0..9]; returns the number of digits.
size_t rekey_http_decimal(uint32_t value, char buf[10]);

// A field that the caller wants. Its value goes to buf[0..cap), without the white space around it;
// `len` counts the whole value even where it did not fit, so that len > cap means "too long".
// Two neighbours in the list may share a buffer: then it holds the value of the first of them.
struct rekey_http_field {
    const char *name; // lower case
    char *buf;
    uint16_t cap;
    uint16_t len; // a head is at most REKEY_HEAD_MAX
    uint8_t seen; // field lines of this name, held at 255; a second one overwrites the first
};

// One answer. Its fields are set by rekey_http_start; those below "results" are for the caller to
// read.
struct rekey_http {
    // results, valid once rekey_http_feed has returned REKEY_HTTP_HEAD
    bool keep;  // by version and Connection the connection can be used again
    bool coded; // the body has a Content-Encoding other than identity
    uint16_t status;
    // results, valid once it has returned REKEY_DONE
    uint16_t body_len;  // bytes kept in `body`
    uint32_t body_size; // bytes that the body had; larger than body_len when it was cut

    // For the caller to set between rekey_http_start and the first byte: no body follows the head,
    // as in the answer to CONNECT. Content-Length and Transfer-Encoding are fields like any others.
    bool unframed;

    uint8_t state;
    uint8_t next;    // the state that the LF of this line leads to
    uint8_t pos;     // place in the fixed part of the status line, or in a chunk line
    uint8_t minor;   // HTTP/1.minor
    uint8_t interim; // 1xx answers so far
    uint8_t own;     // which of the engine's own fields this line is
    uint8_t name_len;
    bool has_length, has_chunked, conn_close, conn_keep;
    bool trailers;
    int16_t error; // what a bad byte in this line is
    uint16_t field_count;
    uint16_t body_cap;
    uint16_t field_lines;
    uint16_t value_end; // length of the value without trailing white space
    struct rekey_http_field *fields;
    char *body;
    uint32_t head_size;
    uint32_t length;                  // Content-Length
    uint32_t remaining;               // bytes left of the body or of this chunk
    struct rekey_http_field *capture; // where this value goes; may be NULL
    struct rekey_http_field own_field;
    char name[30];  // NUL-terminated; names of up to 28 bytes can be told,
                    // x-ms-correlation-request-id has 27
    char value[40]; // of the engine's own fields
};

// What rekey_http_feed returns beside REKEY_AGAIN and REKEY_DONE (rekey_port.h).
#define REKEY_HTTP_HEAD 100

// Makes *h ready for one answer. `fields` and `body` stay the caller's; their lengths are reset.
void rekey_http_start(struct rekey_http *h, struct rekey_http_field *fields, size_t field_count,
                      char *body, size_t body_cap);

// Eats from the front of *in. Returns
//   REKEY_AGAIN      all of *in was eaten and the answer is not complete,
//   REKEY_HTTP_HEAD  the final answer's head is complete (once; call again to go on with the body),
//   REKEY_DONE       the answer is complete; what is left in *in does not belong to it,
//   REKEY_E_STATUS_LINE, REKEY_E_FIELD, REKEY_E_CONTENT_LENGTH, REKEY_E_TRANSFER_ENCODING,
//   REKEY_E_CHUNK, REKEY_E_LIMIT_HEAD, REKEY_E_LIMIT_FIELDS, REKEY_E_LIMIT_INTERIM,
//   REKEY_E_LIMIT_BODY: it is not an answer, or too much of one; *h must not be fed again.
// Between REKEY_HTTP_HEAD and the next call the caller may change `body` and `body_cap`.
int rekey_http_feed(struct rekey_http *h, struct rekey_span *in);

// Tells the engine that the stream ended in an orderly way. Returns REKEY_DONE if that completes
// the answer (a body delimited by the close), else REKEY_E_END.
int rekey_http_end(struct rekey_http *h);

#ifdef __cplusplus
}
#endif

#endif
