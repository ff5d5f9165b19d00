// pem.h - reads certificates and keys in text (RFC 7468), byte by byte. It accepts PEM files as
// people and tools write them: spaces and tabs around lines, a byte order mark, the line ends of
// every system or none at all, END and BEGIN on one line, text between the blocks. It does no input
// and output, and needs a buffer only for one decoded block.

#ifndef REKEY_PEM_H
#define REKEY_PEM_H

#include "span.h"

enum rekey_pem_event {
    REKEY_PEM_MORE,  // no block has ended
    REKEY_PEM_BLOCK, // a block has ended: label, der and len are valid until the next push
    REKEY_PEM_FAULTY // a block has ended that is damaged, cut off, or longer than the buffer
};

// The caller reads label, der, len and headers; the rest is private.
struct rekey_pem {
    unsigned char *der; // the caller's buffer; or NULL to get only the length of a block
    size_t cap, len;
    char label[32];        // of the block that has ended, such as "CERTIFICATE"
    bool headers;          // a faulty block has RFC 1421 headers, like an encrypted key
    bool inside, bad;      // a block has begun; it is faulty
    bool skipped;          // the block is not wanted, and its end is not reported
    bool fresh, text;      // only spaces since the line began; the rest of the line is text
    unsigned char marked;  // bytes in mark
    unsigned char begun;   // length of the label in `mark` of a block that begins; or 0
    unsigned char quantum; // base64 digits and padding of the current group of four
    unsigned char padding;
    uint32_t bits;
    char mark[64]; // a possible BEGIN or END line
};

void rekey_pem_init(struct rekey_pem *p, unsigned char *der, size_t cap);

// Reads the bytes at the beginning of `text` that can be processed together, and returns their
// number; pass the next byte, if there is one, to rekey_pem_push. This is optional, and only for
// speed.
size_t rekey_pem_push_many(struct rekey_pem *p, const char *text, size_t len);

// Skips the block that has begun: the rest of it is not decoded, and its end is not reported.
static inline void rekey_pem_skip(struct rekey_pem *p) {
    p->skipped = true;
}

// Reads the next byte of the text.
enum rekey_pem_event rekey_pem_push(struct rekey_pem *p, char c);

// Call it at the end of the text. Returns REKEY_PEM_FAULTY if a block has begun but not ended, else
// REKEY_PEM_MORE.
enum rekey_pem_event rekey_pem_end(struct rekey_pem *p);

// Whether the block is a certificate. Two of the accepted labels are from OpenSSL: X509 CERTIFICATE
// is an old name, and TRUSTED CERTIFICATE has data of OpenSSL behind the certificate, which must be
// ignored.
bool rekey_pem_is_certificate(const struct rekey_pem *p);

#endif
