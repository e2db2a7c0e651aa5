/*
 * logs_files.c — see logs.h. Owns the descriptor and the buffers of a stream. Changes nothing in the directory.
 */
#include "query/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "journal/base/status.h"

/* ---- The list ---- */

settle_status logs_list_read(int dir_fd, struct logs_list *ret_list, settle_error *error)
{
    struct log_list rotated;
    settle_status status = log_list_read(dir_fd, &mem_libc, true, &rotated, error);
    if (status != SETTLE_OK)
        return status;
    struct logs_list list = {calloc(rotated.count + 1, sizeof *list.files), 0};
    for (size_t i = 0; list.files != NULL && i < rotated.count; i++) {
        const struct log_name *name = &rotated.files[i].name;
        bool is_copy =
            i > 0 && log_name_compare(name, &rotated.files[i - 1].name) == 0; /* the packed one of the same */
        if (name->is_partial || is_copy)
            continue;
        struct logs_file *file = &list.files[list.count++];
        *file = (struct logs_file){.is_compressed = name->is_compressed, .day = name->day};
        log_name_format(name, file->name);
    }
    log_list_free(&rotated, &mem_libc);
    if (list.files == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a list of log files");
    if (file_exists_at(dir_fd, LOG_NAME))
        list.files[list.count++] = (struct logs_file){.name = LOG_NAME, .is_current = true};
    *ret_list = list;
    return SETTLE_OK;
}

void logs_list_free(struct logs_list *list)
{
    free(list->files);
    *list = (struct logs_list){NULL, 0};
}

/* ---- Streams ---- */

#define INPUT_BYTES ((size_t)128 << 10)
#define LINES_BYTES ((size_t)256 << 10)

struct logs_stream {
    int fd;
    char name[LOG_NAME_BYTES];
    ZSTD_DStream *unpack; /* NULL: the file is plain */
    ZSTD_inBuffer input;
    size_t unpack_wants; /* 0: a whole frame is unpacked */
    bool is_at_end;      /* nothing more comes into `lines` */
    size_t begin, end;   /* of what is left in `lines` */
    char packed[INPUT_BYTES];
    char lines[LINES_BYTES];
};

settle_status logs_stream_open(int dir_fd, const struct logs_file *file, struct logs_stream **ret_stream,
                               settle_error *error)
{
    struct logs_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for reading a log file");
    settle_status status = SETTLE_OK;
    /* Not through base/file.h: whoever may read the lines may check them. */
    do {
        stream->fd = openat(dir_fd, file->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    } while (stream->fd < 0 && errno == EINTR);
    if (stream->fd < 0)
        status = fail_errno(error, errno, file->name, "opening a log file");
    memcpy(stream->name, file->name, sizeof stream->name);
    stream->input.src = stream->packed;
    if (status == SETTLE_OK && file->is_compressed) {
        stream->unpack = ZSTD_createDStream();
        if (stream->unpack == NULL)
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory for zstd");
    }
    if (status == SETTLE_OK)
        *ret_stream = stream;
    else
        logs_stream_close(stream);
    return status;
}

void logs_stream_close(struct logs_stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->fd >= 0)
        (void)close(stream->fd);
    ZSTD_freeDStream(stream->unpack);
    free(stream);
}

/* As many bytes as there are, up to count; 0: the file's end. */
static settle_status read_some(struct logs_stream *s, char *bytes, size_t count, size_t *ret_count, settle_error *error)
{
    ssize_t got = read(s->fd, bytes, count);
    while (got < 0 && errno == EINTR)
        got = read(s->fd, bytes, count);
    if (got < 0)
        return fail_errno(error, errno, s->name, "reading a log file");
    *ret_count = (size_t)got;
    return SETTLE_OK;
}

static settle_status unpack_some(struct logs_stream *s, size_t *ret_count, settle_error *error)
{
    ZSTD_outBuffer output = {s->lines + s->end, LINES_BYTES - s->end, 0};
    while (output.pos == 0) {
        if (s->input.pos == s->input.size) {
            size_t count = 0;
            settle_status status = read_some(s, s->packed, INPUT_BYTES, &count, error);
            if (status != SETTLE_OK)
                return status;
            if (count == 0)
                break;
            s->input = (ZSTD_inBuffer){s->packed, count, 0};
        }
        s->unpack_wants = ZSTD_decompressStream(s->unpack, &output, &s->input);
        if (ZSTD_isError(s->unpack_wants))
            return fail_at(error, SETTLE_E_CORRUPT, s->name, 0, 0, "not unpacked: %s",
                           ZSTD_getErrorName(s->unpack_wants));
    }
    if (output.pos == 0 && s->unpack_wants != 0)
        return fail_at(error, SETTLE_E_CORRUPT, s->name, 0, 0, "not unpacked: the file ends too early");
    *ret_count = output.pos;
    return SETTLE_OK;
}

/* More bytes behind those that are left. */
static settle_status stream_fill(struct logs_stream *s, settle_error *error)
{
    size_t count = 0;
    memmove(s->lines, s->lines + s->begin, s->end - s->begin);
    s->end -= s->begin;
    s->begin = 0;
    settle_status status = s->unpack != NULL ? unpack_some(s, &count, error)
                                             : read_some(s, s->lines + s->end, LINES_BYTES - s->end, &count, error);
    s->end += count;
    s->is_at_end = count == 0;
    return status;
}

settle_status logs_stream_next(struct logs_stream *stream, const char **ret_line, size_t *ret_bytes,
                               settle_error *error)
{
    struct logs_stream *s = stream;
    size_t seen = 0;
    for (;;) {
        const char *newline = memchr(s->lines + s->begin + seen, '\n', s->end - s->begin - seen);
        seen = s->end - s->begin;
        bool is_last = s->is_at_end || seen == LINES_BYTES;
        if (newline == NULL && is_last && seen == 0)
            return SETTLE_E_END;
        if (newline != NULL || is_last) {
            *ret_line = s->lines + s->begin;
            *ret_bytes = newline != NULL ? (size_t)(newline - *ret_line) + 1 : seen;
            s->begin += *ret_bytes;
            return SETTLE_OK;
        }
        settle_status status = stream_fill(s, error);
        if (status != SETTLE_OK)
            return status;
    }
}
