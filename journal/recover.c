/*
 * recover.c — telling a torn frame from damage, and cutting it.
 *
 * One frame is in flight at a time, and it is written into zeros. So a crash leaves, behind the last valid frame, zeros but
 * for some of that one frame's sectors, the last of them perhaps in part. That, and only that, is torn:
 *
 *   header at the place        rest of the frame                      behind it         verdict
 *   ------------------------   ------------------------------------   ---------------   ------------------------------
 *   zeros                      zeros                                  zeros             the journal ends here
 *   valid, follows             valid                                  anything          a frame: read on
 *   valid, follows             its end is missing, or one of its      zeros             torn
 *                              sectors is all zeros
 *   valid, follows             whole in length, but wrong             anything          damaged
 *   valid, follows             wrong                                  not zeros         damaged
 *   valid, does not follow     anything                               anything          damaged
 *   zeros up to its sector's   anything                               no valid header   torn
 *   end from some byte on                                             valid header      damaged: a frame is missing
 *   anything else              anything                               anything          damaged
 *
 * The tests are possible because of how frames are made: a header lies in one sector and ends in a byte that is not zero, so
 * does a frame; no sector-sized stretch of a frame is all zeros. A flipped bit therefore never looks torn.
 */
#include "journal/recover.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "journal/base/bytes.h"

/* A later frame of this journal somewhere behind the first header: then the damage before it is no torn write. */
static bool later_frame_exists(const uint8_t *bytes, size_t count, const uint8_t journal_id[16], uint64_t position)
{
    for (size_t at = FRAME_ALIGN; at + FRAME_HEADER_BYTES <= count; at += FRAME_ALIGN) {
        struct frame frame;
        if (frame_header_fault(bytes + at, journal_id, position + at, &frame) == NULL)
            return true;
    }
    return false;
}

/* Bytes of the segment's sector that holds `offset_in_segment`, from there on. */
static size_t sector_rest(uint64_t offset_in_segment)
{
    return (size_t)(FORMAT_SECTOR_BYTES - offset_in_segment % FORMAT_SECTOR_BYTES);
}

/* A frame whose header is whole but whose body is not: torn when its end is missing or a sector of it was never written. */
static bool body_is_torn(const uint8_t *bytes, size_t count, size_t length, uint64_t offset_in_segment)
{
    if (count < length) /* bytes[count - 1] is not zero: where the length is reached, so is the end */
        return true;
    for (size_t at = sector_rest(offset_in_segment); at < length;) {
        size_t portion = length - at < FORMAT_SECTOR_BYTES ? length - at : FORMAT_SECTOR_BYTES;
        if (bytes_are_zero(bytes + at, portion))
            return true;
        at += portion;
    }
    return false;
}

enum tail_shape frame_tail_shape(const uint8_t *bytes, size_t count, const uint8_t journal_id[16],
                                 const struct journal_point *point, uint64_t offset_in_segment, const char **ret_reason)
{
    assert(count > 0 && bytes[count - 1] != 0);
    struct frame frame;
    uint8_t header[FRAME_HEADER_BYTES] = {0};
    memcpy(header, bytes, count < sizeof header ? count : sizeof header);
    const char *fault = frame_header_fault(header, journal_id, point->position, &frame);
    if (fault == NULL) {
        fault = frame_order_fault(&frame, point);
        if (fault != NULL) {
            *ret_reason = fault;
            return TAIL_DAMAGED;
        }
        bool is_torn = count <= frame.length_bytes && body_is_torn(bytes, count, frame.length_bytes, offset_in_segment);
        return is_torn ? TAIL_TORN : TAIL_DAMAGED;
    }
    /* The header's last byte is never zero once written, and a header lies in one sector: a torn one ends in zeros up to
     * the sector's end. */
    size_t rest = sector_rest(offset_in_segment);
    bool header_is_torn = header[FRAME_HEADER_BYTES - 1] == 0 &&
                          (count <= FRAME_HEADER_BYTES ||
                           bytes_are_zero(bytes + FRAME_HEADER_BYTES,
                                          (count < rest ? count : rest) - FRAME_HEADER_BYTES));
    if (!header_is_torn || count > FRAME_BYTES_MAX) {
        *ret_reason = fault;
        return TAIL_DAMAGED;
    }
    if (later_frame_exists(bytes, count, journal_id, point->position)) {
        *ret_reason = "a frame is missing before a valid one";
        return TAIL_DAMAGED;
    }
    return TAIL_TORN;
}

