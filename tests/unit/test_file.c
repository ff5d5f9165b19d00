// test_file.c - port/posix/file.c: the files that it opens and refuses, file systems that lack an
// operation, and another process that changes the same directory at the same time. file.c is
// compiled into this test, so that single system calls can be made to fail.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posix.h"
#include "support.h"

// The errno with which each call fails; 0 lets it work.
static struct fault {
    int link, rename_new, rename, sync_directory, sync_file, give, close, transfer;
    bool in_pieces;          // the first read or write is interrupted, the next ones are short
    int planted;             // how often a file that was removed is there again at once
    int transfers, removals; // how many there were
    ino_t synced;            // the directory
} fault;

static bool fails(int error) {
    errno = error;
    return error != 0;
}

static int test_link(const char *from, const char *to) {
    return fails(fault.link) ? -1 : link(from, to);
}

static int test_rename_new(int number, int at, const char *from, int at_too, const char *to,
                           unsigned flags) {
    return fails(fault.rename_new) ? -1 : (int)syscall(number, at, from, at_too, to, flags);
}

static int test_rename(const char *from, const char *to) {
    return fails(fault.rename) ? -1 : rename(from, to);
}

static int test_fchown(int fd, uid_t user, gid_t group) {
    return fails(fault.give) ? -1 : fchown(fd, user, group);
}

// Nothing here must survive a power cut, and ten thousand real fsyncs take minutes.
static int test_fsync(int fd) {
    struct stat s;
    bool directory = fstat(fd, &s) == 0 && S_ISDIR(s.st_mode);

    fault.synced = directory ? s.st_ino : fault.synced;
    return fails(directory ? fault.sync_directory : fault.sync_file) ? -1 : 0;
}

static int test_close(int fd) {
    return close(fd) != 0 || (fault.close != 0 && fails(fault.close)) ? -1 : 0;
}

// Whether the next read or write fails.
static bool transfer_fails(void) {
    fault.transfers++;
    return fails(fault.transfer != 0 || !fault.in_pieces || fault.transfers > 1 ? fault.transfer
                                                                                : EINTR);
}

static ssize_t test_write(int fd, const void *data, size_t len) {
    if (transfer_fails()) {
        return -1;
    }
    return write(fd, data, fault.in_pieces ? fault.transfers > 2 : len); // the first: nothing
}

static ssize_t test_read(int fd, void *buf, size_t cap) {
    if (transfer_fails()) {
        return -1;
    }
    return read(fd, buf, fault.in_pieces && fault.transfers < 4 && cap > 0 ? 1 : cap);
}

static int test_unlink(const char *path) {
    int result = unlink(path), error = errno;

    fault.removals++;
    if (fault.planted > 0) {
        fault.planted--;
        close(open(path, O_WRONLY | O_CREAT, 0600));
    }
    errno = error;
    return result;
}

// The port's own functions are linked as well.
#define rekey_posix_open test_open
#define rekey_posix_write_file test_write_file
#define rekey_posix_read_file test_read_file
#define rekey_posix_set_mode test_set_mode
#define link test_link
#define rename test_rename
#define fchown test_fchown
#define fsync test_fsync
#define syscall test_rename_new
#define close test_close
#define read test_read
#define write test_write
#define unlink test_unlink
#include "file.c"
#undef link
#undef rename
#undef fchown
#undef fsync
#undef syscall
#undef close
#undef read
#undef write
#undef unlink

#define OURS "what is written"
#define VICTIM "somebody's own"

// ---- a directory of its own ---------------------------------------------------------------------

static char home[PATH_MAX];

static int enter(void **state) {
    const char *where = getenv("TMPDIR");

    (void)state;
    snprintf(home, sizeof(home), "%s/rekey-file-XXXXXX", where != NULL ? where : "/tmp");
    umask(0022);
    alarm(120); // what waits for ever fails
    return mkdtemp(home) != NULL && chdir(home) == 0 ? 0 : -1;
}

