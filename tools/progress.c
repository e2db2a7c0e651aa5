/* progress.c — see progress.h. Owns the last line of standard error while ingest runs on a terminal. */
#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/report.h"

#define BAR_WIDTH 30u
#define GROUPED_BYTES 32

uint64_t progress_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* 1234567 → "1,234,567". */
static const char *grouped(uint64_t value, char ret_text[GROUPED_BYTES])
{
    char digits[PRINT_U64_BYTES];
    size_t count = strlen(print_u64(value, digits)), used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            ret_text[used++] = ',';
        ret_text[used++] = digits[i];
    }
    ret_text[used] = '\0';
    return ret_text;
}

void progress_format(uint64_t events, uint64_t elapsed_us, uint64_t bytes_read, uint64_t bytes_total,
                     char ret_line[PROGRESS_BYTES])
{
    char total[GROUPED_BYTES], speed[GROUPED_BYTES], bar[BAR_WIDTH + 1];
    uint64_t elapsed_ms = elapsed_us / 1000;
    grouped(events, total);
    grouped(elapsed_ms == 0 ? 0 : (uint64_t)((settle_uint128)events * 1000 / elapsed_ms), speed);
    if (bytes_total == 0) {
        snprintf(ret_line, PROGRESS_BYTES, "%s events  %s/s", total, speed);
        return;
    }
    uint64_t done = bytes_read < bytes_total ? bytes_read : bytes_total;
    unsigned percent = (unsigned)((settle_uint128)done * 100 / bytes_total);
    unsigned filled = (unsigned)((settle_uint128)done * BAR_WIDTH / bytes_total);
    memset(bar, '-', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    snprintf(ret_line, PROGRESS_BYTES, "[%s] %3u%%  %s events  %s/s", bar, percent, total, speed);
}

bool progress_is_wanted(const struct invocation *invocation)
{
    return !invocation->as_json && !invocation->is_quiet && isatty(STDERR_FILENO) == 1;
}

void progress_show(const char *line)
{
    struct out out;
    out_init(&out, report_stderr, NULL);
    out_text(&out, "\r\033[K");
    out_text(&out, line);
    (void)out_flush(&out);
    report_progress_stands(true);
}

void progress_wipe(void)
{
    struct out out;
    report_progress_stands(false);
    out_init(&out, report_stderr, NULL);
    out_text(&out, "\r\033[K");
    (void)out_flush(&out);
}
