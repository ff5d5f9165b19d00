// state_open.c - see state_open.h.

#include "state_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posix.h"
#include "text.h"
#include "volatile.h"

#define PROBE_SIZE 8192 // the most that a run may have to write

// Finds a group by its name in /etc/group, or by its number. The C library's lookup may use the
// network.
static bool find_group(const char *name, gid_t *group) {
    const size_t len = strlen(name);
    char line[512];
    size_t at = 0;
    char byte;
    int fd;
    int32_t number = rekey_number(rekey_span(name, len), 200000000);

    if (number >= 0) {
        *group = (gid_t)number;
        return true;
    }
    fd = rekey_posix_open("/etc/group", O_RDONLY, REKEY_POSIX_LINKS);
    while (fd >= 0 && read(fd, &byte, 1) == 1) {
        if (byte != '\n') {
            line[at] = byte;
            at += at < sizeof(line) - 1;
            continue;
        }
        line[at] = '\0';
        at = 0;
        if (strncmp(line, name, len) == 0 && line[len] == ':') { // name:password:number:members
            const char *second = strchr(line + len + 1, ':');

            *group = second != NULL ? (gid_t)strtoul(second + 1, NULL, 10) : REKEY_POSIX_NO_GROUP;
            close(fd);
            return second != NULL;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return false;
}

// Gives the key file the requested group, and removes the permissions of others. Without a
// requested group, the file keeps its group until the next key; with --rollback the next key gets
// that group as well.
static void correct_key_file(struct state *s) {
    int fd = rekey_posix_open(state_path(s, "key"), O_RDONLY, REKEY_POSIX_ONE_NAME);
    struct stat file;

    if (fd >= 0 && fstat(fd, &file) == 0) {
        if (s->keep_group && s->key_group == NULL && (file.st_mode & S_IRGRP) != 0) {
            s->group = file.st_gid;
        }
        if ((file.st_mode & S_IRWXO) != 0 ||
            (s->group != REKEY_POSIX_NO_GROUP &&
             ((file.st_mode & S_IRGRP) == 0 || s->group != file.st_gid))) {
            rekey_posix_set_mode(fd, s->group); // if this fails, the next key file gets it
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

// Removes the files that a killed run may leave, which may contain a key or a signed URL.
static bool remove_temporaries(struct state *s) {
    static const char *const names[] = {
        "key.tmp",       "key.previous.tmp", "state.tmp", "status.json.tmp",
        "operation.tmp", "probe.tmp",        "probe"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (unlink(state_path(s, names[i])) != 0 && errno != ENOENT) {
            return false;
        }
    }
    return true;
}

// Whether another version of rekey wrote status.json. A damaged file must not prevent a rotation.
static bool is_foreign(struct state *s) {
    static const char begin[] = "{\"format\":";
    const size_t len = sizeof(begin) - 1;
    size_t n;

    return rekey_posix_read_file(state_path(s, "status.json"), s->text, sizeof(s->text), &n,
                                 REKEY_POSIX_ONE_NAME) == 0 &&
           n > len + 1 && memcmp(s->text, begin, len) == 0 && memcmp(s->text + len, "1,", 2) != 0;
}

// Opens the lock, and gives it to the owner of the directory if it is new. A lock file with content
// is not ours, and a file with other hard links may belong to somebody else. Returns the
// descriptor, or -1 with errno set.
static int open_lock(struct state *s) {
    int fd = rekey_posix_open(state_path(s, "lock"), O_RDWR | O_CREAT, REKEY_POSIX_ONE_NAME);
    struct stat lock;

    if (fd >= 0 && s->owner != 0 && fstat(fd, &lock) == 0 && lock.st_size == 0 &&
        lock.st_uid != s->owner && fchown(fd, s->owner, (gid_t)-1) != 0) {
        s->lock_error = errno;
    }
    return fd;
}

// Writes as much as a run may have to write, to find out before anything is sent whether the
// directory has space for it. Removes the file in any case.
static bool probe(struct state *s) {
    static char filler[PROBE_SIZE];
    bool written = state_write(s, "probe", filler, sizeof(filler), s->group) == 0;

    if (unlink(state_path(s, "probe")) != 0 && written) {
        s->error = errno;
        s->what = "remove a file";
        return false;
    }
    return written;
}

static int refuse(const struct state *s, enum rekey_outcome outcome, const char *why,
                  struct fault *f) {
    return fault_set(f, outcome, REKEY_E_STORE, "--state '%s': %s", s->directory, why);
}

int state_open(struct state *s, struct fault *f) {
    struct stat directory;
    char reason[400];

    s->group = REKEY_POSIX_NO_GROUP;
    if (strlen(s->directory) > sizeof(s->path) - 32) {
        return fault_set(f, REKEY_USAGE, REKEY_E_STORE, "--state: the name is too long");
    }
    strcpy(s->operation_path, state_path(s, "operation"));
    s->operation->path = s->operation_path;
    s->operation->exclusive = true;
    if (s->key_group != NULL && !find_group(s->key_group, &s->group)) {
        return fault_set(f, REKEY_USAGE, REKEY_E_STORE, "--key-group '%s': there is no such group",
                         s->key_group);
    }
    if (geteuid() == 0 && stat(s->directory, &directory) == 0) {
        s->owner = s->operation->owner = directory.st_uid;
    }
    s->lock = open_lock(s);
    if (s->lock < 0) {
        return refuse(s, REKEY_LOCAL,
                      errno == ENOENT ? "there is no such directory: create it (mode 0700)"
                                      : file_error("open 'lock'", errno),
                      f);
    }
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        s->busy = errno == EWOULDBLOCK;
        return refuse(s, REKEY_LOCAL, s->busy ? "another run is using it" : "it cannot be locked",
                      f);
    }
    if (is_foreign(s)) {
        return fault_set(f, REKEY_LOCAL, REKEY_E_STORE,
                         "'%s/status.json': it was written by another version of rekey",
                         s->directory);
    }
    if (!s->volatile_ok && volatile_reason(s->directory, reason, sizeof(reason)) != NULL) {
        return fault_set(f, REKEY_USAGE, REKEY_E_STORE,
                         "--state '%s': %s: a restart may empty it, and the key would be lost; "
                         "--volatile-ok allows it",
                         s->directory, reason);
    }
    if (!s->check_only && !remove_temporaries(s)) {
        return fault_set(f, REKEY_LOCAL, REKEY_E_STORE, "'%s': %s", s->path,
                         file_error("remove it", errno));
    }
    if (!probe(s)) {
        return refuse(s, REKEY_LOCAL, file_error(s->what, s->error), f);
    }
    if (!s->check_only) {
        correct_key_file(s);
    }
    s->opened = true;
    return 0;
}