static void clear(void) {
    DIR *directory = opendir(".");
    struct dirent *entry;

    while ((entry = readdir(directory)) != NULL) {
        if (unlink(entry->d_name) != 0) {
            rmdir(entry->d_name);
        }
    }
    closedir(directory);
    fault = (struct fault){0};
}

static int leave(void **state) {
    clear();
    rmdir(home);
    return rows_total(state);
}

// How many files there are.
static int files(void) {
    DIR *directory = opendir(".");
    int n = -2;

    while (readdir(directory) != NULL) {
        n++;
    }
    closedir(directory);
    return n;
}

static void put(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        check(false);
    }
    close(fd);
}

static bool holds(const char *name, const char *text) {
    char buf[64];
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    ssize_t n = read(fd, buf, sizeof(buf));

    close(fd);
    return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

enum planted { NOTHING, A_FILE, FIFO, LINK, DANGLING, HARD_LINK, DIRECTORY, DEVICE };

static const char *const planted_names[] = {
    "nothing",         "a file",      "a FIFO",      "a symbolic link",
    "a dangling link", "a hard link", "a directory", "a device",
};

// Puts such a thing there. False if it cannot be made.
static bool plant(enum planted what, const char *name) {
    switch (what) {
    case A_FILE:
        put(name, VICTIM);
        return true;
    case FIFO:
        return mkfifo(name, 0600) == 0;
    case LINK:
        return symlink("victim", name) == 0;
    case DANGLING:
        return symlink("nowhere", name) == 0;
    case HARD_LINK:
        return link("victim", name) == 0;
    case DIRECTORY:
        return mkdir(name, 0700) == 0;
    case DEVICE:
        return symlink("/dev/null", name) == 0;
    default:
        return true;
    }
}

// ---- what is opened -----------------------------------------------------------------------------

static void test_opened(void **state) {
    static const unsigned kinds[] = {0, REKEY_POSIX_LINKS, REKEY_POSIX_REGULAR,
                                     REKEY_POSIX_REGULAR | REKEY_POSIX_LINKS, REKEY_POSIX_ONE_NAME};
    // The errno for each of these; 0 if it is opened.
    static const struct {
        enum planted what;
        int errors[5];
    } table[] = {
        {NOTHING, {ENOENT, ENOENT, ENOENT, ENOENT, ENOENT}},
        {A_FILE, {0, 0, 0, 0, 0}},
        {FIFO, {0, 0, ESPIPE, ESPIPE, ESPIPE}},
        {LINK, {ELOOP, 0, ELOOP, 0, ELOOP}},
        {DANGLING, {ELOOP, ENOENT, ELOOP, ENOENT, ELOOP}},
        {HARD_LINK, {0, 0, 0, 0, EMLINK}},
        {DIRECTORY, {0, 0, EISDIR, EISDIR, EISDIR}},
        {DEVICE, {ELOOP, 0, ELOOP, ESPIPE, ELOOP}},
    };
    char buf[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        for (size_t k = 0; k < COUNT(kinds); k++) {
            int fd, error = table[i].errors[k];

            row_n(planted_names[table[i].what], (long)kinds[k]);
            clear();
            put("victim", VICTIM);
            check(plant(table[i].what, "name"));
            fd = test_open("name", O_RDONLY, kinds[k]);
            check(fd >= -1);
            if (check_int(fd < 0 ? errno : 0, error) && fd >= 0) {
                check((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
                check_int(fcntl(fd, F_GETFD), FD_CLOEXEC);
                close(fd);
            }
            if ((kinds[k] & (REKEY_POSIX_REGULAR | REKEY_POSIX_ONE_NAME)) != 0) {
                check_int(test_read_file("name", buf, sizeof(buf), &len, kinds[k]), error ? -1 : 0);
                check_int(len, error ? 0 : sizeof(VICTIM) - 1);
            }
        }
    }
    rows_done();
}

static void test_sizes(void **state) {
    char buf[8], longer[80];
    size_t len;

    (void)state;
    for (size_t size = 0; size < 12; size++) {
        row_n("bytes", (long)size);
        clear();
        put("name", &"abcdefghijkl"[12 - size]);
        check_int(test_read_file("name", buf, sizeof(buf), &len, 0), size <= sizeof(buf) ? 0 : -1);
        check_int(len, size <= sizeof(buf) ? size : 0);
        check(size <= sizeof(buf) || errno == EFBIG);
        for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
            fault = (struct fault){.in_pieces = in_pieces == 1};
            check(test_write_file("name", &"ABCDEFGHIJKL"[12 - size], size, 0, 0,
                                  REKEY_POSIX_NO_GROUP) == NULL);
            check(holds("name", &"ABCDEFGHIJKL"[12 - size]));
            fault.transfers = 0;
            check_int(test_read_file("name", buf, sizeof(buf), &len, 0), size <= 8 ? 0 : -1);
            check(size > 8 || (len == size && memcmp(buf, &"ABCDEFGHIJKL"[12 - size], size) == 0));
        }
    }
    row("a file that does not say how long it is");
    fault = (struct fault){.in_pieces = true};
    memset(longer, 0, sizeof(longer));
    check_int(test_read_file("/proc/self/status", longer, 64, &len, 0), 0);
    check(len == 64 && longer[63] != 0 && longer[64] == 0);
    row("it cannot be read");
    put("name", VICTIM);
    fault = (struct fault){.transfer = EIO};
    check_int(test_read_file("name", guarded(64), 64, &len, 0), -1);
    check_int(errno, EIO);
    rows_done();
}

// ---- what is written ----------------------------------------------------------------------------

// Anything that has the name of the temporary file is removed without being opened, except a
// directory.
static void test_planted(void **state) {
    (void)state;
    for (enum planted what = NOTHING; what <= DEVICE; what++) {
        struct stat before, after;
        const char *failed;

        row(planted_names[what]);
        clear();
        put("victim", VICTIM);
        stat("victim", &before);
        check(plant(what, "name.tmp"));
        failed = test_write_file("name", OURS, sizeof(OURS) - 1, REKEY_POSIX_ALONE, getuid(),
                                 REKEY_POSIX_NO_GROUP);
        check(holds("victim", VICTIM) && stat("victim", &after) == 0);
        check(before.st_mode == after.st_mode && before.st_uid == after.st_uid);
        if (what == DIRECTORY) {
            check(failed != NULL && errno == EEXIST);
            continue;
        }
        check(failed == NULL && holds("name", OURS));
        check_int(files(), 2);
        check(stat("name", &after) == 0 && (after.st_mode & 07777) == 0600 && after.st_nlink == 1);
    }
    rows_done();
}

// In the place of the file itself: replaced, and no link followed; a new one leaves it alone.
static void test_in_its_place(void **state) {
    (void)state;
    for (enum planted what = NOTHING; what <= DEVICE; what++) {
        const char *failed;

        row(planted_names[what]);
        clear();
        put("victim", VICTIM);
        check(plant(what, "name"));
        failed = test_write_file("name", OURS, sizeof(OURS) - 1, REKEY_POSIX_NEW, 0,
                                 REKEY_POSIX_NO_GROUP);
        check((failed == NULL) == (what == NOTHING) && (failed == NULL || errno == EEXIST));
        failed = test_write_file("name", OURS, sizeof(OURS) - 1, 0, 0, REKEY_POSIX_NO_GROUP);
        check((failed == NULL) == (what != DIRECTORY));
        check(what == DIRECTORY || holds("name", OURS));
        check(holds("victim", VICTIM));
        check_int(files(), 2);
    }
    rows_done();
}

static void test_file_systems(void **state) {
    static const struct {
        const char *name;
        struct fault fault;
        int replacing, new; // errno of a file that is replaced, and of a new one; 0: it works
    } table[] = {
        {"all", {0}, 0, 0},
        {"FAT", {.link = EPERM}, 0, 0},
        {"FAT, a kernel before 3.15", {.link = EPERM, .rename_new = ENOSYS}, 0, 0},
        {"FUSE", {.link = ENOSYS, .rename_new = EINVAL}, 0, 0},
        {"FUSE, without links", {.link = EPERM, .rename_new = EINVAL}, 0, 0},
        {"links not supported", {.link = EOPNOTSUPP, .rename_new = EOPNOTSUPP}, 0, 0},
        {"links forbidden", {.link = EACCES, .rename_new = EINVAL}, 0, 0},
        {"one name each", {.link = EMLINK, .rename_new = EPERM}, 0, 0},
        {"links invalid", {.link = EINVAL, .rename_new = ENOTTY}, 0, 0},
        {"CIFS before 4.17", {.sync_directory = EINVAL}, 0, 0},
        {"no sync of directories", {.sync_directory = EOPNOTSUPP}, 0, 0},
        {"no sync at all", {.sync_directory = ENOSYS}, 0, 0},
        {"a descriptor to read", {.sync_directory = EBADF}, 0, 0},
        {"nothing at all", {.link = EPERM, .rename_new = EINVAL, .sync_directory = EINVAL}, 0, 0},
        // Other failures are reported.
        {"link: EIO", {.link = EIO}, 0, EIO},
        {"link: ENOSPC", {.link = ENOSPC}, 0, ENOSPC},
        {"rename: EIO", {.link = EPERM, .rename_new = EIO}, 0, EIO},
        {"rename: EEXIST", {.link = EPERM, .rename_new = EEXIST}, 0, EEXIST},
        {"rename: EROFS", {.rename = EROFS}, EROFS, 0},
        {"the last rename", {.link = EPERM, .rename_new = EINVAL, .rename = EIO}, EIO, EIO},
        {"directory: EIO", {.sync_directory = EIO}, EIO, EIO},
        {"directory: ENOSPC", {.sync_directory = ENOSPC}, ENOSPC, ENOSPC},
        {"file: EIO", {.sync_file = EIO}, EIO, EIO},
        {"file: EINVAL", {.sync_file = EINVAL}, EINVAL, EINVAL},
        {"write: ENOSPC", {.transfer = ENOSPC}, ENOSPC, ENOSPC},
        {"close: EDQUOT", {.close = EDQUOT}, EDQUOT, EDQUOT},
        {"file, then close", {.sync_file = EIO, .close = EDQUOT}, EIO, EIO},
        {"file: ENOSPC", {.sync_file = ENOSPC}, ENOSPC, ENOSPC},
        {"owner: EPERM", {.give = EPERM}, EPERM, EPERM},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        for (unsigned how = 0; how < 4; how++) {
            const bool new = (how & REKEY_POSIX_NEW) != 0;
            int error = new ? table[i].new : table[i].replacing;
            const char *failed;

            row_n(table[i].name, (long)how);
            clear();
            if (!new) {
                put("name", VICTIM);
            }
            fault = table[i].fault;
            failed = test_write_file("name", OURS, sizeof(OURS) - 1, how,
                                     fault.give != 0 ? getuid() + 1 : 0, REKEY_POSIX_NO_GROUP);
            check((failed == NULL) == (error == 0));
            check_int(failed == NULL ? 0 : errno, error);
            fault = (struct fault){0};
            check_int(files(), new &&error != 0 ? 0 : 1); // nothing is left of what failed
            check((new &&error != 0) || holds("name", OURS) ||
                  (error != 0 && holds("name", VICTIM)));
        }
    }
    rows_done();
}

// The same file systems, with a file of that name: it stays as it is.
static void test_new_is_new(void **state) {
    static const struct fault table[] = {
        {0},
        {.link = EPERM},
        {.link = EPERM, .rename_new = EINVAL},
        {.link = ENOSYS, .rename_new = ENOSYS, .sync_directory = EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        row_n("file system", (long)i);
        clear();
        put("name", VICTIM);
        fault = table[i];
        check(test_write_file("name", OURS, sizeof(OURS) - 1, REKEY_POSIX_NEW, 0,
                              REKEY_POSIX_NO_GROUP) != NULL);
        check_int(errno, EEXIST);
        check(holds("name", VICTIM));
        check_int(files(), 1);
    }
    rows_done();
}

// A file in the way is removed up to twice, but only if it was the reason of the failure.
static void test_tries(void **state) {
    (void)state;
    for (int planted = 0; planted < 4; planted++) {
        int fd;

        row_n("planted again", planted);
        clear();
        fault.planted = planted;
        fd = create("name");
        check((fd >= 0) == (planted < 2) && (fd >= 0 || errno == EEXIST));
        check_int(fault.removals, planted == 0 ? 1 : 2);
        close(fd);
    }
    row("no directory");
    clear();
    check_int(create("nowhere/name"), -1);
    check_int(errno, ENOENT);
    check_int(fault.removals, 1);
    rows_done();
}

// The directory that holds a file, and no other.
static void test_directories(void **state) {
    static const struct {
        const char *path, *directory;
    } table[] = {
        {"name", "."},        {"./name", "."},  {"0/name", "0"}, {"0/0", "0"},
        {"0/../0/name", "0"}, {"0//name", "0"}, {"/name", "/"},  {"/dev/name", "/dev"},
    };

    (void)state;
    clear();
    check_int(mkdir("0", 0700), 0);
    put("victim", VICTIM);
    for (size_t i = 0; i < COUNT(table); i++) {
        int fd = open(table[i].directory, O_RDONLY | O_DIRECTORY); // as an emulator opens it
        struct stat s;

        row(table[i].path);
        fault.synced = 0;
        check_int(sync_directory(table[i].path), 0);
        check(fstat(fd, &s) == 0 && s.st_ino == fault.synced);
        close(fd);
    }
    row("it is a file");
    check_int(sync_directory("victim/name"), -1);
    check_int(errno, ENOTDIR);
    rows_done();
}

static void test_owners(void **state) {
    struct stat s;
    int fd;

    (void)state;
    for (int group = 0; group < 2; group++) {
        gid_t gid = group == 1 ? getgid() : REKEY_POSIX_NO_GROUP;

        row_n("group", group);
        clear();
        put("name", VICTIM);
        fd = open("name", O_RDONLY);
        check_int(fchmod(fd, 0777), 0);
        check_int(test_set_mode(fd, gid), 0);
        check(fstat(fd, &s) == 0 && (s.st_mode & 07777) == (group == 1 ? 0640 : 0600));
        check(s.st_uid == getuid() && s.st_gid == getgid());
        close(fd);
        for (int owner = 0; owner < 2; owner++) {
            uid_t user = owner == 0 || getuid() != 0 ? getuid() : 65534;

            check(test_write_file("name", OURS, sizeof(OURS) - 1, 0, user, gid) == NULL);
            check(stat("name", &s) == 0 && (s.st_mode & 07777) == (group == 1 ? 0640 : 0600));
            check(s.st_uid == user && s.st_gid == getgid());
        }
    }
    row("no group can be given");
    fault.give = EPERM;
    fd = open("name", O_RDONLY);
    check_int(fchmod(fd, 0600), 0);
    check_int(test_set_mode(fd, getgid()), -1);
    check(fstat(fd, &s) == 0 && (s.st_mode & 07777) == 0600);
    close(fd);
    check(test_write_file("name", OURS, sizeof(OURS) - 1, 0, 0, getgid()) != NULL);
    check_int(errno, EPERM);
    check_int(files(), 1);
    rows_done();
}

// The name of the temporary file, and the longest path for which there is one.
static void test_temporary_names(void **state) {
    char path[PATH_MAX];

    (void)state;
    row("a name of its own");
    clear();
    check(plant(DIRECTORY, "name.tmp"));
    check(test_write_file("name", OURS, 2, REKEY_POSIX_ALONE, 0, REKEY_POSIX_NO_GROUP) != NULL);
    check(test_write_file("name", OURS, 2, 0, 0, REKEY_POSIX_NO_GROUP) == NULL);
    for (size_t len = PATH_MAX - 6; len < PATH_MAX; len++) { // ".tmp" and a NUL
        row_n("a path of bytes", (long)len);
        clear();
        for (size_t i = 0; i < len; i++) {
            path[i] = "./"[i % 2];
        }
        strcpy(path + len - 2 - len % 2, len % 2 == 0 ? "ab" : "abc");
        check((test_write_file(path, OURS, sizeof(OURS) - 1, REKEY_POSIX_ALONE, 0,
                               REKEY_POSIX_NO_GROUP) == NULL) == (len + 5 <= PATH_MAX));
        check(len + 5 <= PATH_MAX || errno == ENAMETOOLONG);
        check_int(files(), len + 5 <= PATH_MAX);
    }
    rows_done();
}

// Standard input was closed: 0 is a descriptor like others, and is closed again.
static void test_descriptor_0(void **state) {
    static const struct fault table[] = {{0}, {.link = EPERM, .rename_new = EINVAL}};
    char buf[64];
    size_t len;
    int saved = dup(0);

    (void)state;
    close(0);
    row("no regular file");
    clear();
    check(plant(FIFO, "name"));
    check_int(test_open("name", O_RDONLY, REKEY_POSIX_REGULAR), -1);
    for (size_t i = 0; i < COUNT(table); i++) {
        for (unsigned how = 0; how < 4; how++) {
            row_nn("written", (long)i, (long)how);
            clear();
            check(plant(A_FILE, "name.tmp"));
            fault = table[i];
            errno = EEXIST;
            check(test_write_file("name", OURS, sizeof(OURS) - 1, how, 0, REKEY_POSIX_NO_GROUP) ==
                  NULL);
            check(fcntl(0, F_GETFD) < 0);
            check_int(test_read_file("name", buf, sizeof(buf), &len, 0), 0);
            check(len == sizeof(OURS) - 1 && fcntl(0, F_GETFD) < 0);
        }
    }
    if (saved >= 0) {
        dup2(saved, 0);
        close(saved);
    }
    rows_done();
}

// ---- waiting ------------------------------------------------------------------------------------

static volatile sig_atomic_t signals;

static void on_signal(int number) {
    (void)number;
    signals++;
}

// A signal that arrived while it was blocked ends the wait, like one that arrives later.
static void test_waits(void **state) {
    const struct sigaction action = {.sa_handler = on_signal};
    const uint64_t never = UINT64_MAX;
    sigset_t blocked, unblocked;
    uint64_t begun;
    char buf[8];
    int ends[2];
    pid_t other;

    (void)state;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &unblocked);
    check(pipe2(ends, O_NONBLOCK) == 0);

    row("nothing comes");
    begun = rekey_posix_now_ms(NULL);
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), begun + 30, &unblocked), -1);
    check_int(errno, ETIMEDOUT);
    check(rekey_posix_now_ms(NULL) >= begun + 30);
    row("no time is left");
    check_int(rekey_posix_ready(ends[0], false, begun, NULL), -1);
    check_int(errno, ETIMEDOUT);
    row("something is there");
    check_int(write(ends[1], "abc", 3), 3);
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), 0, &unblocked), 3);

    row("a signal came before");
    raise(SIGUSR1);
    check_int(signals, 0);
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), never, &unblocked), -1);
    check_int(errno, EINTR);
    check_int(signals, 1);
    row("a signal comes");
    other = fork();
    if (other == 0) {
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), never, &unblocked), -1);
    check_int(errno, EINTR);
    check_int(signals, 2);
    waitpid(other, NULL, 0);
    row("a signal that is not let through");
    raise(SIGUSR1);
    check_int(rekey_posix_ready(ends[0], false, rekey_posix_now_ms(NULL) + 30, NULL), -1);
    check_int(errno, ETIMEDOUT);
    check_int(signals, 2);
    row("it comes first, but what is there is read");
    check_int(write(ends[1], "abc", 3), 3);
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), never, &unblocked), 3);

    row("a pipe that is full");
    while (write(ends[1], buf, sizeof(buf)) > 0) {
    }
    check_int(rekey_posix_ready(ends[1], true, never, &unblocked), -1); // the signal of before
    check_int(errno, EINTR);
    check_int(rekey_posix_ready(ends[1], true, 0, &unblocked), -1);
    check_int(errno, ETIMEDOUT);
    row("nobody writes any more");
    while (read(ends[0], buf, sizeof(buf)) > 0) {
    }
    close(ends[1]);
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), never, &unblocked), 0);
    close(ends[0]);
    row("a file");
    clear();
    put("name", VICTIM);
    ends[0] = test_open("name", O_RDONLY, 0);
    check_int(rekey_posix_read(ends[0], buf, sizeof(buf), 0, &unblocked), sizeof(buf));
    close(ends[0]);
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
    rows_done();
}

