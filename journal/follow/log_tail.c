/*
 * log_tail.c — where a log file ends in a whole line.
 *
 * What a crash leaves behind the last synced byte: a line that is cut short, at the end; after a power cut also
 * zeros, at the end or in between (a page that was not written). So everything from the first line on that is torn
 * or has a zero byte in it goes; all of it can be rendered again. A file in which nothing looks like ours is
 * somebody else's.
 */
#include "journal/follow/log_tail.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/file.h"
#include "journal/follow/log_files.h"

#define SCAN_BYTES ((size_t)256 << 10)
#define BACK_BYTES ((uint64_t)64 << 10)

static const char line_start[] = "{\"timestamp\":\"";
#define LINE_START_BYTES (sizeof line_start - 1)

/* ---- One line --------------------------------------------------------------------------------------------------- */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, const char *text)
{
    size_t bytes = strlen(text);
    if ((size_t)(c->end - c->at) < bytes || memcmp(c->at, text, bytes) != 0)
        return false;
    c->at += bytes;
    return true;
}

/* Up to the next quote. */
static bool take_text(struct cursor *c, const char **ret_text, size_t *ret_bytes)
{
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
    if (quote == NULL)
        return false;
    *ret_text = c->at;
    *ret_bytes = (size_t)(quote - c->at);
    c->at = quote + 1;
    return true;
}

/* A number, or one above 2^53 as a string. */
static bool take_seq(struct cursor *c, uint64_t *ret_seq)
{
    bool is_quoted = take(c, "\"");
    uint64_t seq = 0;
    const char *first = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (__builtin_mul_overflow(seq, UINT64_C(10), &seq) ||
            __builtin_add_overflow(seq, (uint64_t)(*c->at - '0'), &seq))
            return false;
    }
    *ret_seq = seq;
    return c->at > first && seq > 0 && (!is_quoted || take(c, "\""));
}

static enum line_step step_of(const char *event, size_t bytes)
{
    static const struct {
        const char *word;
        enum line_step step;
    } steps[] = {{"CONSUMED", LINE_CONSUMED}, {"VALIDATED", LINE_DECIDED}, {"REJECTED", LINE_DECIDED},
                 {"DUPLICATE", LINE_DECIDED}, {"CONFLICT", LINE_DECIDED},  {"PERSISTED", LINE_PERSISTED}};
    const char *low = memchr(event, '_', bytes);
    if (low == NULL)
        return 0;
    size_t count = bytes - (size_t)(low + 1 - event);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (count == strlen(steps[i].word) && memcmp(low + 1, steps[i].word, count) == 0)
            return steps[i].step;
    }
    return 0;
}

