/* segment.h — segment files: names, headers, listing, creation. One journal's segments all have the same size. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "journal/base/file.h"
#include "journal/format.h"

#define SEGMENT_NAME_BYTES 48 /* holds the names of all numbers */
#define SEGMENT_SPARE_NAME "spare"

struct segment_header {
    uint32_t compatible, incompatible;
    uint8_t journal_id[16];
    uint64_t ordinal, first_seq, segment_bytes, created_us;
    uint32_t previous_chain;
};

/* "00000000000000000001-000000.seg": first sequence number, ordinal. */
void segment_name(uint64_t first_seq, uint64_t ordinal, char ret_name[SEGMENT_NAME_BYTES]);
bool segment_name_parse(const char *name, uint64_t *ret_first_seq, uint64_t *ret_ordinal);

void segment_header_encode(const struct segment_header *header, uint8_t ret_bytes[SEGMENT_HEADER_BYTES]);
/* SETTLE_E_CORRUPT or SETTLE_E_UNSUPPORTED with the place. */
settle_status segment_header_decode(const uint8_t bytes[SEGMENT_HEADER_BYTES], const char *name,
                                    struct segment_header *ret_header, settle_error *error);

/* The chain value before a journal's first frame. */
uint32_t segment_chain_genesis(const uint8_t journal_id[16]);

/* The segments of a journal in order, headers read and checked against their names and each other: the same journal id and
 * size, ordinals without a gap, first sequences that do not fall. Other files are passed over. Those that are not in the
 * directory and of which `archived` there tells are in `archive/`, which is not looked at; the last one is never there.
 * Sound beside a process that moves segments there or back. */
struct segment_entry {
    char name[SEGMENT_NAME_BYTES]; /* "….seg", also of an archived one */
    struct segment_header header;
    bool is_archived;
    uint64_t file_bytes;   /* of an archived one: of the segment file it was made from, */
    uint64_t packed_bytes; /* and of the .zst */
    uint32_t digest;       /* of the archived one */
};
#define SEGMENT_PLACE_BYTES (SEGMENT_NAME_BYTES + 24)
/* "journal/NAME.seg" or "archive/NAME.seg.zst". Returns ret_place. */
const char *segment_place(const struct segment_entry *entry, char ret_place[SEGMENT_PLACE_BYTES]);
struct segment_list {
    struct segment_entry *entries; /* from mem */
    size_t count;
    const struct mem *mem;
};
settle_status segment_list_read(int journal_fd, const struct mem *mem, struct segment_list *ret_list,
                                settle_error *error);
void segment_list_free(struct segment_list *list);
/* For those who bring archived segments back: what lies in the directory alone, sorted and not checked; whether segments in
 * their order are one journal from its beginning on. */
settle_status segment_list_plain(int journal_fd, const struct mem *mem, struct segment_list *ret_list,
                                 settle_error *error);
settle_status segment_list_check(const struct segment_list *list, settle_error *error);
void segment_list_sort(struct segment_list *list); /* also of a zeroed one */

#endif
