// hide.c - see hide.h.

#include "hide.h"

#include "credential.h"

// What is looked for: `text`; or, where `block` is not 0, a text of which only the digests of its
// blocks of so many bytes are left, one behind the other.
struct secret {
    struct rekey_span text;
    size_t block;
};

// FNV-1a.
static uint32_t digest(const char *text, size_t len) {
    uint32_t value = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        value = (value ^ (unsigned char)text[i]) * 16777619u;
    }
    return value;
}

// The length of the longest run of the secret that begins at `at`; 0 if it is too short to matter.
static size_t run_at(struct rekey_span text, size_t at, bool cut, struct rekey_span secret) {
    size_t enough = secret.len < REKEY_HIDE_RUN ? secret.len : REKEY_HIDE_RUN;
    size_t longest = 0;

    for (size_t from = 0; from < secret.len; from++) {
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

// Whether a block begins at `at`: its length with what may follow it of the next one; else 0. The
// end of a text that was cut may be the beginning of a block.
static size_t block_at(struct rekey_span text, size_t at, bool cut, const struct secret *secret) {
    size_t left = text.len - at, block = secret->block;
    uint32_t value, known;

    if (left < block) {
        return cut ? left : 0;
    }
    value = digest(text.ptr + at, block);
    for (size_t i = 0; i < secret->text.len; i += sizeof(known)) {
        memcpy(&known, secret->text.ptr + i, sizeof(known));
        if (known == value) {
            return left < 2 * block ? left : 2 * block;
        }
    }
    return 0;
}

// Whether it is a byte of a UTF-8 sequence, but not the first.
static bool continues(char byte) {
    return (byte & 0xC0) == 0x80;
}

// Only what was looked at is overwritten, so that one find does not hide another.
static void hide(char *text, size_t len, bool cut, const struct secret *secret) {
    size_t until = 0; // what is overwritten ends here

    for (size_t at = 0; at < len; at++) {
        size_t n = secret->block == 0 ? run_at(rekey_span(text, len), at, cut, secret->text)
                                      : block_at(rekey_span(text, len), at, cut, secret);

        if (n > 0) {
            size_t start = at > secret->block ? at - secret->block : 0;

            while (start > 0 && continues(text[start])) {
                start--;
            }
            memset(text + start, '*', at - start);
            until = at + n > until ? at + n : until;
        }
        until += at == until && continues(text[at]);
        text[at] = at < until ? '*' : text[at];
    }
}

void rekey_hide_text(char *text, size_t len, bool cut, struct rekey_span secret) {
    while (secret.len > 0 && secret.ptr[secret.len - 1] == '\0') {
        secret.len--;
    }
    if (secret.len >= REKEY_HIDE_MIN) {
        hide(text, len, cut, &(struct secret){.text = secret});
    }
}

// How many bytes of the key value a digest stands for.
static size_t block_of(const struct rekey *r) {
    return r->key_value_len < 8 ? r->key_value_len : 8;
}

void rekey_hide_forget_key_value(struct rekey *r) {
    size_t block = block_of(r), kept = 0;

    if (r->key_value_forgotten) {
        return;
    }
    // What is written never gets ahead of what is read: a block has at least four bytes.
    for (size_t end = block; block >= REKEY_HIDE_MIN && end <= r->key_value_len; end += block) {
        uint32_t value = digest(r->key_value + end - block, block);

        memcpy(r->key_value + kept, &value, sizeof(value));
        kept += sizeof(value);
    }
    rekey_zeroize(r->key_value + kept, sizeof(r->key_value) - kept);
    r->key_value_forgotten = true;
}

static void hide_key_value(const struct rekey *r, char *text, size_t len, bool cut) {
    struct secret value = {.text = {r->key_value, r->key_value_len}, .block = block_of(r)};

    if (!r->key_value_forgotten) {
        rekey_hide_text(text, len, cut, value.text);
    } else if (value.block >= REKEY_HIDE_MIN) {
        value.text.len = r->key_value_len / value.block * sizeof(uint32_t);
        hide(text, len, cut, &value);
    }
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

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char *text = places[i].text;
        size_t len = places[i].len;
        bool cut = len + 3 >= places[i].cap; // a sequence of UTF-8 that did not fit has up to 4

        rekey_hide_text(text, len, cut, rekey_span(r->token, r->token_len));
        hide_key_value(r, text, len, cut);
        if (r->options->credential != NULL) {
            rekey_hide_text(text, len, cut, r->options->credential->secret);
        }
        for (const struct rekey_secret *s = r->options->secrets; s != NULL; s = s->next) {
            rekey_hide_text(text, len, cut, s->text);
        }
    }
}
