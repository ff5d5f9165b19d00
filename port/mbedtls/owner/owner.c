// owner.c - the platform functions of mbedTLS: time and randomness, which mbedTLS calls without a
// context. It also gives tls.c data from private fields of mbedTLS.

#include "owner.h"

#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#if REKEY_TLS13
#include <psa/crypto.h>
#endif

#include "arena.h"
#include "peer.h"

// All of mbedTLS must use the arena; otherwise there would be two allocators in the image.
#define IS_OURS(name) PASTE(OURS_, name)
#define PASTE(a, b) a##b
#define OURS_rekey_arena_calloc 1
#if !defined(MBEDTLS_PLATFORM_CALLOC_MACRO) || IS_OURS(MBEDTLS_PLATFORM_CALLOC_MACRO) != 1
#error "MBEDTLS_PLATFORM_CALLOC_MACRO: owner.c is for an mbedTLS that allocates in its arena"
#endif
#ifdef MBEDTLS_MEMORY_BUFFER_ALLOC_C
#error "MBEDTLS_MEMORY_BUFFER_ALLOC_C: a second allocator beside the arena"
#endif

static_assert(REKEY_ARENA_SIZE <= REKEY_ARENA_MAX,
              "REKEY_ARENA_SIZE: an arena has at most REKEY_ARENA_MAX bytes (arena.h)");

static struct {
    const struct rekey_port *port;
    void *arena;
    size_t arena_size;
} owner;

void rekey_mbedtls_init(const struct rekey_port *port, void *arena, size_t arena_size) {
    owner.port = port;
    owner.arena = arena;
    owner.arena_size = arena_size;
    rekey_arena_init(arena, arena_size);
}

void rekey_mbedtls_free(void) {
#if REKEY_TLS13
    mbedtls_psa_crypto_free();
#endif
    rekey_arena_init(NULL, 0);
    mbedtls_platform_zeroize(owner.arena, owner.arena_size);
}

time_t rekey_owner_time(time_t *out) {
    time_t t = (time_t)owner.port->wall_s(owner.port->ctx);

    if (out != NULL) {
        *out = t;
    }
    return t;
}

mbedtls_ms_time_t mbedtls_ms_time(void) {
    return (mbedtls_ms_time_t)owner.port->now_ms(owner.port->ctx);
}

// The C library's gmtime_r reads the time zone from a file, and allocates. Here a year begins in
// March, so that its leap day is its last day, and 400 years are an era of 146,097 days.
struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *t, struct tm *out) {
    int64_t days = (int64_t)*t / 86400;
    int64_t seconds = (int64_t)*t % 86400;
    int64_t z, era, day_of_era, year_of_era, day_of_year, month;

    if (seconds < 0) {
        seconds += 86400;
        days--;
    }
    z = days + 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    day_of_era = z - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153;
    memset(out, 0, sizeof(*out));
    out->tm_mday = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->tm_mon = (int)(month < 10 ? month + 2 : month - 10);
    out->tm_year = (int)(year_of_era + era * 400 + (month < 10 ? 0 : 1) - 1900);
    out->tm_hour = (int)(seconds / 3600);
    out->tm_min = (int)(seconds / 60 % 60);
    out->tm_sec = (int)(seconds % 60);
    return out;
}

#if REKEY_TLS13
// For the keys that PSA generates. TLS uses the randomness of its own port (tls.c).
psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *ctx,
                                             uint8_t *buf, size_t size, size_t *len) {
    (void)ctx;
    *len = size;
    return owner.port->entropy(owner.port->ctx, buf, size) == REKEY_DONE
               ? PSA_SUCCESS
               : PSA_ERROR_INSUFFICIENT_ENTROPY;
}
#endif

// ---- for tls.c and peer.c (library.h) -----------------------------------------------------------

size_t rekey_owner_shortage(void) {
    return rekey_arena_failed() ? rekey_arena_needed() : 0;
}

// mbedTLS joins the parts of a long message in its input buffer, behind the counter (8 bytes) and
// the header (5 bytes) of the first record.
struct rekey_tls_message rekey_owner_last_message(const mbedtls_ssl_context *ssl) {
    const size_t whole = ssl->MBEDTLS_PRIVATE(in_hslen);
    const bool joined = whole > MBEDTLS_SSL_IN_CONTENT_LEN;
    const struct rekey_tls_message m = {
        .record = ssl->MBEDTLS_PRIVATE(in_msgtype),
        .len = ssl->MBEDTLS_PRIVATE(in_msglen),
        .type = joined ? ssl->MBEDTLS_PRIVATE(in_buf)[8 + 5] : ssl->MBEDTLS_PRIVATE(in_msg)[0],
        .whole = whole,
    };

    return m;
}
