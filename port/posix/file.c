// file.c - files in directories that others can write to, too: they are opened without waiting, and
// replaced wholly or not at all.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix.h"

int rekey_posix_open(const char *path, int flags, unsigned what) {
    int links = (what & REKEY_POSIX_LINKS) != 0 ? 0 : O_NOFOLLOW;
    int fd = open(path, flags | links | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    int error = 0;
    struct stat s;

    if (fd < 0 || (what & (REKEY_POSIX_REGULAR | REKEY_POSIX_ONE_NAME)) == 0) {
        return fd;
    }
    if (fstat(fd, &s) != 0) {
        error = errno;
    } else if (!S_ISREG(s.st_mode)) {
        error = S_ISDIR(s.st_mode) ? EISDIR : ESPIPE;
    } else if ((what & REKEY_POSIX_ONE_NAME) != 0 && s.st_nlink > 1) {
        error = EMLINK;
    }
    if (error != 0) {
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

// Whether `error` means that the file system does not support the operation.
static bool is_unsupported(int error) {
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == ENOTTY;
}

// Calls fsync on the directory of `path`: without it a rename can be lost in a power cut. Some file
// systems have no fsync of a directory (CIFS before Linux 4.17, some of FUSE). Then nothing more
// can be done, and it is not an error.
static int sync_directory(const char *path) {
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    int fd, result;

    memcpy(directory, slash == NULL ? "." : path, len);
    directory[len] = '\0';
    fd = rekey_posix_open(directory, O_RDONLY | O_DIRECTORY, REKEY_POSIX_LINKS);
    if (fd < 0) {
        return -1;
    }
    result = fsync(fd);
    if (result != 0 && (is_unsupported(errno) || errno == EBADF)) {
        result = 0; // EBADF: this file system cannot sync a descriptor for reading
    }
    close(fd);
    return result;
}

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n >= 0) {
            data += n;
            len -= (size_t)n;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return fsync(fd);
}

// Gives the file `temporary` the name `path`, unless that file exists. link() and RENAME_NOREPLACE
// are atomic. FAT has no hard links; NFS and many FUSE file systems have no RENAME_NOREPLACE. If
// the file system has neither, an empty file is created with O_EXCL to reserve the name, and is
// then replaced. A power cut between the two leaves an empty file, which is later refused as
// damaged.
static int put_new(const char *temporary, const char *path) {
    int fd, error;

    if (link(temporary, path) == 0) {
        return 0;
    }
    if (!is_unsupported(errno) && errno != EPERM && errno != EACCES && errno != EMLINK) {
        return -1;
    }
    if (syscall(SYS_renameat2, AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (!is_unsupported(errno) && errno != EPERM) {
        return -1;
    }
    fd = rekey_posix_open(path, O_WRONLY | O_CREAT | O_EXCL, 0);
    if (fd < 0) {
        return -1;
    }
    close(fd);
    if (rename(temporary, path) != 0) {
        error = errno;
        unlink(path);
        errno = error;
        return -1;
    }
    return 0;
}

// Creates a new file. A file that already has this name is removed, whoever created it, and never
// opened.
static int create(const char *path) {
    int fd = -1;

    for (int tries = 0; tries < 2; tries++) {
        unlink(path);
        fd = rekey_posix_open(path, O_WRONLY | O_CREAT | O_EXCL, 0);
        if (fd >= 0 || errno != EEXIST) {
            break;
        }
    }
    return fd;
}

int rekey_posix_set_mode(int fd, gid_t group) {
    if (group == REKEY_POSIX_NO_GROUP) {
        return fchmod(fd, 0600);
    }
    return fchown(fd, (uid_t)-1, group) != 0 ? -1 : fchmod(fd, 0640);
}

// Writes the temporary file. Returns NULL, or the step that failed.
static const char *fill(int fd, const void *data, size_t len, uid_t owner, gid_t group) {
    if (group != REKEY_POSIX_NO_GROUP && rekey_posix_set_mode(fd, group) != 0) {
        return "give the file to its group";
    }
    if (owner != 0 && fchown(fd, owner, (gid_t)-1) != 0) {
        return "give the file to the owner of the directory";
    }
    return write_all(fd, data, len) != 0 ? "write the file" : NULL;
}

const char *rekey_posix_write_file(const char *path, const void *data, size_t len, unsigned how,
                                   uid_t owner, gid_t group) {
    const bool new = (how & REKEY_POSIX_NEW) != 0;
    const char *what;
    char temporary[PATH_MAX];
    int n = (how & REKEY_POSIX_ALONE) != 0
                ? snprintf(temporary, sizeof(temporary), "%s.tmp", path)
                : snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid());
    int fd, error;

    if ((size_t)n >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return "create the temporary file";
    }
    fd = create(temporary);
    if (fd < 0) {
        return "create the temporary file";
    }
    what = fill(fd, data, len, owner, group);
    error = errno;
    if (close(fd) != 0 && what == NULL) {
        what = "write the file";
        error = errno;
    }
    if (what == NULL && (new ? put_new(temporary, path) : rename(temporary, path)) != 0) {
        what = "give the file its name";
        error = errno;
    }
    if (what != NULL || new) {
        unlink(temporary);
    }
    if (what == NULL && sync_directory(path) != 0) {
        what = "sync the directory";
        error = errno;
        if (new) {
            unlink(path); // after an error the file must not exist
        }
    }
    errno = error;
    return what;
}

int rekey_posix_read_file(const char *path, void *buf, size_t cap, size_t *len, unsigned what) {
    int fd = rekey_posix_open(path, O_RDONLY, what | REKEY_POSIX_REGULAR);
    int error = 0;
    struct stat s;
    ssize_t n = 0;

    *len = 0;
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &s) != 0) {
        error = errno;
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
