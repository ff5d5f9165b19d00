// flash_record.c - see flash_record.h.

#include "flash_record.h"

// CRC-32 of IEEE 802.3, four bits at a time.
static uint32_t crc_of(const struct flash_head *record) {
    static const uint32_t of_four_bits[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                              0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                              0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                              0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    const unsigned char *at = (const unsigned char *)(record + 1);
    uint32_t crc = UINT32_MAX;

    for (size_t i = sizeof(*record); i < record->size; i++) {
        crc ^= *at++;
        crc = (crc >> 4) ^ of_four_bits[crc & 15];
        crc = (crc >> 4) ^ of_four_bits[crc & 15];
    }
    return ~crc;
}

// Reads the sector. Returns true if it has a complete record, which is then in RAM.
static bool read_sector(const struct flash_driver *flash, unsigned sector,
                        struct flash_head *record) {
    const struct flash_head expected = *record;
    bool whole = flash->read(flash->ctx, sector, record, expected.size) == 0 &&
                 record->format == expected.format && record->size == expected.size &&
                 record->crc == crc_of(record);

    record->format = expected.format; // for the other sector
    record->size = expected.size;
    return whole;
}

// Also reads the record again: worn flash does not always report a failure.
static bool write_sector(const struct flash_driver *flash, unsigned sector,
                         struct flash_head *record) {
    const uint32_t crc = record->crc;

    return flash->erase(flash->ctx, sector) == 0 &&
           flash->write(flash->ctx, sector, record, record->size) == 0 &&
           read_sector(flash, sector, record) && record->crc == crc;
}

// If both are complete and differ, power failed before a save returned, and either record is right.
// The other sector gets the same record before the caller relies on it.
bool flash_record_load(const struct flash_driver *flash, struct flash_head *record) {
    bool whole = read_sector(flash, 1, record);
    uint32_t crc = record->crc;

    if (read_sector(flash, 0, record)) {
        return (whole && record->crc == crc) || write_sector(flash, 1, record);
    }
    return whole && read_sector(flash, 1, record) && write_sector(flash, 0, record);
}

bool flash_record_save(const struct flash_driver *flash, struct flash_head *record) {
    record->crc = crc_of(record);
    return write_sector(flash, 0, record) && write_sector(flash, 1, record);
}
