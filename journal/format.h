/*
 * format.h — the bytes of a journal. docs/journal-format.md is the normative text; this file names its offsets.
 *
 * All integers are little-endian and are encoded and decoded field by field (base/bytes.h), never by copying a struct.
 * A number in a comment is the offset of the field's first byte.
 */
#ifndef JOURNAL_FORMAT_H
#define JOURNAL_FORMAT_H

#include <settle/event.h>

#define FORMAT_VERSION 1u
#define FORMAT_SECTOR_BYTES 512u /* what a disk writes whole or not at all */

/* A logical journal position: segment ordinal × segment size + offset in the segment. 0 is never an event. */

/* ---- Segment header: the first sector of a segment ---- */
#define SEGMENT_MAGIC "SETTLEJ1" /* 00 8 bytes */
enum {
    SEGMENT_VERSION = 8,        /* u32 */
    SEGMENT_HEADER_LENGTH = 12, /* u32 = 512 */
    SEGMENT_COMPATIBLE = 16,    /* u32 feature bits a reader may ignore */
    SEGMENT_INCOMPATIBLE = 20,  /* u32 feature bits a reader must know */
    SEGMENT_JOURNAL_ID = 24,    /* 16 random bytes, the same in every segment */
    SEGMENT_ORDINAL = 40,       /* u64 0, 1, 2 … */
    SEGMENT_FIRST_SEQ = 48,     /* u64 */
    SEGMENT_SIZE = 56,          /* u64 bytes of every segment of this journal */
    SEGMENT_CREATED_US = 64,    /* u64 microseconds since 1970 */
    SEGMENT_PREVIOUS_CHAIN = 72, /* u32 chain value at the end of the segment before */
    SEGMENT_ZERO = 76,          /* zeros up to 256: room for what an incompatible feature adds */
    SEGMENT_IGNORED = 256,      /* written as zeros, not looked at up to 508: room for what a compatible feature adds */
    SEGMENT_CRC = 508,          /* u32 CRC32C of 00–507 */
    SEGMENT_HEADER_BYTES = 512,
};
#define SEGMENT_BYTES_MIN 16384u
#define SEGMENT_BYTES_MAX ((uint64_t)1 << 30)
#define SEGMENT_BYTES_DEFAULT ((uint64_t)64 << 20)
#define SEGMENT_BYTES_UNIT 4096u

/* ---- Frame: one group commit; atomic ---- */
#define FRAME_MAGIC 0x314d5246u     /* "FRM1" */
#define FRAME_END_MAGIC 0x5aa5c33cu /* last byte 0x5a: no single bit flip makes it zero */
enum {
    FRAME_MAGIC_AT = 0,       /* u32 */
    FRAME_LENGTH = 4,         /* u32 whole frame, multiple of 64 */
    FRAME_FIRST_SEQ = 8,      /* u64 sequence number of the first event, or the next one where there is none */
    FRAME_EVENT_COUNT = 16,   /* u32 events in this frame */
    FRAME_RECORD_COUNT = 20,  /* u32 */
    FRAME_TIME_US = 24,       /* u64 base of the records' times; never less than any time before it */
    FRAME_POSITION = 32,      /* u64 logical position of this frame's first byte */
    FRAME_ZERO = 40,          /* u64 zero */
    FRAME_PREVIOUS_CHAIN = 48, /* u32 */
    FRAME_CHAIN = 52,         /* u32 CRC32C, seeded with the previous chain, of 00–47 and every record's CRC field */
    FRAME_HEADER_CRC = 56,    /* u32 CRC32C of the journal id and 00–55 */
    FRAME_HEADER_END = 60,    /* u32 FRAME_END_MAGIC */
    FRAME_HEADER_BYTES = 64,
    FRAME_TRAILER_BYTES = 8, /* u32 length again, u32 FRAME_END_MAGIC: the frame's last eight bytes */
    FRAME_ALIGN = 64,
};
#define FRAME_BYTES_MAX ((size_t)8 << 20)

/* ---- Record: one step of one event, or a note ---- */
enum record_kind {
    RECORD_CONSUMED = 1,
    RECORD_VALIDATED = 2,
    RECORD_REJECTED = 3,
    RECORD_DUPLICATE = 4,
    RECORD_CONFLICT = 5,
    RECORD_PERSISTED = 6,
    RECORD_ASSET = 7,
    RECORD_SOURCE = 8,
    RECORD_SKIPPABLE = 128, /* kinds from here on may be passed over by a reader that does not know them */
};
enum {
    RECORD_LENGTH = 0,     /* u16 whole record, multiple of 8 */
    RECORD_KIND = 2,       /* u8 */
    RECORD_ZERO = 3,       /* u8 zero */
    RECORD_CRC = 4,        /* u32 CRC32C of the record's position (u64), 00–03 and 08–end */
    RECORD_SEQ_DELTA = 8,  /* u32 seq - frame's first seq */
    RECORD_TIME_DELTA = 12, /* u32 microseconds - frame's time */
    RECORD_HEADER_BYTES = 16,
};

