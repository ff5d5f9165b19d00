// hide.c - see hide.h.

#include "hide.h"

#include "credential.h"

// Bytes of the key value that one digest replaces.
#define BLOCK ((size_t)8)

// FNV-1a.
static uint32_t digest(const char *text, size_t len) {
    uint32_t value = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        value = (value ^ (unsigned char)text[i]) * 16777619u;
    }
    return value;
}

// The length of the longest part of the secret that begins at text[at]; 0 if it is too short.
static size_t run_at(struct rekey_span text, size_t at, bool cut, struct rekey_span secret) {
    size_t longest = 0, enough;

    while (secret.len > 0 && secret.ptr[secret.len - 1] == '\0') {
        secret.len--;
    }
    enough = secret.len < REKEY_HIDE_RUN ? secret.len : REKEY_HIDE_RUN;
    for (size_t from = 0; from < secret.len && enough >= REKEY_HIDE_MIN; from++) {
        size_t n = 0;

        while (at + n < text.len && from + n < secret.len &&
               text.ptr[at + n] == secret.ptr[from + n]) {
            n++;
        }
        if (n > longest && (n >= enough || (cut && from == 0 && at + n == text.len))) {
            longest = n;
        }
    }
    return longest;
}

// The length of a block of the key value; 0 if there are no digests.
static size_t block_of(const struct rekey *r) {
    size_t len = r->key_value_len < BLOCK ? r->key_value_len : BLOCK;

    return r->key_value_forgotten && len >= REKEY_HIDE_MIN ? len : 0;
}

// Returns 0 if no block begins at text[at]. Otherwise returns the number of bytes to overwrite: the
// length of two blocks, because a part of the next block may follow. The end of a text that was cut
// may be the beginning of a block.
static size_t block_at(struct rekey_span text, size_t at, bool cut, const struct rekey *r) {
    size_t left = text.len - at, block = block_of(r);
    uint32_t value, known;

    if (left < block) {
        return cut ? left : 0;
    }
    value = digest(text.ptr + at, block);
    for (size_t i = 0; block > 0 && i < r->key_value_len / block; i++) {
        memcpy(&known, r->key_value + i * sizeof(known), sizeof(known));
        if (known == value) {
            return 2 * block;
        }
    }
    return 0;
}

// Whether `byte` is part of a UTF-8 sequence, but not its first byte.
static bool continues(char byte) {
    return (byte & 0xC0) == 0x80;
}

// Overwrites text[start..at). If `start` is inside a UTF-8 sequence, the whole sequence is
// overwritten.
static void overwrite(char *text, size_t start, size_t at) {
    while (start > 0 && continues(text[start])) {
        start--;
    }
    memset(text + start, '*', at - start);
}

// Searches for all secrets at each position before it overwrites that position, so that one find
// does not prevent another. `r` has the digests of a key value, or is NULL.
static void hide(char *text, size_t len, bool cut, const struct rekey_secret *secrets,
                 const struct rekey *r) {
    size_t until = 0; // the end of the bytes to overwrite

    for (size_t at = 0; at < len; at++) {
        size_t n = 0, block = r != NULL ? block_at(rekey_span(text, len), at, cut, r) : 0;

        for (const struct rekey_secret *s = secrets; s != NULL; s = s->next) {
            size_t run = run_at(rekey_span(text, len), at, cut, s->text);

            n = run > n ? run : n;
        }
        if (n > 0) {
            overwrite(text, at, at);
        }
        if (block > 0) {
            overwrite(text, at > BLOCK ? at - BLOCK : 0, at);
        }
        n = block > n ? block : n;
        until = n > 0 && at + n > until ? at + n : until;
        until += at == until && continues(text[at]);
        if (at < until) {
            text[at] = '*';
        }
    }
}

void rekey_hide_text(char *text, size_t len, bool cut, struct rekey_span secret) {
    const struct rekey_secret one = {.text = secret};

    hide(text, len, cut, &one, NULL);
}

void rekey_hide_forget_key_value(struct rekey *r) {
    size_t kept = 0, block;

    if (r->key_value_forgotten) {
        return;
    }
    r->key_value_forgotten = true;
    block = block_of(r);
    // The digests never overwrite a block that was not read yet: a block has at least four bytes.
    for (size_t end = block; block > 0 && end <= r->key_value_len; end += block) {
        uint32_t value = digest(r->key_value + end - block, block);

        memcpy(r->key_value + kept, &value, sizeof(value));
        kept += sizeof(value);
    }
    rekey_zeroize(r->key_value + kept, sizeof(r->key_value) - kept);
}

void rekey_hide(struct rekey *r) {
    struct rekey_arm_error *e = &r->service;
    char *request_id = r->captured[REKEY_FIELD_REQUEST_ID - REKEY_FIELD_RETRY_AFTER];
    char *correlation_id = r->captured[REKEY_FIELD_CORRELATION_ID - REKEY_FIELD_RETRY_AFTER];
    const struct {
        char *text;
        size_t len, cap;
    } places[] = {
        {e->code.text, e->code.len, sizeof(e->code.text)},
        {e->detail.text, e->detail.len, sizeof(e->detail.text)},
        {e->message.text, e->message.len, sizeof(e->message.text)},
        {e->target.text, e->target.len, sizeof(e->target.text)},
        {r->status.status, strlen(r->status.status), sizeof(r->status.status) - 1},
        {request_id, strlen(request_id), sizeof(r->captured[0]) - 1},
        {correlation_id, strlen(correlation_id), sizeof(r->captured[0]) - 1},
        {r->subject, r->subject_len, sizeof(r->subject)},
    };
    const struct rekey_secret token = {{r->token, r->token_len}, r->options->secrets};
    const struct rekey_secret value = {
        {r->key_value, r->key_value_forgotten ? 0 : r->key_value_len}, &token};
    struct rekey_secret client = {.next = &value};

    if (r->options->credential != NULL) {
        client.text = r->options->credential->secret;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        // A text that was cut may be up to three bytes shorter than its buffer: a UTF-8 sequence of
        // four bytes did not fit.
        hide(places[i].text, places[i].len, places[i].len + 3 >= places[i].cap, &client, r);
    }
}
