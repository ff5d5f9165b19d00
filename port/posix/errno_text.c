// errno_text.c - texts for errno values.

#include <errno.h>
#include <stdio.h>

#include "posix.h"

// The errors that can occur in this folder and in the command. The texts of ESPIPE and EMLINK are
// for the meanings that rekey_posix_open gives them.
#define ERRORS(X)                                                                                  \
    X(EPERM, "Operation not permitted")                                                            \
    X(ENOENT, "No such file or directory")                                                         \
    X(EIO, "Input/output error")                                                                   \
    X(ENXIO, "No such device or address")                                                          \
    X(ENOEXEC, "Exec format error")                                                                \
    X(EBADF, "Bad file descriptor")                                                                \
    X(EAGAIN, "Resource temporarily unavailable")                                                  \
    X(ENOMEM, "Cannot allocate memory")                                                            \
    X(EACCES, "Permission denied")                                                                 \
    X(EBUSY, "Device or resource busy")                                                            \
    X(EEXIST, "File exists")                                                                       \
    X(EXDEV, "Invalid cross-device link")                                                          \
    X(ENOTDIR, "Not a directory")                                                                  \
    X(EISDIR, "Is a directory")                                                                    \
    X(EINVAL, "Invalid argument")                                                                  \
    X(EMFILE, "Too many open files")                                                               \
    X(EFBIG, "File too large")                                                                     \
    X(ESPIPE, "Not a regular file")                                                                \
    X(ENOSPC, "No space left on device")                                                           \
    X(EROFS, "Read-only file system")                                                              \
    X(EMLINK, "It has other hard links")                                                           \
    X(EPIPE, "Broken pipe")                                                                        \
    X(ENAMETOOLONG, "File name too long")                                                          \
    X(ENOSYS, "Function not implemented")                                                          \
    X(ELOOP, "Too many levels of symbolic links")                                                  \
    X(EMSGSIZE, "Message too long")                                                                \
    X(EOPNOTSUPP, "Operation not supported")                                                       \
    X(EAFNOSUPPORT, "Address family not supported")                                                \
    X(EADDRNOTAVAIL, "Cannot assign requested address")                                            \
    X(ENETUNREACH, "Network is unreachable")                                                       \
    X(ECONNRESET, "Connection reset by peer")                                                      \
    X(ETIMEDOUT, "Connection timed out")                                                           \
    X(ECONNREFUSED, "Connection refused")                                                          \
    X(EHOSTUNREACH, "No route to host")

// glibc's strerror may use the heap, and musl's table of all texts is larger. This string has all
// texts, each with its NUL, in the order of `numbers`.
const char *rekey_posix_error_text(int number) {
#define NUMBER(number, word) number,
#define WORD(number, word) word "\0"
    static const uint8_t numbers[] = {ERRORS(NUMBER)};
    static const char words[] = ERRORS(WORD);
#undef NUMBER
#undef WORD
    static char other[24];
    const char *word = words;

    for (size_t i = 0; i < sizeof(numbers); i++) {
        if (numbers[i] == number) {
            return word;
        }
        word += strlen(word) + 1;
    }
    snprintf(other, sizeof(other), "error number %d", number);
    return other;
}
