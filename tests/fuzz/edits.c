/*
 * edits.c — an input's edits of a data directory (history.h): flips, other bytes, cut and lengthened files, names changed,
 * swapped, doubled and dropped, pieces of other directories, and checksums made right afterwards.
 */
#include "tests/fuzz/history.h"

#include "journal/base/bytes.h"
#include "journal/base/crc32c.h"
#include "journal/frame.h"
#include "journal/segment.h"

static struct image_file *pick_file(struct image *image, struct input *input)
{
    return &image->files[input_u8(input) % image->count];
}

/* 0 … count - 1; the file is not empty. */
static size_t pick_offset(const struct image_file *file, struct input *input)
{
    uint32_t low = input_u16(input);
    return (low | (uint32_t)input_u8(input) << 16) % file->count;
}

static const struct image_file *pick_donor(struct input *input)
{
    const struct image *base = &base_images[input_u8(input) % BASE_COUNT];
    return &base->files[input_u8(input) % base->count];
}

/* ---- Checksums made right ------------------------------------------------------------------------------------------- */

/* The frames of a segment one behind the other, as far as their lengths tell; from frame `first` on each gets right
 * checksums, and with `links` the chain value of the one before. */
static void fix_frames(struct image_file *file, unsigned first, bool links)
{
    uint8_t *journal_id = file->bytes + SEGMENT_JOURNAL_ID;
    size_t at = SEGMENT_HEADER_BYTES;
    uint32_t chain = get_u32(file->bytes + SEGMENT_PREVIOUS_CHAIN);
    for (unsigned i = 0; file->count - at >= 2 * FRAME_ALIGN; i++) {
        uint8_t *frame = file->bytes + at;
        size_t length = get_u32(frame + FRAME_LENGTH);
        if (length < 2 * FRAME_ALIGN || length % FRAME_ALIGN != 0 || length > file->count - at)
            break;
        if (i >= first) {
            uint64_t position = get_u64(file->bytes + SEGMENT_ORDINAL) * get_u64(file->bytes + SEGMENT_SIZE) + at;
            if (links)
                put_u32(frame + FRAME_PREVIOUS_CHAIN, chain);
            put_u64(frame + FRAME_POSITION, position);
            uint32_t sum = crc32c(get_u32(frame + FRAME_PREVIOUS_CHAIN), frame, FRAME_PREVIOUS_CHAIN);
            size_t record = FRAME_HEADER_BYTES, end = length - FRAME_TRAILER_BYTES;
            for (uint32_t k = get_u32(frame + FRAME_RECORD_COUNT); k > 0 && end - record >= RECORD_HEADER_BYTES; k--) {
                size_t bytes = get_u16(frame + record);
                if (bytes < RECORD_HEADER_BYTES || bytes % 8 != 0 || bytes > end - record)
                    break;
                record_seal(frame + record, position + record);
                sum = crc32c(sum, frame + record + RECORD_CRC, 4);
                record += bytes;
            }
            put_u32(frame + FRAME_CHAIN, sum);
            put_u32(frame + FRAME_HEADER_CRC, crc32c(crc32c(0, journal_id, 16), frame, FRAME_HEADER_CRC));
        }
        chain = get_u32(frame + FRAME_CHAIN);
        at += length;
    }
}

/* Offset of the frame of a number, and its length; false: there is none. */
static bool find_frame(const struct image_file *file, unsigned number, size_t *ret_at, size_t *ret_length)
{
    size_t at = SEGMENT_HEADER_BYTES, length = 0;
    for (unsigned i = 0; at < file->count && file->count - at >= 2 * FRAME_ALIGN; i++, at += length) {
        length = get_u32(file->bytes + at + FRAME_LENGTH);
        if (length < 2 * FRAME_ALIGN || length % FRAME_ALIGN != 0 || length > file->count - at)
            return false;
        if (i == number) {
            *ret_at = at;
            *ret_length = length;
            return true;
        }
    }
    return false;
}

