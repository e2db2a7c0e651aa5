/* frame_place.h — where damage in a frame is to be found: the frame's header, one of its records, or what is behind them. */
#ifndef TESTS_LIB_FRAME_PLACE_H
#define TESTS_LIB_FRAME_PLACE_H

#include "journal/base/bytes.h"
#include "journal/frame.h"

struct frame_place {
    size_t begin, end; /* in the frame */
    uint64_t seq;
};

/* Of the byte `at` of a whole frame. */
static inline struct frame_place frame_place(const uint8_t *frame, size_t at)
{
    struct frame_place place = {0, FRAME_HEADER_BYTES, get_u64(frame + FRAME_FIRST_SEQ)};
    size_t length = get_u32(frame + FRAME_LENGTH);
    for (uint32_t i = 0; i < get_u32(frame + FRAME_RECORD_COUNT) && at >= place.end; i++) {
        uint8_t kind = frame[place.begin + RECORD_KIND];
        if (place.begin > 0 && kind >= RECORD_VALIDATED && kind <= RECORD_CONFLICT)
            place.seq++;
        place.begin = place.end;
        place.end += get_u16(frame + place.begin);
    }
    if (at < place.end)
        return place;
    uint8_t kind = frame[place.begin + RECORD_KIND];
    place.seq += kind >= RECORD_VALIDATED && kind <= RECORD_CONFLICT;
    place.begin = at < length - FRAME_TRAILER_BYTES ? place.end : length - FRAME_TRAILER_BYTES;
    return place;
}

#endif
