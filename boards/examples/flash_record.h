// flash_record.h - one record in two sectors of flash, for flash_storage.c and other data that a
// device must not lose. A save writes the whole record, first to sector 0 and then to sector 1. If
// power fails, at most one of the two is damaged, and the other one is right: it has the previous
// record (the save had not returned yet), or the new one. A sector that decays later does not bring
// older data back either.

#ifndef FLASH_RECORD_H
#define FLASH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The flash driver of the board. Each call returns 0, or another value if it failed.
struct flash_driver {
    void *ctx;
    // Reads the first `len` bytes of sector 0 or 1. If the flash itself finds damaged words (ECC),
    // that is a failure.
    int (*read)(void *ctx, unsigned sector, void *data, size_t len);
    // Erases the whole sector.
    int (*erase)(void *ctx, unsigned sector);
    // Writes `len` bytes, a multiple of 8, to the start of an erased sector.
    int (*write)(void *ctx, unsigned sector, const void *data, size_t len);
};

// The head of a record.
struct flash_head {
    uint32_t format; // identifies the firmware that can read it: another layout has another number
    uint32_t size;   // size of the complete record: a multiple of 8
    uint32_t crc;    // CRC of what follows this head
    uint32_t unused; // aligns what follows to 8 bytes
};

// Reads the record whose head has `format` and `size`. A sector that is damaged or older is written
// again. Returns false, with the rest of the record undefined, if both sectors are damaged, or have
// another format or size.
bool flash_record_load(const struct flash_driver *flash, struct flash_head *record);

// Writes the record, whose head has `format` and `size`. Returns false if the flash failed: then
// flash may have either record, and the content of RAM is undefined.
bool flash_record_save(const struct flash_driver *flash, struct flash_head *record);

#endif