/* ---- The operations ------------------------------------------------------------------------------------------------- */

enum operation {
    FLIP,
    SET,
    SET_U64,
    CUT,
    LENGTHEN,
    RENAME,
    SWAP,
    DOUBLE,
    DROP,
    SPLICE,
    CLEAR_SECTORS,
    REPLACE,
    MAKE_RIGHT_FRAMES,
    MAKE_RIGHT_HEADER,
    WATERMARK,
    CUT_AT_FRAME,
    SET_IN_RECORD,
    OPERATIONS,
};

static void set_bytes(struct image_file *file, size_t at, struct input *input, size_t count)
{
    for (size_t i = 0; i < count && at + i < file->count; i++)
        file->bytes[at + i] = input_u8(input);
}

static void set_size(struct image_file *file, size_t count, uint8_t with)
{
    if (count > file->capacity)
        count = file->capacity;
    if (count > file->count)
        memset(file->bytes + file->count, with, count - file->count);
    file->count = count;
}

static void set_content(struct image_file *file, const struct image_file *from)
{
    size_t count = from->count < file->capacity ? from->count : file->capacity;
    memmove(file->bytes, from->bytes, count);
    file->count = count;
    file->exists = true;
}

/* Bytes of another file, or of this one, in place of bytes here. */
static void splice(struct image_file *file, struct input *input)
{
    const struct image_file *from = pick_donor(input);
    if (file->count == 0 || from->count == 0)
        return;
    uint8_t unit = input_u8(input); /* whole alignments hit more often */
    size_t grain = unit % 4 == 0 ? 1 : unit % 4 == 1 ? 64 : unit % 4 == 2 ? 512 : 4096;
    size_t to = pick_offset(file, input) / grain * grain, at = pick_offset(from, input) / grain * grain;
    size_t count = (1 + (size_t)input_u8(input)) * grain;
    if (unit >= 128)
        at = to < from->count ? to : at;
    if (count > from->count - at)
        count = from->count - at;
    if (count > file->count - to)
        count = file->count - to;
    memmove(file->bytes + to, from->bytes + at, count);
}

/* Eight bytes somewhere in a record of a frame, and everything behind made right: a forged journal. */
static void set_in_record(struct image_file *file, struct input *input)
{
    size_t at, length;
    unsigned number = input_u8(input);
    if (file->count < SEGMENT_HEADER_BYTES || !find_frame(file, number, &at, &length))
        return;
    size_t offset = input_u16(input) % (length - 8);
    uint8_t count = input_u8(input);
    set_bytes(file, at + offset, input, 1 + count % 8);
    fix_frames(file, number, true);
}

static void edit_journal(struct image_file *file, enum operation operation, struct input *input, struct edits *edits)
{
    size_t at, length;
    if (file->count < SEGMENT_HEADER_BYTES)
        return;
    switch (operation) {
    case MAKE_RIGHT_FRAMES: {
        uint8_t how = input_u8(input);
        edits->is_forged = true;
        fix_frames(file, how & 63, (how & 64) != 0);
        break;
    }
    case MAKE_RIGHT_HEADER:
        edits->is_forged = true;
        put_u32(file->bytes + SEGMENT_CRC, crc32c(0, file->bytes, SEGMENT_CRC));
        break;
    case CUT_AT_FRAME:
        if (find_frame(file, input_u8(input), &at, &length))
            memset(file->bytes + at, 0, file->count - at);
        break;
    default:
        edits->is_forged = true;
        set_in_record(file, input);
        break;
    }
}

