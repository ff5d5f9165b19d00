// volatile.c - see volatile.h. The type of a file system comes from statfs(2); the upper directory
// of an overlayfs from /proc/self/mountinfo (proc(5)), a line for each mount:
//
//     36 35 0:31 / /mnt rw,relatime shared:1 - overlay overlay rw,lowerdir=/a,upperdir=/b

#include "volatile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "posix.h"
#include "text.h"

#define OVERLAYFS 0x794C7630ul // OVERLAYFS_SUPER_MAGIC; linux/magic.h of old kernels lacks it
#define DEVICE_FIELD 2         // in a line of mountinfo: "major:minor"

// The name of a file system that is in memory; NULL for other types.
static const char *in_memory(unsigned long type) {
    static const struct {
        unsigned long type;
        const char *name;
    } types[] = {{0x01021994, "tmpfs"}, {0x858458F6, "ramfs"}};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].type == type) {
            return types[i].name;
        }
    }
    return NULL;
}

// mountinfo writes spaces, commas and backslashes as \\ooo. After decoding these, a backslash
// before a byte means that byte itself, as in the options that the kernel was given.
static void unescape(char *text) {
    char *to = text;

    for (const char *at = text; *at != '\0';) {
        if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
            at[3] >= '0' && at[3] <= '7') {
            *to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 4;
        } else {
            *to++ = *at++;
        }
    }
    *to = '\0';
    to = text;
    for (const char *at = text; *at != '\0';) {
        at += at[0] == '\\' && at[1] != '\0';
        *to++ = *at++;
    }
    *to = '\0';
}

// Finds the upper directory of the overlayfs `device`. A line may be longer than any buffer, so it
// is split at spaces and commas while it is read. False if there is no such line, or if the path
// does not fit.
static bool find_upper(dev_t device, char upper[PATH_MAX]) {
    static const char name[] = "upperdir=";
    char wanted[24], buf[512];
    size_t len = 0; // of the current word, which is in `upper`
    unsigned field = 0;
    bool ours = false, options = false, found = false;
    ssize_t n = 0;
    int fd = rekey_posix_open("/proc/self/mountinfo", O_RDONLY, REKEY_POSIX_LINKS);

    snprintf(wanted, sizeof(wanted), "%u:%u", major(device), minor(device));
    while (fd >= 0 && !found && (n = read(fd, buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n && !found; i++) {
            if (buf[i] != ' ' && buf[i] != '\n' && !(options && buf[i] == ',')) {
                upper[len] = buf[i];
                len += len < PATH_MAX - 1; // a word that is too long is not a usable path
                continue;
            }
            upper[len] = '\0';
            if (field == DEVICE_FIELD) {
                ours = strcmp(upper, wanted) == 0;
            }
            options = options || strcmp(upper, "-") == 0;
            found = ours && options && len < PATH_MAX - 1 &&
                    strncmp(upper, name, sizeof(name) - 1) == 0;
            len = found ? len : 0;
            field = buf[i] == '\n' ? 0 : field + (buf[i] == ' ');
            options = options && buf[i] != '\n';
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (found) {
        memmove(upper, upper + sizeof(name) - 1, len - (sizeof(name) - 1) + 1);
        unescape(upper);
    }
    return found;
}

const char *volatile_reason(const char *directory, char *buf, size_t cap) {
    char upper[PATH_MAX], shown[256];
    const char *name;
    struct statfs s;
    struct stat d;

    if (statfs(directory, &s) != 0) {
        return NULL; // state_open finds the reason later
    }
    name = in_memory((unsigned long)s.f_type);
    if (name != NULL) {
        snprintf(buf, cap, "it is on %s", name);
        return buf;
    }
    if ((unsigned long)s.f_type != OVERLAYFS) {
        return NULL;
    }
    if (stat(directory, &d) != 0 || !find_upper(d.st_dev, upper)) {
        snprintf(buf, cap, "it is on overlayfs, and its upper directory is unknown");
        return buf;
    }
    visible(rekey_span(upper, strlen(upper)), shown, sizeof(shown));
    if (upper[0] != '/' || statfs(upper, &s) != 0 || (unsigned long)s.f_type == OVERLAYFS) {
        // In a container this path is not visible.
        snprintf(buf, cap,
                 "it is on overlayfs, whose upper directory '%s' cannot be checked from here",
                 shown);
        return buf;
    }
    name = in_memory((unsigned long)s.f_type);
    if (name == NULL) {
        return NULL;
    }
    snprintf(buf, cap, "it is on overlayfs, whose upper directory '%s' is on %s", shown, name);
    return buf;
}
