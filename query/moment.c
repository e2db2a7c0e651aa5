/*
 * moment.c — moments as people write them, and the event a moment stands for: the last one that was recorded as
 * PERSISTED by then.
 *
 * PERSISTED records follow each other without gap or overlap and their times never fall (the reader checks both), so that
 * a moment is a cut between two sequence numbers. Owns nothing.
 */
#define _GNU_SOURCE /* timegm */
#include <string.h>
#include <time.h>

#include "journal/base/clock.h"
#include "query/internal.h"

/* ---- Text ---- */

uint64_t query_now_us(void)
{
    return clock_system_us(NULL);
}

/* `count` digits; *at goes behind them. */
static bool take_number(const char **at, unsigned count, int *ret_number)
{
    int number = 0;
    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return false;
        number = number * 10 + (**at - '0');
    }
    *ret_number = number;
    return true;
}

static bool take_letter(const char **at, const char *letters)
{
    if (**at == '\0' || strchr(letters, **at) == NULL)
        return false;
    (*at)++;
    return true;
}

/* ".123456": the microseconds; further digits are cut off, which no time in whole microseconds notices. */
static bool take_fraction(const char **at, int *ret_micros)
{
    int micros = 0, weight = 100000;
    *ret_micros = 0;
    if (**at != '.')
        return true;
    (*at)++;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
        micros += (**at - '0') * weight;
    *ret_micros = micros;
    return true;
}

/* "Z" or "+02:00": seconds east of Greenwich. */
static bool take_zone(const char **at, int *ret_seconds)
{
    int hours = 0, minutes = 0;
    bool is_west = **at == '-';
    *ret_seconds = 0;
    if (take_letter(at, "Zz"))
        return true;
    if (!take_letter(at, "+-") || !take_number(at, 2, &hours) || !take_letter(at, ":") ||
        !take_number(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 60 + minutes) * (is_west ? -60 : 60);
    return true;
}

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap);
}

/* RFC 3339. A leap second (:60) is the second that follows it. */
static bool parse_calendar(const char *at, uint64_t *ret_time_us)
{
    int year = 0, month = 0, micros = 0, zone = 0;
    struct tm tm = {0};
    bool is_good = take_number(&at, 4, &year) && take_letter(&at, "-") && take_number(&at, 2, &month) &&
                   take_letter(&at, "-") && take_number(&at, 2, &tm.tm_mday) && take_letter(&at, "Tt ") &&
                   take_number(&at, 2, &tm.tm_hour) && take_letter(&at, ":") && take_number(&at, 2, &tm.tm_min) &&
                   take_letter(&at, ":") && take_number(&at, 2, &tm.tm_sec) && take_fraction(&at, &micros) &&
                   take_zone(&at, &zone) && *at == '\0';
    if (!is_good || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > days_of_month(year, month) ||
        tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    int64_t seconds = (int64_t)timegm(&tm) - zone;
    *ret_time_us = seconds < 0 ? 0 : (uint64_t)seconds * 1000000 + (uint64_t)micros;
    return true;
}

/* "90s", "30m", "1h", "2d", "1w" before now. */
static bool parse_ago(const char *text, uint64_t now_us, uint64_t *ret_time_us)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char digits[PRINT_U64_BYTES];
    size_t bytes = strlen(text);
    uint64_t count = 0, ago_us = 0;
    if (bytes < 2 || bytes > sizeof digits)
        return false;
    memcpy(digits, text, bytes - 1);
    digits[bytes - 1] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].letter != text[bytes - 1])
            continue;
        if (!query_u64_parse(digits, &count))
            return false;
        if (__builtin_mul_overflow(count, units[i].seconds * 1000000, &ago_us))
            ago_us = UINT64_MAX;
        *ret_time_us = ago_us > now_us ? 0 : now_us - ago_us;
        return true;
    }
    return false;
}

bool query_time_parse(const char *text, uint64_t now_us, uint64_t *ret_time_us)
{
    uint64_t ms = 0, time_us = 0;
    if (text[0] == '-')
        return parse_ago(text + 1, now_us, ret_time_us);
    if (!query_u64_parse(text, &ms))
        return parse_calendar(text, ret_time_us);
    if (__builtin_mul_overflow(ms, UINT64_C(1000), &time_us))
        return false;
    *ret_time_us = time_us;
    return true;
}

/* ---- The cut ---- */

/* When a segment's first frame begins; UINT64_MAX where it has none. */
static settle_status segment_time(struct journal_reader *reader, size_t index, uint64_t *ret_time_us,
                                  settle_error *error)
{
    const struct segment_header *header = &journal_reader_segments(reader)->entries[index].header;
    struct journal_point point;
    struct frame frame;
    settle_status status = journal_reader_begin_segment(reader, header->ordinal * header->segment_bytes, &point, error);
    if (status == SETTLE_OK)
        status = journal_reader_next(reader, &point, &frame, error);
    if (status != SETTLE_OK && status != SETTLE_E_END)
        return status;
    *ret_time_us = status == SETTLE_OK ? frame.time_us : UINT64_MAX;
    return SETTLE_OK;
}

/* How many segments begin not later than a time. */
static settle_status segments_until(struct journal_reader *reader, uint64_t time_us, size_t *ret_count,
                                    settle_error *error)
{
    size_t low = 0, high = journal_reader_segments(reader)->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t begins_us = 0;
        settle_status status = segment_time(reader, middle, &begins_us, error);
        if (status != SETTLE_OK)
            return status;
        if (begins_us <= time_us)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_count = low;
    return SETTLE_OK;
}

/* The time of a frame's PERSISTED record, which it has. */
static uint64_t persisted_time(const struct frame *frame)
{
    struct record record = {.kind = RECORD_CONSUMED};
    size_t offset = 0;
    while (record.kind != RECORD_PERSISTED && frame_next_record(frame, &offset, &record))
        continue;
    return record.u.persisted.time_us;
}

/* From the beginning of a segment on. *ret_is_known: there was a PERSISTED record that tells. */
static settle_status cut_from(struct view *view, size_t index, uint64_t time_us, uint64_t *ret_seq, bool *ret_is_known,
                              settle_error *error)
{
    const struct segment_header *header = &journal_reader_segments(view->reader)->entries[index].header;
    struct journal_point point;
    struct frame frame;
    settle_status status =
        journal_reader_begin_segment(view->reader, header->ordinal * header->segment_bytes, &point, error);
    while (status == SETTLE_OK && point.position < view->end.position) {
        status = journal_reader_next(view->reader, &point, &frame, error);
        if (status != SETTLE_OK || frame.persisted_last_seq == 0)
            continue;
        if (persisted_time(&frame) > time_us) {
            *ret_seq = frame.persisted_first_seq - 1;
            *ret_is_known = true;
            return SETTLE_OK;
        }
        *ret_seq = frame.persisted_last_seq;
        *ret_is_known = true;
    }
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

settle_status query_seq_at(struct query *query, uint64_t time_us, uint64_t *ret_seq, settle_error *error)
{
    uint64_t seq = 0;
    bool is_known = false;
    size_t count = 0;
    settle_status status = segments_until(query->view.reader, time_us, &count, error);
    while (status == SETTLE_OK && count > 0 && !is_known)
        status = cut_from(&query->view, --count, time_us, &seq, &is_known, error);
    if (status == SETTLE_OK)
        *ret_seq = seq;
    return status;
}