bool log_line_parse(const char *line, size_t bytes, struct log_line *ret_line)
{
    struct cursor c = {line, line + bytes};
    struct log_line found;
    const char *text;
    size_t count;
    if (bytes < LINE_START_BYTES + 3 || bytes > LINE_BYTES_MAX || memcmp(line + bytes - 3, "}}\n", 3) != 0)
        return false;
    if (!take(&c, line_start) || !take_text(&c, &text, &count) || count != 27 || !log_day_parse(text, &found.day) ||
        !take(&c, ",\"level\":\"") || !take_text(&c, &text, &count) ||
        !take(&c, ",\"target\":\"settlement\",\"trace_id\":\"") || !take_text(&c, &text, &count) || count != 32 ||
        !take(&c, ",\"span_id\":\"") || !take_text(&c, &text, &count) || count != 16 ||
        !take(&c, ",\"fields\":{\"event\":\"") || !take_text(&c, &text, &count))
        return false;
    found.place.step = step_of(text, count);
    if (found.place.step == 0 || !take(&c, ",\"event_id\":\"") || !take_text(&c, &text, &count) ||
        !take(&c, ",\"seq\":") || !take_seq(&c, &found.place.seq))
        return false;
    *ret_line = found;
    return true;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

struct scan {
    struct log_tail *tail;
    uint64_t damaged_at;  /* UINT64_MAX: nowhere */
    bool damaged_is_ours; /* it begins like a line of ours, or with zeros */
    bool skips;           /* in a line that is longer than ours are, or whose beginning was not read */
    bool is_trusted;      /* nothing here can be damaged */
};

static bool begins_like_ours(const char *piece, size_t bytes)
{
    return memcmp(piece, line_start, bytes < LINE_START_BYTES ? bytes : LINE_START_BYTES) == 0;
}

/* A piece of the file that ends with a newline or with the file. */
static void scan_piece(struct scan *s, const char *piece, size_t bytes, uint64_t offset)
{
    struct log_line line;
    bool is_zeroed = memchr(piece, '\0', bytes) != NULL;
    bool is_torn = piece[bytes - 1] != '\n' && bytes <= LINE_BYTES_MAX && begins_like_ours(piece, bytes);
    if (!s->is_trusted && s->damaged_at == UINT64_MAX && (is_zeroed || is_torn)) {
        s->damaged_at = offset;
        s->damaged_is_ours = is_torn || piece[0] == '\0' || begins_like_ours(piece, strnlen(piece, bytes));
    }
    if (is_zeroed || !log_line_parse(piece, bytes, &line))
        return;
    s->damaged_is_ours = true;
    if (!s->is_trusted && s->damaged_at != UINT64_MAX)
        return;
    s->tail->has_line = true;
    s->tail->last = line;
    s->tail->last_bytes = bytes;
    memcpy(s->tail->last_text, piece, bytes);
}

/* The whole pieces of `bytes`; returns how many bytes they are. What is left has no newline. */
static size_t scan_pieces(struct scan *s, const char *at, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    const char *newline;
    while (done < bytes && (newline = memchr(at + done, '\n', bytes - done)) != NULL) {
        size_t count = (size_t)(newline + 1 - (at + done));
        if (!s->skips)
            scan_piece(s, at + done, count, offset + done);
        s->skips = false;
        done += count;
    }
    return done;
}

static settle_status scan_range(struct scan *s, int fd, const char *name, uint64_t from, uint64_t to, char *buffer,
                                settle_error *error)
{
    size_t held = 0;
    for (uint64_t at = from; at < to;) {
        size_t count = to - at < SCAN_BYTES - held ? (size_t)(to - at) : SCAN_BYTES - held;
        settle_status status = file_read_zeros(fd, name, at, buffer + held, count, error);
        if (status != SETTLE_OK)
            return status;
        uint64_t offset = at - held;
        at += count;
        size_t bytes = held + count, done = scan_pieces(s, buffer, bytes, offset);
        held = bytes - done;
        memmove(buffer, buffer + done, held);
        if (held > SCAN_BYTES / 2 || (at == to && held > 0)) { /* no line is so long; or the last piece */
            if (!s->skips || bytes_are_zero((const uint8_t *)buffer, held))
                scan_piece(s, buffer, held, offset + done);
            s->skips = true;
            held = 0;
        }
    }
    return SETTLE_OK;
}

/* The last whole line before `to`, where all is in order. */
static settle_status scan_back(struct scan *s, int fd, const char *name, uint64_t to, char *buffer, settle_error *error)
{
    for (uint64_t back = BACK_BYTES;; back *= 2) {
        uint64_t from = back < to ? to - back : 0;
        s->skips = from > 0;
        settle_status status = scan_range(s, fd, name, from, to, buffer, error);
        if (status != SETTLE_OK || s->tail->has_line || from == 0)
            return status;
    }
}

static settle_status byte_before(int fd, const char *name, uint64_t offset, char *ret_byte, settle_error *error)
{
    *ret_byte = '\n';
    return offset == 0 ? SETTLE_OK : file_read_zeros(fd, name, offset - 1, ret_byte, 1, error);
}

static settle_status tail_read(struct scan *s, int fd, const char *name, uint64_t from, char *buffer,
                               settle_error *error)
{
    struct log_tail *tail = s->tail;
    char byte = '\n';
    settle_status status = file_size(fd, name, &tail->file_bytes, error);
    if (status == SETTLE_OK && from <= tail->file_bytes)
        status = byte_before(fd, name, from, &byte, error);
    if (from > tail->file_bytes || byte != '\n')
        from = 0; /* not the file that was synced */
    tail->trusted_bytes = from;
    if (status == SETTLE_OK)
        status = scan_range(s, fd, name, from, tail->file_bytes, buffer, error);
    bool has_damage = s->damaged_at != UINT64_MAX;
    if (status == SETTLE_OK && !tail->has_line && from > 0) {
        s->is_trusted = true;
        status = scan_back(s, fd, name, from, buffer, error);
    }
    if (status != SETTLE_OK)
        return status;
    tail->kept_bytes = has_damage && s->damaged_is_ours ? s->damaged_at : tail->file_bytes;
    status = byte_before(fd, name, tail->kept_bytes, &byte, error);
    tail->needs_newline = byte != '\n';
    return status;
}

settle_status log_tail_read(int fd, const char *name, uint64_t from, const struct mem *mem, struct log_tail *ret_tail,
                            settle_error *error)
{
    char *buffer = mem_alloc(mem, SCAN_BYTES, 1);
    if (buffer == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory to look at a log file");
    memset(ret_tail, 0, sizeof *ret_tail);
    struct scan scan = {.tail = ret_tail, .damaged_at = UINT64_MAX};
    settle_status status = tail_read(&scan, fd, name, from, buffer, error);
    mem_free(mem, buffer);
    return status;
}
