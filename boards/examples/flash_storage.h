// flash_storage.h - what a rotation must not forget (struct rekey_storage of rotate.h), as one
// record in flash (flash_record.h). Where it is damaged the run ends with REKEY_E_STORE: to begin
// anew could regenerate the key in use. A rotation saves eight times, so that sectors that can be
// erased 10,000 times last for 1,250 rotations.

#ifndef FLASH_STORAGE_H
#define FLASH_STORAGE_H

#include "flash_record.h"
#include "rotate.h"

struct flash_key {
    uint32_t len;
    char text[REKEY_KEY_VALUE_MAX];
};

// As it is in flash. Other limits, or another version of rekey, may lay it out in another way: such
// a firmware has another FLASH_FORMAT, and converts the old record.
struct flash_rotation {
    struct flash_head head;
    struct rekey_rotation_state state;
    struct flash_key key, previous;
    uint32_t slot; // of an unfinished operation; 0: there is none
    uint32_t kind, unsure, url_len;
    char request_id[36], url[REKEY_URL_MAX];
};

// Fields are private. The keys are in it: keep it out of crash dumps.
struct flash_storage {
    const struct flash_driver *flash;
    const struct rekey_port *port;
    uint64_t since; // when the device started, or saved the intent, by now_ms of the port
    bool loaded;    // what is in RAM is what is in flash
    union {
        struct flash_rotation saved;
        uint64_t units[(sizeof(struct flash_rotation) + 7) / 8]; // as they are written
    };
};

// Makes *s ready when the device starts. All that is pointed at lives as long as *s. The caller
// sets `hook` and `sha256` of what is returned.
struct rekey_storage flash_storage_init(struct flash_storage *s, const struct flash_driver *flash,
                                        const struct rekey_port *port);

// Writes an empty record: once, in the factory, after flash_storage_init. Returns 0 or
// REKEY_E_STORE.
int flash_storage_format(struct flash_storage *s);

#endif
