// pem_bundle.c - reads the certificates of a PEM bundle, one after the other. A certificate that is
// damaged or too large is skipped and counted.

#include "pem_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "der.h"
#include "pem.h"
#include "posix.h"

// Closes the descriptors after an error without changing errno.
static int fail(int fd, int copy) {
    int error = errno;

    close(fd);
    if (copy >= 0) {
        close(copy);
    }
    errno = error;
    return -1;
}

// Copies all data from `fd`, and closes it. Returns the descriptor of the copy, or -1 with errno
// set.
static int copy_of(const struct rekey_pem_bundle *bundle, int fd) {
    int copy = memfd_create("rekey anchors", MFD_CLOEXEC);
    size_t total = 0;
    char buf[512];

    while (copy >= 0) {
        ssize_t n = rekey_posix_read(fd, buf, sizeof(buf), bundle->until, bundle->unblocked);

        if (n == 0) {
            close(fd);
            return copy;
        }
        total += n > 0 ? (size_t)n : 0;
        if (total > REKEY_PEM_PIPE_MAX) {
            errno = EFBIG;
            break;
        }
        if (n < 0 || write(copy, buf, (size_t)n) != n) { // no short write, because it is memory
            break;
        }
    }
    return fail(fd, copy);
}

// Opens the bundle at its beginning. Returns the descriptor, or -1 with errno set.
static int open_bundle(struct rekey_pem_bundle *bundle) {
    struct stat s;
    int fd;

    if (bundle->copy < 0) {
        fd = rekey_posix_open(bundle->path, O_RDONLY, REKEY_POSIX_LINKS);
        if (fd < 0 || fstat(fd, &s) != 0 || S_ISREG(s.st_mode)) {
            return fd;
        }
        bundle->copy = copy_of(bundle, fd);
    }
    return bundle->copy >= 0 && lseek(bundle->copy, 0, SEEK_SET) == 0 ? bundle->copy : -1;
}

// In most certificates, the subject is in this many first bytes.
#define SUBJECT_END 240

// Whether the certificate that is being read has another subject than the wanted one, as most
// certificates of a bundle have. The rest of it is then not decoded.
static bool is_other(const struct rekey_pem *pem, struct rekey_span subject) {
    struct rekey_span own;

    if (subject.ptr == NULL || !pem->inside || pem->skipped || pem->len < SUBJECT_END ||
        pem->len > pem->cap || !rekey_pem_is_certificate(pem)) {
        return false;
    }
    own = rekey_der_subject(rekey_span((const char *)pem->der, pem->len));
    return own.ptr != NULL && !rekey_der_same_name(own, subject);
}

// Calls `found` for the certificates with this subject, or for all if subject.ptr is NULL. Returns
// false with errno set if the bundle cannot be read.
static bool each(struct rekey_pem_bundle *bundle, struct rekey_span subject,
                 int (*found)(void *arg, struct rekey_span der), void *arg, int *result) {
    int fd = open_bundle(bundle);
    struct rekey_pem pem;
    enum rekey_pem_event event = REKEY_PEM_MORE;
    char buf[4096];
    ssize_t n = 0;

    if (fd < 0) {
        return false;
    }
    bundle->passed_over = 0;
    rekey_pem_init(&pem, bundle->der, sizeof(bundle->der));
    *result = 0;
    while (*result == 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
        for (size_t i = 0; i < (size_t)n && *result == 0; i++) {
            struct rekey_span der, own, rest;
            struct rekey_der whole;
            size_t taken = rekey_pem_push_many(&pem, buf + i, (size_t)n - i);

            i += taken;
            if (taken > 0 && is_other(&pem, subject)) {
                rekey_pem_skip(&pem);
            }
            event = i < (size_t)n ? rekey_pem_push(&pem, buf[i]) : REKEY_PEM_MORE;
            if (event == REKEY_PEM_MORE || !rekey_pem_is_certificate(&pem)) {
                continue;
            }
            der = rest = rekey_span((const char *)pem.der, pem.len);
            own = rekey_span(NULL, 0);
            if (event == REKEY_PEM_BLOCK && rekey_der_read(&rest, &whole)) {
                der.len -= rest.len; // bytes behind it are not part of the certificate
                own = rekey_der_subject(der);
            }
            if (own.ptr == NULL) {
                bundle->passed_over++;
                continue;
            }
            if (subject.ptr == NULL || rekey_der_same_name(own, subject)) {
                *result = found(arg, der);
            }
        }
    }
    if (n == 0 && rekey_pem_end(&pem) == REKEY_PEM_FAULTY && rekey_pem_is_certificate(&pem)) {
        bundle->passed_over++;
    }
    if (n < 0) {
        fail(fd, -1);
        bundle->copy = fd == bundle->copy ? -1 : bundle->copy;
        return false;
    }
    if (fd != bundle->copy) {
        close(fd);
    }
    return true;
}

static int find(void *ctx, struct rekey_span subject,
                int (*found)(void *arg, struct rekey_span der), void *arg) {
    int result;

    return each(ctx, subject, found, arg, &result) ? result : REKEY_E_NO_ANCHORS;
}

struct rekey_anchors rekey_pem_bundle(struct rekey_pem_bundle *bundle, const char *path) {
    bundle->path = path;
    bundle->until = rekey_posix_now_ms(NULL) + 100000;
    bundle->unblocked = NULL;
    bundle->copy = -1;
    return (struct rekey_anchors){.ctx = bundle, .find = find, .passed_over = &bundle->passed_over};
}

static int stop_at_first(void *arg, struct rekey_span der) {
    (void)arg;
    (void)der;
    return 1;
}

bool rekey_pem_bundle_usable(struct rekey_pem_bundle *bundle) {
    int result = 0;

    if (!each(bundle, rekey_span(NULL, 0), stop_at_first, NULL, &result)) {
        return false;
    }
    errno = 0;
    return result == 1;
}
