/* report.c — see report.h. Owns one flag: whether a progress line stands on the terminal. */
#include "tools/report.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "query/query.h"
#include "tools/oplog.h"

static atomic_bool progress_stands;

void report_progress_stands(bool stands)
{
    atomic_store(&progress_stands, stands);
}

int exit_of_status(settle_status status)
{
    switch (status) {
    case SETTLE_OK:
    case SETTLE_E_END: return EXIT_DONE;
    case SETTLE_E_NOT_FOUND:
    case SETTLE_E_CONFLICT:
    case SETTLE_E_MALFORMED: return EXIT_NEGATIVE;
    case SETTLE_E_INVALID:
    case SETTLE_E_EXISTS: return EXIT_USAGE;
    case SETTLE_E_CORRUPT:
    case SETTLE_E_UNSUPPORTED: return EXIT_CORRUPT;
    case SETTLE_E_BUSY: return EXIT_BUSY;
    case SETTLE_E_IO:
    case SETTLE_E_NO_SPACE:
    case SETTLE_E_NO_MEMORY:
    case SETTLE_E_LATCHED:
    case SETTLE_E_ACCESS: break;
    }
    return EXIT_IO;
}

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

bool report_stdout(void *context, const char *bytes, size_t count)
{
    (void)context;
    return write_all(STDOUT_FILENO, bytes, count);
}

bool report_stderr(void *context, const char *bytes, size_t count)
{
    (void)context;
    return write_all(STDERR_FILENO, bytes, count);
}

static void begin(struct out *out)
{
    out_init(out, report_stderr, NULL);
    if (atomic_load(&progress_stands))
        out_text(out, "\r\033[K");
}

/* "SETTLE_E_NO_SPACE" → "no_space". */
static const char *error_word(settle_status status, char ret_word[32])
{
    const char *name = settle_status_name(status);
    size_t skip = strlen("SETTLE_E_"), i = 0;
    if (strlen(name) <= skip)
        return strcpy(ret_word, "error");
    for (; name[skip + i] != '\0' && i < 31; i++)
        ret_word[i] = (char)tolower((unsigned char)name[skip + i]);
    ret_word[i] = '\0';
    return ret_word;
}

struct error_report {
    const char *word; /* of "error" in JSON */
    int exit_status;
    const char *message;
    const char *file; /* NULL or "": unknown */
    uint64_t offset, seq;
};

static int tell_error(const struct invocation *invocation, const struct error_report *report)
{
    struct out out;
    bool has_file = report->file != NULL && report->file[0] != '\0';
    oplog_write(SETTLE_LOG_ERROR, "%s", report->message);
    begin(&out);
    if (invocation->as_json) {
        struct json json = json_on(&out);
        json_object(&json, NULL);
        json_string(&json, "error", report->word);
        json_u64(&json, "status", (uint64_t)report->exit_status);
        json_string(&json, "message", report->message);
        json_string(&json, "file", has_file ? report->file : NULL);
        if (has_file)
            json_u64(&json, "offset", report->offset);
        else
            json_null(&json, "offset");
        if (report->seq != 0)
            json_u64(&json, "seq", report->seq);
        else
            json_null(&json, "seq");
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_text(&out, "settlectl: ");
        out_visible(&out, report->message);
        if (has_file && strstr(report->message, report->file) == NULL) {
            out_text(&out, " (");
            out_visible(&out, report->file);
            if (report->offset != 0) {
                out_text(&out, ", byte ");
                out_u64(&out, report->offset);
            }
            out_text(&out, ")");
        }
        if (report->seq != 0) {
            out_text(&out, " (seq ");
            out_u64(&out, report->seq);
            out_text(&out, ")");
        }
        out_text(&out, "\n");
    }
    (void)out_flush(&out);
    return report->exit_status;
}

int report_error(const struct invocation *invocation, settle_status status, const settle_error *error)
{
    char word[32];
    return tell_error(invocation, &(struct error_report){
                                      .word = error_word(status, word),
                                      .exit_status = exit_of_status(status),
                                      .message = error->text[0] != '\0' ? error->text : settle_status_sentence(status),
                                      .file = error->file,
                                      .offset = error->offset_bytes,
                                      .seq = error->seq,
                                  });
}

#define FORMAT_INTO(text, format)                                                                                      \
    do {                                                                                                               \
        va_list arguments;                                                                                             \
        va_start(arguments, format);                                                                                   \
        (void)vsnprintf(text, sizeof(text), format, arguments);                                                        \
        va_end(arguments);                                                                                             \
    } while (0)

