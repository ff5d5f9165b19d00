// flash_storage.h - the state of a rotation (struct rekey_storage of rotate.h), as one record in
// flash (flash_record.h). If the record is damaged, the run ends with REKEY_E_STORE, because a new
// start could regenerate the key in use. A rotation saves eight times, so that sectors that can be
// erased 10,000 times last for 1,250 rotations.

#ifndef FLASH_STORAGE_H
#define FLASH_STORAGE_H

#include "flash_record.h"
#include "rotate.h"

struct flash_key {
    uint32_t len;
    char text[REKEY_KEY_VALUE_MAX];
};

// The layout in flash. With other limits, or another version of rekey, the layout may differ: such
// a firmware needs another FLASH_FORMAT, and converts the old record.
struct flash_rotation {
    struct flash_head head;
    struct rekey_rotation_state state;
    struct flash_key key, previous;
    uint32_t slot; // key of an unfinished operation; 0: there is none
    uint32_t kind, unsure, url_len;
    char request_id[36], url[REKEY_URL_MAX];
};

// The members are private. They include the keys: keep the struct out of crash dumps.
struct flash_storage {
    const struct flash_driver *flash;
    const struct rekey_port *port;
    uint64_t since; // now_ms of the port when the device started, or saved the intent
    bool loaded;    // the record in RAM is the one in flash
    union {
        struct flash_rotation saved;
        uint64_t units[(sizeof(struct flash_rotation) + 7) / 8]; // as they are written
    };
};

// Makes *s ready when the device starts. Everything that it points to must live as long as *s. The
// caller sets `hook` and `sha256` of the returned storage.
struct rekey_storage flash_storage_init(struct flash_storage *s, const struct flash_driver *flash,
                                        const struct rekey_port *port);

// Writes an empty record: once, in the factory, after flash_storage_init. Returns 0 or
// REKEY_E_STORE.
int flash_storage_format(struct flash_storage *s);

#endif
