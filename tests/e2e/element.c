// element.c - the secure element of boards/examples/secure_element.c in the end-to-end tests. The
// test itself is the element, at the other end of the socket whose number is in ELEMENT. 'C' asks
// for the certificate; 'S' and a SHA-256 ask for a signature. An answer is its length in two bytes,
// big-endian, then the data; length 0 means failure.

#include "../../boards/examples/secure_element.h"

#include <stdlib.h>
#include <unistd.h>

// Reads exactly `len` bytes.
static int get(int fd, unsigned char *buf, size_t len) {
    while (len > 0) {
        ssize_t n = read(fd, buf, len);

        if (n <= 0) {
            return -1;
        }
        buf += n;
        len -= (size_t)n;
    }
    return 0;
}

static int ask(const void *question, size_t question_len, unsigned char *buf, size_t cap,
               size_t *len) {
    int fd = atoi(getenv("ELEMENT"));
    unsigned char length[2];

    if (write(fd, question, question_len) != (ssize_t)question_len ||
        get(fd, length, sizeof(length)) != 0) {
        return -1;
    }
    *len = (size_t)(length[0] << 8 | length[1]);
    return *len > 0 && *len <= cap ? get(fd, buf, *len) : -1;
}

int element_read_certificate(unsigned char *der, size_t cap, size_t *len) {
    return ask("C", 1, der, cap, len);
}

int element_sign(const unsigned char sha256[32], unsigned char *signature, size_t *len) {
    unsigned char question[33] = {'S'};

    for (int i = 0; i < 32; i++) {
        question[i + 1] = sha256[i];
    }
    return ask(question, sizeof(question), signature, 512, len);
}
