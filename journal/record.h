/*
 * record.h — one record's bytes and back. Pure: no I/O, no allocation. journal/format.h has the offsets.
 *
 * Encoders write a whole record except its CRC, which record_seal() sets when the frame is committed (off the
 * thread that applies). Decoders check everything that can be checked from the bytes alone: lengths, kinds, flags,
 * ranges, zeros.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include <stdbool.h>

#include "journal/format.h"

/* Where a record stands: its frame's base values. */
struct record_base {
    uint64_t first_seq;
    uint64_t time_us;
};

struct record_validated {
    uint32_t leg_count;
    settle_leg legs[SETTLE_LEGS_MAX];
};
struct record_repeat {
    uint64_t first_seq;
    uint64_t first_position;
};
struct record_persisted {
    uint64_t first_seq, last_seq, time_us;
};
struct record_source {
    uint64_t offset_bytes, line;
    settle_text name; /* borrows the record's bytes */
};

/* A decoded record. Texts borrow the bytes it was decoded from. */
struct record {
    enum record_kind kind;
    uint32_t length_bytes;
    uint64_t position; /* of its first byte; set by the reader */
    uint64_t seq;      /* events' records */
    uint64_t time_us;
    uint32_t frame_back_bytes; /* CONSUMED */
    union {
        settle_event consumed; /* event_id is {NULL, 0} where the id is natural */
        struct record_validated validated;
        settle_reason rejected;
        struct record_repeat repeat;
        struct record_persisted persisted;
        settle_asset asset;
        struct record_source source;
    } u;
};

/* Each writes at `at` (room for the kind's maximum) and returns the record's length. */
size_t record_encode_consumed(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, uint32_t frame_back_bytes,
                              const settle_event *event);
size_t record_encode_validated(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, const settle_leg *legs,
                               size_t leg_count);
size_t record_encode_rejected(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, settle_reason reason);
size_t record_encode_repeat(uint8_t *at, uint32_t seq_delta, uint32_t time_delta_us, settle_outcome outcome,
                            const struct record_repeat *repeat);
size_t record_encode_persisted(uint8_t *at, const struct record_persisted *persisted);
size_t record_encode_asset(uint8_t *at, uint32_t time_delta_us, const settle_asset *asset);
size_t record_encode_source(uint8_t *at, const struct record_source *source);

/* Sets / computes the CRC of the record at `at` that stands at logical `position`. Its length is believed: check that
 * so many bytes exist (or decode) first. */
void record_seal(uint8_t *at, uint64_t position);
uint32_t record_crc(const uint8_t *at, uint64_t position);

/* Decodes the record at `at`, of which `available` bytes exist. Returns NULL, or a static sentence that says what
 * is wrong. Does not check the CRC. ret_record->position is left alone. */
const char *record_decode(const uint8_t *at, size_t available, struct record_base base, struct record *ret_record);

/* The same of a record that was checked before, as those of a reader's frame: its bytes are believed. */
void record_read(const uint8_t *at, struct record_base base, struct record *ret_record);

/* Whether `event` has the form docs/events.md asks of it (ranges, characters, required members). NULL or a
 * sentence. */
const char *event_form_fault(const settle_event *event);

/* ---- Event ids: the natural form, and keys --------------------------------------------------------------------- */

/* An id as the index knows it. Natural ids ({type}_{user}_{asset}_{ts}) are numbers, all others are text. */
struct event_key {
    bool is_natural;
    uint8_t type; /* natural: SETTLE_DEPOSIT or SETTLE_WITHDRAWAL */
    uint32_t asset;
    uint64_t user, ts_ms;
    size_t text_bytes; /* not natural */
    char text[SETTLE_EVENT_ID_BYTES_MAX];
};

/* The key of an event's id, given or derived. The event has the right form. */
void event_key_of(const settle_event *event, struct event_key *ret_key);
/* The key of an id's text, 1–64 bytes of the allowed characters: natural exactly when it is the canonical text of
 * one. */
void event_key_of_text(settle_text id, struct event_key *ret_key);
bool event_key_equal(const struct event_key *a, const struct event_key *b);
size_t event_key_format(const struct event_key *key, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1]);
/* 64-bit hash for tables in memory; `seed` from the journal id. Never on disk. */
uint64_t event_key_hash(const struct event_key *key, uint64_t seed);
/* Same content, as docs/events.md defines it (everything but how the id was given). */
bool event_content_equal(const settle_event *a, const settle_event *b);
bool event_id_text_is_valid(settle_text id, size_t bytes_max);

#endif