// ---- a race -------------------------------------------------------------------------------------

#define RACES 10000

// How often the other process has put something there; in memory that both share.
static volatile unsigned long *planted_count;

static void race(void) {
    for (unsigned n = 0;; n++) {
        static const enum planted order[] = {HARD_LINK, FIFO, LINK, A_FILE, DIRECTORY};
        enum planted what = order[n % COUNT(order)];

        if (what != A_FILE ? plant(what, "name.tmp") : rename("name.tmp", "moved") == 0) {
            planted_count[what]++;
        }
        if (n % 16 == 0 && unlink("name.tmp") != 0) { // room for the next one
            rmdir("name.tmp");
        }
    }
}

// Whether the other process has run often enough: a busy machine may not schedule it.
static bool raced(void) {
    return planted_count[HARD_LINK] > 100 && planted_count[FIFO] > 100 && planted_count[LINK] > 100;
}

// The owner of the directory all the time creates things with the name of the temporary file, and
// removes what has that name. Nothing outside of the directory is ever changed, and no call waits.
static void test_race(void **state) {
    int written = 0, refused = 0, races = 0, fd;
    struct stat s;
    pid_t other;

    (void)state;
    row("a racer");
    clear();
    put("victim", VICTIM);
    chmod("victim", 0660);
    planted_count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(planted_count != MAP_FAILED);
    other = fork();
    if (other == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // it ends if the test is killed
        race();
    }
    for (; races < RACES || !raced(); races++) {
        const char *failed =
            test_write_file("name", OURS, sizeof(OURS) - 1, REKEY_POSIX_ALONE,
                            getuid() != 0 ? getuid() : 65534, REKEY_POSIX_NO_GROUP);

        if (failed == NULL) {
            written++;
        } else if (errno == EEXIST || errno == ENOENT || errno == EISDIR || errno == ENOTDIR) {
            refused++;
        } else {
            check_int(errno, 0);
        }
        // A thing that was moved to the file's own name is not accepted, either.
        fd = test_open("name", O_RDONLY, REKEY_POSIX_ONE_NAME);
        if (fd >= 0) {
            check(fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && s.st_nlink == 1);
            close(fd);
        }
        rmdir("name");
    }
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    check_int(written + refused, races);
    check(written > 0);
    check(holds("victim", VICTIM));
    check(stat("victim", &s) == 0 && s.st_uid == getuid() && (s.st_mode & 07777) == 0660);
    rows_done();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        UNIT(test_opened),       UNIT(test_sizes),
        UNIT(test_planted),      UNIT(test_in_its_place),
        UNIT(test_file_systems), UNIT(test_new_is_new),
        UNIT(test_tries),        UNIT(test_directories),
        UNIT(test_owners),       UNIT(test_temporary_names),
        UNIT(test_descriptor_0), UNIT(test_waits),
        UNIT(test_race),
    };

    return cmocka_run_group_tests_name("file", tests, enter, leave);
}
