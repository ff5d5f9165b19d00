// pem.h - takes certificates and keys out of text (RFC 7468), one byte after the other.
// It reads what people and tools make of PEM files: blanks and tabs around lines, a byte order
// mark, the line ends of every system or none at all, an END and a BEGIN on one line, text between
// the blocks. It does no input and output, and needs a buffer only for one decoded block.

#ifndef REKEY_PEM_H
#define REKEY_PEM_H

#include "span.h"

enum rekey_pem_event {
    REKEY_PEM_MORE,  // nothing has ended
    REKEY_PEM_BLOCK, // a block has ended: label, der and len are valid until the next push
    REKEY_PEM_FAULTY // a block has ended that is damaged, cut off or longer than the buffer
};

// The caller reads label, der, len and headers; the rest is private.
struct rekey_pem {
    unsigned char *der; // the caller's buffer; or NULL, to learn only how long a block is
    size_t cap, len;
    char label[32];        // of the block that has ended, as "CERTIFICATE"
    bool headers;          // a faulty block has RFC 1421 headers, as encrypted keys have
    bool inside, bad;      // a block was begun; it is faulty
    bool passed;           // it is not wanted: its end is no event
    bool fresh, text;      // only blanks since the line began; the rest of the line is text
    unsigned char marked;  // bytes in mark
    unsigned char begun;   // length of the label in mark, of a block that begins; or 0
    unsigned char quantum; // base64 digits and padding of the current group of four
    unsigned char padding;
    uint32_t bits;
    char mark[64]; // what may become a BEGIN or END line
};

void rekey_pem_init(struct rekey_pem *p, unsigned char *der, size_t cap);

// Takes what needs no look at each byte, from the beginning of `text`, and returns how many bytes
// that were; the one behind them, if there is one, is for rekey_pem_push. This is for speed alone:
// between pushes, or not at all.
size_t rekey_pem_take(struct rekey_pem *p, const char *text, size_t len);

// The block that was begun is not wanted: the rest of it is not decoded, and its end not reported.
static inline void rekey_pem_pass(struct rekey_pem *p) {
    p->passed = true;
}

// Takes the next byte of the text.
enum rekey_pem_event rekey_pem_push(struct rekey_pem *p, char c);

// The text has ended: REKEY_PEM_FAULTY if a block had been begun, else REKEY_PEM_MORE.
enum rekey_pem_event rekey_pem_end(struct rekey_pem *p);

// Whether the block is a certificate. Two of the labels are OpenSSL's: X509 CERTIFICATE is an old
// name, and TRUSTED CERTIFICATE has data of OpenSSL's own behind the certificate, to be ignored.
bool rekey_pem_is_certificate(const struct rekey_pem *p);

#endif