const settle_error *report_text(settle_error *error, const char *format, ...)
{
    FORMAT_INTO(error->text, format);
    return error;
}

int report_usage(const struct invocation *invocation, const char *format, ...)
{
    char text[1024];
    FORMAT_INTO(text, format);
    return tell_error(invocation, &(struct error_report){.word = "usage", .exit_status = EXIT_USAGE, .message = text});
}

int report_negative(const struct invocation *invocation, const char *format, ...)
{
    char text[1024];
    FORMAT_INTO(text, format);
    return tell_error(invocation,
                      &(struct error_report){.word = "not_found", .exit_status = EXIT_NEGATIVE, .message = text});
}

static void tell(const struct invocation *invocation, const char *level, const char *text)
{
    struct out out;
    begin(&out);
    if (invocation->as_json) {
        struct json json = json_on(&out);
        json_object(&json, NULL);
        json_string(&json, "level", level);
        json_string(&json, "message", text);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_text(&out, "settlectl: ");
        if (strcmp(level, "warning") == 0)
            out_text(&out, "warning: ");
        out_visible(&out, text);
        out_text(&out, "\n");
    }
    (void)out_flush(&out);
}

void report_warning(const struct invocation *invocation, const char *format, ...)
{
    char text[1024];
    FORMAT_INTO(text, format);
    oplog_write(SETTLE_LOG_WARNING, "%s", text);
    tell(invocation, "warning", text);
}

void report_note(const struct invocation *invocation, const char *format, ...)
{
    char text[1024];
    FORMAT_INTO(text, format);
    oplog_write(SETTLE_LOG_INFO, "%s", text);
    if (!invocation->is_quiet)
        tell(invocation, "info", text);
}

void report_log(void *context, settle_log_level level, const char *message)
{
    const struct invocation *invocation = context;
    oplog_write(level, "%s", message);
    if (level != SETTLE_LOG_INFO && level != SETTLE_LOG_DEBUG)
        tell(invocation, "warning", message);
    else if (level == SETTLE_LOG_INFO && !invocation->is_quiet)
        tell(invocation, "info", message);
}

void report_malformed(const struct invocation *invocation, const char *file, uint64_t line, size_t byte,
                      const char *reason)
{
    struct out out;
    begin(&out);
    if (invocation->as_json) {
        struct json json = json_on(&out);
        json_object(&json, NULL);
        json_string(&json, "error", "malformed");
        json_string(&json, "file", file);
        json_u64(&json, "line", line);
        json_u64(&json, "byte", byte);
        json_string(&json, "message", reason);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_visible(&out, file);
        out_text(&out, ":");
        out_u64(&out, line);
        out_text(&out, ":");
        out_u64(&out, byte);
        out_text(&out, ": ");
        out_visible(&out, reason);
        out_text(&out, "\n");
    }
    (void)out_flush(&out);
}

void report_reject_file(const struct invocation *invocation, const char *path)
{
    struct out out;
    oplog_write(SETTLE_LOG_WARNING, "malformed lines were copied to %s", path);
    begin(&out);
    if (invocation->as_json) {
        struct json json = json_on(&out);
        json_object(&json, NULL);
        json_string(&json, "level", "warning");
        json_string(&json, "message", "malformed lines were copied to the reject file");
        json_string(&json, "reject_file", path);
        json_object_end(&json);
        json_line_end(&json);
    } else {
        out_text(&out, "settlectl: malformed lines were copied to ");
        out_visible(&out, path);
        out_text(&out, "\n");
    }
    (void)out_flush(&out);
}

void report_store_fault(const struct invocation *invocation, const struct query *query)
{
    const settle_error *fault = query_store_fault(query);
    if (fault != NULL && fault->status != SETTLE_E_NOT_FOUND)
        report_warning(invocation, "the store is not used, the journal answers: %s", fault->text);
}

int report_finish(struct invocation *invocation, int exit_status)
{
    if (out_flush(&invocation->out))
        return exit_status;
    if (invocation->out.failed_errno == EPIPE) /* whoever read had enough; SIGPIPE is being ignored */
        return EXIT_IO;
    char text[256];
    snprintf(text, sizeof text, "cannot write to standard output: %s", strerror(invocation->out.failed_errno));
    return tell_error(invocation, &(struct error_report){.word = "io", .exit_status = EXIT_IO, .message = text});
}
