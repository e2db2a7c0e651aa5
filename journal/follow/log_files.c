/*
 * log_files.c — names, list and order of rotated log files.
 *
 * Invariant: a name that these functions did not make is never one of ours: it is not listed, so nothing happens to it.
 */
#include "journal/follow/log_files.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "journal/base/clock.h"
#include "journal/base/sort.h"

#define DAY_US UINT64_C(86400000000)
#define DAY_TEXT_BYTES 10

/* ---- Days ------------------------------------------------------------------------------------------------------- */

uint32_t log_day_of(uint64_t time_us)
{
    uint64_t day = time_us / DAY_US;
    return day < LOG_DAY_MAX ? (uint32_t)day : LOG_DAY_MAX;
}

static void day_format(uint32_t day, char ret_text[CLOCK_TEXT_BYTES])
{
    assert(day <= LOG_DAY_MAX);
    clock_format_us(day * DAY_US, ret_text);
    ret_text[DAY_TEXT_BYTES] = '\0';
}

static bool digits_parse(const char *text, size_t count, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool log_day_parse(const char *text, uint32_t *ret_day)
{
    uint32_t year, month, day_of_month;
    if (strnlen(text, DAY_TEXT_BYTES) < DAY_TEXT_BYTES || text[4] != '-' || text[7] != '-' ||
        !digits_parse(text, 4, &year) || !digits_parse(text + 5, 2, &month) ||
        !digits_parse(text + 8, 2, &day_of_month) || year < 1970 || month < 1 || month > 12 || day_of_month < 1)
        return false;
    /* Days of 400 years from 0000-03-01, as in base/clock.c; what is no date does not come back as the same text. */
    uint32_t y = year - (month <= 2), month_from_march = (month + 9) % 12;
    uint32_t day = y * 365 + y / 4 - y / 100 + y / 400 + (153 * month_from_march + 2) / 5 + day_of_month - 1 - 719468;
    char back[CLOCK_TEXT_BYTES];
    if (day > LOG_DAY_MAX)
        return false;
    day_format(day, back);
    if (memcmp(back, text, DAY_TEXT_BYTES) != 0)
        return false;
    *ret_day = day;
    return true;
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

void log_name_format(const struct log_name *name, char ret_text[LOG_NAME_BYTES])
{
    char day[CLOCK_TEXT_BYTES], part[16] = "";
    assert(name->is_compressed || !name->is_partial);
    day_format(name->day, day);
    if (name->part > 0)
        (void)snprintf(part, sizeof part, ".%03u", (unsigned)name->part);
    int bytes = snprintf(ret_text, LOG_NAME_BYTES, LOG_NAME ".%s%s%s%s", day, part, name->is_compressed ? ".zst" : "",
                         name->is_partial ? ".partial" : "");
    assert(bytes > 0 && bytes < LOG_NAME_BYTES);
    (void)bytes;
}

bool log_name_parse(const char *text, struct log_name *ret_name)
{
    struct log_name name = {0};
    size_t prefix = sizeof LOG_NAME; /* the point behind it in the terminator's place */
    if (strncmp(text, LOG_NAME ".", prefix) != 0 || !log_day_parse(text + prefix, &name.day))
        return false;
    const char *at = text + prefix + DAY_TEXT_BYTES;
    size_t digits = at[0] == '.' ? strspn(at + 1, "0123456789") : 0;
    if (digits > 0) {
        if (digits < 3 || digits > 9)
            return false;
        (void)digits_parse(at + 1, digits, &name.part); /* they are digits */
        if (name.part == 0)
            return false;
        at += 1 + digits;
    }
    name.is_partial = strcmp(at, ".zst.partial") == 0;
    name.is_compressed = name.is_partial || strcmp(at, ".zst") == 0;
    if (*at != '\0' && !name.is_compressed)
        return false;
    char back[LOG_NAME_BYTES];
    log_name_format(&name, back);
    if (strcmp(back, text) != 0)
        return false;
    *ret_name = name;
    return true;
}

int log_name_compare(const struct log_name *a, const struct log_name *b)
{
    if (a->day != b->day)
        return a->day < b->day ? -1 : 1;
    uint32_t part_a = a->part - 1, part_b = b->part - 1; /* no number becomes the greatest */
    return part_a == part_b ? 0 : part_a < part_b ? -1 : 1;
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

static int compare_files(const void *a, const void *b)
{
    const struct log_file *first = a, *second = b;
    int order = log_name_compare(&first->name, &second->name);
    if (order != 0)
        return order;
    int rank_first = first->name.is_compressed + first->name.is_partial;
    return rank_first - (second->name.is_compressed + second->name.is_partial);
}

settle_status log_list_read(int dir_fd, const struct mem *mem, bool with_bytes, struct log_list *ret_list,
                            settle_error *error)
{
    char **names = NULL;
    size_t count = 0;
    settle_status status = dir_list(dir_fd, "the log directory", mem, &names, &count, error);
    if (status != SETTLE_OK)
        return status;
    struct log_list list = {mem_alloc(mem, count + 1, sizeof *list.files), 0, 0};
    if (list.files == NULL)
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a list of %zu files", count);
    for (size_t i = 0; i < count; i++) {
        struct file_identity identity = {.is_regular = true};
        struct log_file *file = &list.files[list.count];
        /* Not there any more: somebody removed it in between. */
        if (status == SETTLE_OK && log_name_parse(names[i], &file->name) &&
            (!with_bytes || file_identify_at(dir_fd, names[i], &identity, NULL) == SETTLE_OK) && identity.is_regular) {
            file->bytes = identity.bytes;
            list.bytes += identity.bytes;
            list.count++;
        }
    }
    dir_list_free(names, count, mem);
    if (status != SETTLE_OK)
        return status;
    sort_in_place(list.files, list.count, sizeof *list.files, compare_files);
    *ret_list = list;
    return SETTLE_OK;
}

void log_list_free(struct log_list *list, const struct mem *mem)
{
    mem_free(mem, list->files);
    *list = (struct log_list){NULL, 0, 0};
}

void log_list_next_name(const struct log_list *list, uint32_t day, bool is_last, uint32_t part_used,
                        struct log_name *ret_name)
{
    uint32_t greatest = part_used;
    bool last_is_taken = false;
    for (size_t i = 0; i < list->count; i++) {
        const struct log_name *name = &list->files[i].name;
        if (name->day != day)
            continue;
        last_is_taken |= name->part == 0;
        if (name->part > greatest)
            greatest = name->part;
    }
    *ret_name = (struct log_name){.day = day, .part = is_last && !last_is_taken ? 0 : greatest + 1};
}

const struct log_file *log_list_newest(const struct log_list *list)
{
    for (size_t i = list->count; i > 0; i--) {
        if (!list->files[i - 1].name.is_compressed)
            return &list->files[i - 1];
    }
    return NULL;
}

size_t log_list_excess(const struct log_list *list, uint32_t newest_day, uint32_t keep_days, uint64_t keep_bytes)
{
    uint64_t left = list->bytes;
    size_t excess = 0;
    for (; excess < list->count; excess++) {
        const struct log_file *file = &list->files[excess];
        bool is_old = keep_days > 0 && newest_day > keep_days && file->name.day < newest_day - keep_days;
        bool is_much = keep_bytes > 0 && left > keep_bytes;
        if (!is_old && !is_much)
            break;
        left -= file->bytes;
    }
    return excess;
}
