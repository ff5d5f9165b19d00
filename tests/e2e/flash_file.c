// flash_file.c - the flash of boards/examples/flash_rotation.c in the end-to-end tests: two sectors
// in the file that the environment variable FLASH names. With FLASH_CUT=N the process ends, as if
// power were lost, at the N-th of the points during and after each erasure and write.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../boards/examples/flash_record.h"

#define SECTOR_SIZE 32768
#define POWER_LOST 77 // the exit code

static int file(void) {
    static int fd = -1;

    if (fd < 0) {
        fd = open(getenv("FLASH"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    }
    return fd;
}

static void point(void) {
    static int points;
    const char *cut = getenv("FLASH_CUT");

    if (cut != NULL && ++points == atoi(cut)) {
        _exit(POWER_LOST);
    }
}

static off_t start_of(unsigned sector) {
    return (off_t)sector * SECTOR_SIZE;
}

static int flash_read(void *ctx, unsigned sector, void *data, size_t len) {
    (void)ctx;
    return pread(file(), data, len, start_of(sector)) == (ssize_t)len ? 0 : -1;
}

static int flash_erase(void *ctx, unsigned sector) {
    static char erased[SECTOR_SIZE];

    (void)ctx;
    memset(erased, 0xFF, sizeof(erased));
    for (int half = 0; half < 2; half++) {
        if (pwrite(file(), erased, SECTOR_SIZE / 2, start_of(sector) + half * SECTOR_SIZE / 2) <
            0) {
            return -1;
        }
        point();
    }
    return 0;
}

static int flash_write(void *ctx, unsigned sector, const void *data, size_t len) {
    const size_t half = len / 2;

    (void)ctx;
    if (pwrite(file(), data, half, start_of(sector)) < 0) {
        return -1;
    }
    point();
    if (pwrite(file(), (const char *)data + half, len - half, start_of(sector) + (off_t)half) < 0) {
        return -1;
    }
    point();
    return 0;
}

extern const struct flash_driver board_flash;
const struct flash_driver board_flash = {NULL, flash_read, flash_erase, flash_write};
