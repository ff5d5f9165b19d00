// secure_element.h - the driver that secure_element.c needs for a secure element with an RSA key: a
// TPM 2.0, an OPTIGA Trust M, an SE050. Each call returns 0, or another value if it failed.

#ifndef SECURE_ELEMENT_H
#define SECURE_ELEMENT_H

#include <stddef.h>

// Reads the certificate of the key, in DER, into der[0..cap); *len says how long it is.
int element_read_certificate(unsigned char *der, size_t cap, size_t *len);

// Signs a SHA-256 by RSASSA-PSS with SHA-256 and a salt of 32 bytes. The signature is as long as
// the key: 256 bytes for RSA-2048, at most 512.
int element_sign(const unsigned char sha256[32], unsigned char *signature, size_t *len);

#endif
