// verify.c - tells whether mbedTLS accepts signatures, in rekey's configuration and with
// rsa_public.c. A line of standard input is KIND HASH MASK_HASH SALT KEY MESSAGE SIGNATURE, of
// which the last three are in hexadecimal, with an x before; KIND is ecdsa, pkcs1 or pss. The
// answer is a line, "valid" or "invalid"; the line ends with "leak" if the arena is not intact
// afterwards. Used by vectors.py.

#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

static _Alignas(16) unsigned char memory[65536];
static unsigned char key[8192], message[131072], signature[8192];

static unsigned digit(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

// Returns the number of bytes. A text without an x, or one that is too long, ends the program.
static size_t unhex(const char *text, unsigned char *out, size_t cap) {
    size_t len;

    if (text == NULL || text[0] != 'x' || (len = strlen(text + 1) / 2) > cap) {
        fputs("verify: a line that is not understood\n", stderr);
        exit(2);
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (unsigned char)(digit(text[1 + 2 * i]) * 16 + digit(text[2 + 2 * i]));
    }
    return len;
}

static mbedtls_md_type_t hash_of(const char *name) {
    return strcmp(name, "SHA-256") == 0   ? MBEDTLS_MD_SHA256
           : strcmp(name, "SHA-384") == 0 ? MBEDTLS_MD_SHA384
                                          : MBEDTLS_MD_SHA512;
}

static bool is_valid(const char *kind, mbedtls_md_type_t hash, mbedtls_md_type_t mask_hash,
                     int salt, size_t key_len, size_t message_len, size_t signature_len) {
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(hash);
    mbedtls_pk_rsassa_pss_options pss = {.mgf1_hash_id = mask_hash, .expected_salt_len = salt};
    const bool is_pss = strcmp(kind, "pss") == 0;
    unsigned char digest[MBEDTLS_MD_MAX_SIZE];
    mbedtls_pk_context pk;
    int result;

    mbedtls_pk_init(&pk);
    result = mbedtls_pk_parse_public_key(&pk, key, key_len);
    if (result == 0) {
        result = mbedtls_md(info, message, message_len, digest);
    }
    if (result == 0) {
        result = mbedtls_pk_verify_ext(is_pss                       ? MBEDTLS_PK_RSASSA_PSS
                                       : strcmp(kind, "ecdsa") == 0 ? MBEDTLS_PK_ECDSA
                                                                    : MBEDTLS_PK_RSA,
                                       is_pss ? &pss : NULL, &pk, hash, digest,
                                       mbedtls_md_get_size(info), signature, signature_len);
    }
    mbedtls_pk_free(&pk);
    return result == 0;
}

// Whether the complete arena is free again, and zero.
static bool arena_is_whole(void) {
    unsigned char *all = rekey_arena_calloc(1, sizeof(memory) - REKEY_ARENA_ALIGN);

    rekey_arena_free(all);
    return all != NULL;
}

int main(void) {
    static char line[2 * (sizeof(key) + sizeof(message) + sizeof(signature)) + 128];

    rekey_arena_init(memory, sizeof(memory));
    while (fgets(line, sizeof(line), stdin) != NULL) {
        const char *kind = strtok(line, " ");
        const mbedtls_md_type_t hash = hash_of(strtok(NULL, " "));
        const mbedtls_md_type_t mask_hash = hash_of(strtok(NULL, " "));
        const int salt = atoi(strtok(NULL, " "));
        const size_t key_len = unhex(strtok(NULL, " "), key, sizeof(key));
        const size_t message_len = unhex(strtok(NULL, " "), message, sizeof(message));
        const size_t signature_len = unhex(strtok(NULL, " \n"), signature, sizeof(signature));
        const bool valid =
            is_valid(kind, hash, mask_hash, salt, key_len, message_len, signature_len);

        if (!arena_is_whole()) {
            puts("leak");
            return 1;
        }
        puts(valid ? "valid" : "invalid");
    }
    return 0;
}
