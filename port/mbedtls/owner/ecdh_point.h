// ecdh_point.h - included before mbedTLS's ecdh.c (and no other file) by mbedtls.mk. The
// multiplication of a point needs 3 KB of memory for P-256, and 7 KB for P-521. It uses the memory
// that is lent for a key exchange (lend.h), if there is any; only the resulting point is allocated
// in the arena.

#include "common.h"

#include <mbedtls/ecp.h>

static inline int rekey_ecp_mul(mbedtls_ecp_group *group, mbedtls_ecp_point *result,
                                const mbedtls_mpi *factor, const mbedtls_ecp_point *point,
                                int (*random)(void *, unsigned char *, size_t), void *ctx) {
    mbedtls_ecp_point product;
    int code;

    mbedtls_ecp_point_init(&product);
    rekey_arena_use_lent(1);
    code = mbedtls_ecp_mul(group, &product, factor, point, random, ctx);
    rekey_arena_use_lent(0);
    if (code == 0) {
        code = mbedtls_ecp_copy(result, &product);
    }
    mbedtls_ecp_point_free(&product);
    return code;
}

#define mbedtls_ecp_mul_restartable(group, result, factor, point, random, ctx, restart)            \
    rekey_ecp_mul(group, result, factor, point, random, ctx)
