// file.c - a file that is replaced whole, or not at all.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix.h"

// fsync of the directory that holds `path`: without it a rename can be lost.
static int sync_directory(const char *path) {
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    int fd, result;

    memcpy(directory, slash == NULL ? "." : path, len);
    directory[len] = '\0';
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    result = fsync(fd);
    close(fd);
    return result;
}

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return fsync(fd);
}

// link() and RENAME_NOREPLACE fail where the file exists, and are atomic. The one is not there on
// FAT, the other not on NFS.
static int put_new(const char *temporary, const char *path) {
    if (link(temporary, path) == 0) {
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP) {
        return -1;
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE);
}

int rekey_posix_set_mode(int fd, gid_t group) {
    if (group == REKEY_POSIX_NO_GROUP) {
        return fchmod(fd, 0600);
    }
    return fchown(fd, (uid_t)-1, group) != 0 ? -1 : fchmod(fd, 0640);
}

int rekey_posix_write_file(const char *path, const void *data, size_t len, unsigned how,
                           gid_t group) {
    const bool create = (how & REKEY_POSIX_NEW) != 0;
    char temporary[PATH_MAX];
    int n = (how & REKEY_POSIX_ALONE) != 0
                ? snprintf(temporary, sizeof(temporary), "%s.tmp", path)
                : snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
    int fd, error;

    if (n < 0 || (size_t)n >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    if (group != REKEY_POSIX_NO_GROUP && rekey_posix_set_mode(fd, group) != 0) {
        error = errno;
        close(fd);
        unlink(temporary);
        errno = error;
        return -1;
    }
    error = write_all(fd, data, len) != 0 ? errno : 0;
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && (create ? put_new(temporary, path) : rename(temporary, path)) != 0) {
        error = errno;
    }
    if (error != 0 || create) {
        unlink(temporary);
    }
    if (error == 0 && sync_directory(path) != 0) {
        error = errno;
        if (create) {
            unlink(path); // it must not say that something was begun
        }
    }
    errno = error;
    return error == 0 ? 0 : -1;
}

int rekey_posix_read_file(const char *path, void *buf, size_t cap, size_t *len) {
    // Not to wait for the writer of a pipe, which is refused below.
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int error = 0;
    struct stat s;
    ssize_t n = 0;

    *len = 0;
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &s) != 0) {
        error = errno;
    } else if (!S_ISREG(s.st_mode)) {
        error = S_ISDIR(s.st_mode) ? EISDIR : EINVAL;
    } else if (s.st_size > (off_t)cap) {
        error = EFBIG;
    }
    while (error == 0 && *len < cap && (n = read(fd, (char *)buf + *len, cap - *len)) != 0) {
        if (n > 0) {
            *len += (size_t)n;
        } else if (errno != EINTR) {
            error = errno;
        }
    }
    close(fd);
    errno = error;
    return error == 0 ? 0 : -1;
}
