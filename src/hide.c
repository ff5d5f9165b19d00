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

// The length of the longest run of the secret that `text` begins with; 0 if it is too short to
// matter. A token has 2 KB, most other secrets are empty: memchr is the fastest way through both.
static size_t leading_run(struct rekey_span text, bool cut, struct rekey_span secret) {
    const char *from = secret.ptr, *end;
    size_t longest = 0, enough;

    if (secret.len < REKEY_HIDE_MIN || memchr(from, *text.ptr, secret.len) == NULL) {
        return 0;
    }
    end = from + secret.len;
    while (end > from && end[-1] == '\0') {
        end--;
    }
    enough = (size_t)(end - from) < REKEY_HIDE_RUN ? (size_t)(end - from) : REKEY_HIDE_RUN;
    while (enough >= REKEY_HIDE_MIN &&
           (from = memchr(from, *text.ptr, (size_t)(end - from))) != NULL) {
        size_t n = 1;

        while (n < text.len && from + n < end && text.ptr[n] == from[n]) {
            n++;
        }
        if (n > longest && (n >= enough || (cut && from == secret.ptr && n == text.len))) {
            longest = n;
        }
        from++;
    }
    return longest;
}

// The length of a block of the key value; 0 if there are no digests.
static size_t block_of(const struct rekey *r) {
    size_t len = r->key_value_len < BLOCK ? r->key_value_len : BLOCK;

    return r->key_value_forgotten && len >= REKEY_HIDE_MIN ? len : 0;
}

// Returns 0 if `text` does not begin with a block. Otherwise returns the number of bytes to
// overwrite: the length of two blocks, because a part of the next block may follow. The end of a
// text that was cut may be the beginning of a block.
static size_t leading_block(struct rekey_span text, bool cut, const struct rekey *r) {
    size_t block = block_of(r);
    uint32_t value, known;

    if (block == 0) {
        return 0;
    }
    if (text.len < block) {
        return cut ? text.len : 0;
    }
    value = digest(text.ptr, block);
    for (size_t i = 0; i < r->key_value_len / block; i++) {
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
        const struct rekey_span rest = rekey_span(text + at, len - at);
        size_t n = 0, block = r != NULL ? leading_block(rest, cut, r) : 0;

        for (const struct rekey_secret *s = secrets; s != NULL; s = s->next) {
            size_t run = leading_run(rest, cut, s->text);

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