/* Keeps a copy of the torn bytes under the first free name. */
static settle_status tail_copy(int journal_fd, int fd, const char *segment, uint64_t offset, uint64_t count,
                               char ret_copy[SEGMENT_NAME_BYTES + 32], settle_error *error)
{
    char copy[SEGMENT_NAME_BYTES + 32];
    unsigned number = 0;
    do {
        snprintf(copy, sizeof copy, number == 0 ? "%s.torn-%llu" : "%s.torn-%llu-%u", segment,
                 (unsigned long long)offset, number);
        number++;
    } while (file_exists_at(journal_fd, copy));
    int copy_fd = -1;
    settle_status status = file_open_at(journal_fd, copy, FILE_CREATE, &copy_fd, error);
    uint8_t bytes[4096];
    for (uint64_t at = 0; at < count && status == SETTLE_OK; at += sizeof bytes) {
        size_t chunk = count - at < sizeof bytes ? (size_t)(count - at) : sizeof bytes;
        status = file_read_zeros(fd, segment, offset + at, bytes, chunk, error);
        if (status == SETTLE_OK)
            status = file_write(copy_fd, copy, at, bytes, chunk, error);
    }
    if (status == SETTLE_OK)
        status = file_sync_data(copy_fd, copy, error);
    if (status == SETTLE_OK)
        status = dir_sync(journal_fd, "journal", error);
    file_close(copy_fd);
    if (status == SETTLE_OK)
        memcpy(ret_copy, copy, sizeof copy);
    return status;
}

settle_status journal_cut_tail(int data_fd, const char *segment, uint64_t offset_bytes, uint64_t torn_bytes,
                               char ret_copy[SEGMENT_NAME_BYTES + 32], settle_error *error)
{
    int journal_fd = -1, fd = -1;
    settle_status status = dir_open_at(data_fd, "journal", false, &journal_fd, error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, segment, FILE_WRITE, &fd, error);
    if (status == SETTLE_OK)
        status = tail_copy(journal_fd, fd, segment, offset_bytes, torn_bytes, ret_copy, error);
    /* A crash in here must leave a torn frame again. What made it torn are zeros, and zeros are only added: first behind the
     * header, then the header's last byte (a header without it is torn), then the rest. */
    const struct {
        uint64_t from, to;
    } steps[] = {{FRAME_HEADER_BYTES, torn_bytes}, {FRAME_HEADER_BYTES - 1, FRAME_HEADER_BYTES}, {0, FRAME_HEADER_BYTES - 1}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == SETTLE_OK; i++) {
        uint64_t to = steps[i].to < torn_bytes ? steps[i].to : torn_bytes;
        if (steps[i].from >= to)
            continue;
        status = file_write_zeros(fd, segment, offset_bytes + steps[i].from, to - steps[i].from, error);
        if (status == SETTLE_OK)
            status = file_sync_data(fd, segment, error);
    }
    file_close(fd);
    file_close(journal_fd);
    return fail_in(error, status, "journal");
}

settle_status journal_rewrite_tail(int data_fd, const char *segment, uint64_t segment_bytes, const struct journal_point *end,
                                   settle_error *error)
{
    int journal_fd = -1, fd = -1;
    uint64_t size = 0, end_bytes = end->position % segment_bytes;
    uint64_t from = end->frame_position == 0 ? end_bytes : end->frame_position % segment_bytes;
    assert(from <= end_bytes);
    settle_status status = dir_open_at(data_fd, "journal", false, &journal_fd, error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, segment, FILE_WRITE, &fd, error);
    if (status == SETTLE_OK)
        status = file_size(fd, segment, &size, error);
    uint8_t bytes[4096];
    for (uint64_t at = from; at < end_bytes && status == SETTLE_OK; at += sizeof bytes) {
        size_t chunk = end_bytes - at < sizeof bytes ? (size_t)(end_bytes - at) : sizeof bytes;
        status = file_read_zeros(fd, segment, at, bytes, chunk, error);
        if (status == SETTLE_OK)
            status = file_write(fd, segment, at, bytes, chunk, error);
    }
    if (status == SETTLE_OK && size > end_bytes)
        status = file_write_zeros(fd, segment, end_bytes, size - end_bytes, error);
    file_close(fd);
    file_close(journal_fd);
    return fail_in(error, status, "journal");
}