static void edit_names(struct image *image, struct image_file *file, enum operation operation, struct input *input)
{
    if (operation == RENAME) {
        const struct image_file *named = pick_donor(input);
        for (size_t i = 0; i < image->count; i++) {
            if (strcmp(image->files[i].name, named->name) == 0) {
                image->files[i].exists = &image->files[i] == file && file->exists;
                image->files[i].is_touched = true;
            }
        }
        if (file->exists && strcmp(file->name, named->name) != 0 && image->count < IMAGE_FILES_MAX) {
            /* The old name is gone, and remembered as touched. */
            struct image_file *fresh = &image->files[image->count++], kept = *fresh;
            *fresh = *file;
            *file = kept;
            strcpy(file->name, fresh->name);
            file->exists = false;
            file->count = 0;
            file->is_touched = true;
            strcpy(fresh->name, named->name);
            fresh->is_touched = true;
        }
        return;
    }
    struct image_file *other = pick_file(image, input);
    if (operation == DOUBLE) {
        set_content(other, file);
    } else if (other != file) { /* SWAP */
        struct image_file kept = *file;
        *file = *other;
        *other = kept;
        memcpy(other->name, file->name, sizeof other->name);
        memcpy(file->name, kept.name, sizeof file->name);
    }
    file->is_touched = other->is_touched = true;
}

static void edit_content(struct image_file *file, enum operation operation, struct input *input)
{
    size_t at = file->count > 0 ? pick_offset(file, input) : 0;
    if (operation == CUT) {
        set_size(file, at, 0);
    } else if (operation == LENGTHEN) {
        uint32_t more = input_u16(input);
        set_size(file, file->count + more % 8192, more >= 32768 ? 0xff : 0);
    } else if (file->count == 0) {
        return;
    } else if (operation == FLIP) {
        file->bytes[at] ^= (uint8_t)(1u << input_u8(input) % 8);
    } else if (operation == SET) {
        uint8_t count = input_u8(input);
        set_bytes(file, at, input, 1 + count % 32);
    } else if (operation == SET_U64) {
        set_bytes(file, at & ~(size_t)7, input, 8);
    } else { /* CLEAR_SECTORS */
        size_t from = at / 512 * 512, bytes = (1 + (size_t)input_u8(input) % 16) * 512;
        memset(file->bytes + from, 0, bytes < file->count - from ? bytes : file->count - from);
    }
}

static void set_watermark(struct image *image, struct input *input)
{
    uint64_t position = input_u16(input) | (uint64_t)input_u8(input) << 16;
    uint8_t appends = input_u8(input);
    for (size_t i = 0; i < image->count; i++) {
        struct image_file *file = &image->files[i];
        if (strcmp(file->name, "journal/watermark") != 0 || file->capacity < 24)
            continue;
        file->exists = file->is_touched = true;
        file->count = 24;
        put_u64(file->bytes, position);
        put_u64(file->bytes + 8, ~position);
        put_u64(file->bytes + 16, appends % 2);
    }
}

/* A name that was given away and came back: the later file has it. */
static void drop_doubles(struct image *image)
{
    for (size_t i = 0; i < image->count; i++)
        for (size_t k = i + 1; k < image->count; k++)
            if (image->files[k].exists && strcmp(image->files[i].name, image->files[k].name) == 0)
                image->files[i].exists = false;
}

void edits_apply(struct image *image, struct input *input, struct edits *ret_edits)
{
    *ret_edits = (struct edits){.is_forged = false};
    for (unsigned i = 0; i < 32 && input->at < input->end; i++) {
        enum operation operation = (enum operation)(input_u8(input) % OPERATIONS);
        ret_edits->is_one_flip = i == 0 && operation == FLIP;
        if (operation == WATERMARK) {
            set_watermark(image, input);
            continue;
        }
        struct image_file *file = pick_file(image, input);
        file->is_touched = true;
        switch (operation) {
        case RENAME:
        case SWAP:
        case DOUBLE: edit_names(image, file, operation, input); break;
        case DROP: file->exists = false; break;
        case SPLICE: splice(file, input); break;
        case REPLACE: set_content(file, pick_donor(input)); break;
        case MAKE_RIGHT_FRAMES:
        case MAKE_RIGHT_HEADER:
        case CUT_AT_FRAME:
        case SET_IN_RECORD: edit_journal(file, operation, input, ret_edits); break;
        default: edit_content(file, operation, input); break;
        }
    }
    drop_doubles(image);
}
