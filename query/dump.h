/* dump.h — what dump.c and dump_frame.c share: one way to print for text and NDJSON, and a segment file. */
#ifndef QUERY_DUMP_H
#define QUERY_DUMP_H

#include "query/internal.h"

struct dump {
    const char *path;
    int fd;
    uint64_t file_bytes;
    struct segment_header header;
    bool as_json;
    struct out *out;
    struct json json;
    uint8_t *bytes; /* of one frame, or of what stands behind the last one */
    size_t capacity;
};

/* Opens dump->path (fd is -1) below a directory, and reads its header. dump_close() in either case. */
settle_status dump_open(struct dump *dump, int borrow_directory_fd, settle_error *error);
void dump_close(struct dump *dump);
/* dump->bytes: `count` bytes of the file, zeros behind its end. */
settle_status dump_load(struct dump *dump, uint64_t offset, size_t count, settle_error *error);

/* A line: `"record":kind,"offset":N,…` or `N  kind  key=value …`. */
void dump_line_begin(struct dump *dump, const char *kind, uint64_t offset);
void dump_line_end(struct dump *dump);
void dump_text(struct dump *dump, const char *key, settle_text text);
void dump_string(struct dump *dump, const char *key, const char *text);
void dump_u64(struct dump *dump, const char *key, uint64_t value);
/* What a record says. */
void dump_record_members(struct dump *dump, const struct record *record);

const char *dump_kind_name(enum record_kind kind);
void dump_hex_text(const uint8_t *bytes, size_t count, char *ret_text); /* room for 2 * count + 1 */

#endif