/* CONSUMED */
enum {
    CONSUMED_TYPE = 16,       /* u8 settle_event_type */
    CONSUMED_ID_LENGTH = 17,  /* u8 bytes of the event id; 0 = the natural id of the members, not stored */
    CONSUMED_FLAGS = 18,      /* u16 */
    CONSUMED_FRAME_BACK = 20, /* u32 bytes from the frame's first byte to this record's */
    CONSUMED_TS_MS = 24,      /* u64 */
    /* deposit, withdrawal */
    CONSUMED_USER = 32,    /* u64 */
    CONSUMED_ASSET = 40,   /* u32 */
    CONSUMED_ZERO = 44,    /* u32 zero */
    CONSUMED_AMOUNT = 48,  /* u64, or u128 with WIDE; then the event id, then zeros to a multiple of 8 */
    /* trade */
    CONSUMED_BUYER = 32,           /* u64 */
    CONSUMED_SELLER = 40,          /* u64 */
    CONSUMED_BASE = 48,            /* u32 */
    CONSUMED_QUOTE = 52,           /* u32 */
    CONSUMED_TRADE_ID_LENGTH = 56, /* u8 */
    CONSUMED_PRICE_SCALE = 57,     /* u8 */
    CONSUMED_TRADE_ZERO = 58,      /* 6 bytes zero */
    CONSUMED_QUANTITY = 64,        /* u64/u128; then price, quote amount, buyer and seller fee where flagged, each u64/u128;
                                      then trade id, event id, zeros to a multiple of 8 */
};
enum {
    CONSUMED_WIDE = 1,         /* amounts take 16 bytes: one of them is 2^64 or more */
    CONSUMED_HAS_PRICE = 2,
    CONSUMED_HAS_QUOTE_AMOUNT = 4,
    CONSUMED_HAS_FEES = 8,
    CONSUMED_FLAGS_KNOWN = 15,
};

/* VALIDATED */
enum {
    VALIDATED_LEG_COUNT = 16, /* u16 */
    VALIDATED_ZERO = 18,      /* 6 bytes zero */
    VALIDATED_LEGS = 24,
    LEG_USER = 0,      /* u64 */
    LEG_ASSET = 8,     /* u32 */
    LEG_FLAGS = 12,    /* u16 */
    LEG_ZERO = 14,     /* u16 zero */
    LEG_VERSION = 16,  /* u64 */
    LEG_PREVIOUS = 24, /* u64 position of the event that changed this account before, 0 = none */
    LEG_AMOUNTS = 32,  /* delta and after of available, then with HELD of held; i64 each, or i128 with WIDE */
    LEG_WIDE = 1,
    LEG_HELD = 2, /* absent: held is 0 before and after */
    LEG_FLAGS_KNOWN = 3,
    LEG_BYTES_MAX = 96,
};

enum {
    REJECTED_REASON = 16, /* u16, then 6 bytes zero */
    REJECTED_BYTES = 24,

    REPEAT_FIRST_SEQ = 16,      /* DUPLICATE, CONFLICT: u64 seq of the first arrival */
    REPEAT_FIRST_POSITION = 24, /* u64 its position */
    REPEAT_BYTES = 32,

    PERSISTED_FIRST_SEQ = 16, /* u64 */
    PERSISTED_LAST_SEQ = 24,  /* u64 */
    PERSISTED_TIME_US = 32,   /* u64 absolute; the header's time delta is 0 */
    PERSISTED_BYTES = 40,

    ASSET_ID = 16,            /* u32 */
    ASSET_SCALE = 20,         /* u8 */
    ASSET_SYMBOL_LENGTH = 21, /* u8, then u16 zero */
    ASSET_SYMBOL = 24,        /* 16 bytes, zero padded */
    ASSET_BYTES = 40,

    SOURCE_OFFSET = 16,      /* u64 bytes of the source that are journalled with this frame and before it */
    SOURCE_LINE = 24,        /* u64 lines of it */
    SOURCE_NAME_LENGTH = 32, /* u16, then 6 bytes zero */
    SOURCE_NAME = 40,        /* then zeros to a multiple of 8 */
};

/* Upper bounds that size buffers. */
enum {
    CONSUMED_BYTES_MAX = 64 + 5 * 16 + 56 + 64,
    VALIDATED_BYTES_MAX = VALIDATED_LEGS + SETTLE_LEGS_MAX * LEG_BYTES_MAX,
    EVENT_BYTES_MAX = CONSUMED_BYTES_MAX + VALIDATED_BYTES_MAX,
    SOURCE_BYTES_MAX = SOURCE_NAME + 4096,
    /* what a frame always has room for beside its events */
    FRAME_OVERHEAD_BYTES_MAX = FRAME_HEADER_BYTES + SOURCE_BYTES_MAX + PERSISTED_BYTES + FRAME_TRAILER_BYTES + FRAME_ALIGN,
    /* A segment with less than this left is full: an event, and the position of another source before it. */
    FRAME_BYTES_MIN = FRAME_OVERHEAD_BYTES_MAX + EVENT_BYTES_MAX + SOURCE_BYTES_MAX,
};

_Static_assert(SEGMENT_HEADER_BYTES + FRAME_BYTES_MIN <= SEGMENT_BYTES_MIN, "the smallest segment holds a frame");
_Static_assert(CONSUMED_BYTES_MAX % 8 == 0 && VALIDATED_BYTES_MAX % 8 == 0, "records are multiples of 8");
_Static_assert(FRAME_HEADER_BYTES == FRAME_ALIGN && FORMAT_SECTOR_BYTES % FRAME_ALIGN == 0, "a header never straddles sectors");

#endif
