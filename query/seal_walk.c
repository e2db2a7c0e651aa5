/* seal_walk.c — see seal.h. A walk owns the data directory's descriptor, its reader and what it has hashed. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/place.h"
#include "query/print.h"
#include "query/seal.h"

settle_status seal_read(const char *path, struct sealed *ret_sealed, settle_error *error)
{
    char text[SEAL_TEXT_BYTES_MAX];
    size_t count = 0;
    settle_status status = place_read(path, text, sizeof text, &count, error);
    return status == SETTLE_OK ? seal_decode(text, count, path, ret_sealed, error) : status;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------- */

settle_status seal_walk_open(const char *directory, struct seal_walk *ret_walk, settle_error *error)
{
    struct seal_walk walk = {.data_fd = -1};
    settle_status status = dir_open(directory, false, &walk.data_fd, error);
    if (status == SETTLE_OK)
        status = view_reader_open(walk.data_fd, &mem_libc, &walk.reader, error);
    if (status != SETTLE_OK) {
        file_close(walk.data_fd);
        return status;
    }
    seal_walk_rewind(&walk);
    *ret_walk = walk;
    return SETTLE_OK;
}

void seal_walk_close(struct seal_walk *walk)
{
    sealing_deinit(&walk->sealing);
    journal_reader_close(walk->reader);
    file_close(walk->data_fd);
    *walk = (struct seal_walk){.data_fd = -1};
}

void seal_walk_rewind(struct seal_walk *walk)
{
    struct journal_point begin;
    journal_reader_begin(walk->reader, &begin);
    sealing_deinit(&walk->sealing);
    sealing_init(&walk->sealing, journal_reader_id(walk->reader), &begin, &mem_libc);
}

settle_status seal_walk_next(struct seal_walk *walk, leaf_visit visit, void *context, settle_error *error)
{
    struct journal_point point = walk->sealing.point;
    struct frame frame;
    settle_status status = journal_reader_next(walk->reader, &point, &frame, error);
    return status == SETTLE_OK ? sealing_add(&walk->sealing, &frame, &point, visit, context, error) : status;
}

struct seal seal_of_walk(const struct seal_walk *walk)
{
    const struct sealing *s = &walk->sealing;
    struct seal seal = {.size = s->tree.size,
                        .root = merkle_root(&s->tree),
                        .position = s->point.position,
                        .frames = s->frames,
                        .time_us = s->point.time_us,
                        .assets = sealing_assets(s)};
    memcpy(seal.journal_id, s->journal_id, sizeof seal.journal_id);
    return seal;
}

/* What a sentence calls a seal: by its name, or the only one there is. */
#define CALLED_BYTES 128
static const char *called(const char *name, char ret_text[CALLED_BYTES])
{
    if (name == NULL)
        return "the seal given";
    snprintf(ret_text, CALLED_BYTES, "seal %.100s", name);
    return ret_text;
}

/* The walk stands at the end of the seal, or where the journal has no such place. */
static settle_status compare(const struct seal_walk *walk, const struct sealed *sealed, const char *name,
                             settle_error *error)
{
    const struct seal *was = &sealed->seal;
    const struct seal is = seal_of_walk(walk);
    const char *plural = print_plural(was->size), *file = name != NULL ? name : "";
    char text[CALLED_BYTES];
    if (is.position != was->position)
        return fail_at(error, SETTLE_E_CONFLICT, file, 0, 0,
                       "the journal is not what was sealed: no frame ends at position %" PRIu64
                       ", where %s ends; one ends at %" PRIu64 " (seq %" PRIu64 ")",
                       was->position, called(name, text), is.position, is.size);
    if (is.size != was->size)
        return fail_at(error, SETTLE_E_CONFLICT, file, 0, 0,
                       "the journal is not what was sealed: it has %" PRIu64 " event%s up to position %" PRIu64
                       ", %s has %" PRIu64,
                       is.size, print_plural(is.size), is.position, called(name, text), was->size);
    if (!digest_equal(&is.root, &was->root))
        return fail_at(error, SETTLE_E_CONFLICT, file, 0, 0,
                       "the journal is not what was sealed: its first %" PRIu64 " event%s ha%s another root than %s",
                       was->size, plural, was->size == 1 ? "s" : "ve", called(name, text));
    if (!seal_equal(&is, was))
        return fail_at(error, SETTLE_E_CONFLICT, file, 0, 0,
                       "the journal is not what was sealed: its %" PRIu64 " event%s %s of %s, but its frames up to "
                       "position %" PRIu64
                       " are others (an ASSET, SOURCE or PERSISTED record, or how events share frames)",
                       was->size, plural, was->size == 1 ? "is that" : "are those", called(name, text), was->position);
    return SETTLE_OK;
}

settle_status seal_walk_to(struct seal_walk *walk, const struct sealed *sealed, const char *name, leaf_visit visit,
                           void *context, settle_error *error)
{
    settle_status status = SETTLE_OK;
    const char *file = name != NULL ? name : "";
    char text[CALLED_BYTES];
    if (memcmp(sealed->seal.journal_id, walk->sealing.journal_id, 16) != 0)
        return fail_at(error, SETTLE_E_CONFLICT, file, 0, 0, "%s is of another journal than this one",
                       called(name, text));
    while (status == SETTLE_OK && walk->sealing.point.position < sealed->seal.position)
        status = seal_walk_next(walk, visit, context, error);
    if (status == SETTLE_E_END)
        return fail_at(error, SETTLE_E_CONFLICT, file, 0, 0,
                       "the journal was rolled back: it ends behind seq %" PRIu64 " at position %" PRIu64
                       ", and %s covers it up to seq %" PRIu64 " and position %" PRIu64,
                       walk->sealing.tree.size, walk->sealing.point.position, called(name, text), sealed->seal.size,
                       sealed->seal.position);
    return status == SETTLE_OK ? compare(walk, sealed, name, error) : status;
}

/* ---- The seals of a data directory ------------------------------------------------------------------------------- */

/* "{20 digits}.seal" or "{20 digits}-{20 digits}.seal". */
static bool entry_parse(const char *name, struct seal_entry *ret_entry)
{
    struct seal_entry entry = {.size = 0};
    size_t bytes = strlen(name);
    int consumed = 0;
    bool has_position = bytes == 46;
    if ((bytes != 25 && !has_position) || strspn(name, "0123456789") != 20)
        return false;
    entry.size = strtoull(name, NULL, 10);
    if (has_position && (name[20] != '-' || strspn(name + 21, "0123456789") != 20))
        return false;
    if (has_position)
        entry.position = strtoull(name + 21, NULL, 10);
    consumed = has_position ? 41 : 20;
    memcpy(entry.name, name, bytes + 1);
    *ret_entry = entry;
    return strcmp(name + consumed, ".seal") == 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct seal_entry *left = a, *right = b;
    if (left->size != right->size)
        return left->size < right->size ? -1 : 1;
    return left->position < right->position ? -1 : left->position > right->position;
}

settle_status seal_list_open(int data_fd, bool create, struct seal_list *ret_list, settle_error *error)
{
    struct seal_list list = {.fd = -1};
    char **names = NULL;
    size_t count = 0;
    settle_status status = dir_open_at(data_fd, SEALS_NAME, create, &list.fd, error);
    if (status == SETTLE_E_NOT_FOUND && !create) {
        *ret_list = list;
        return SETTLE_OK;
    }
    if (status == SETTLE_OK)
        status = dir_list(list.fd, SEALS_NAME, &mem_libc, &names, &count, error);
    if (status == SETTLE_OK) {
        list.entries = calloc(count + 1, sizeof *list.entries);
        if (list.entries == NULL)
            status = fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu seals", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (status == SETTLE_OK && entry_parse(names[i], &list.entries[list.count]))
            list.count++;
    }
    dir_list_free(names, count, &mem_libc);
    if (status != SETTLE_OK) {
        seal_list_close(&list);
        return status;
    }
    qsort(list.entries, list.count, sizeof *list.entries, compare_entries);
    *ret_list = list;
    return SETTLE_OK;
}

void seal_list_close(struct seal_list *list)
{
    free(list->entries);
    file_close(list->fd);
    *list = (struct seal_list){.fd = -1};
}

settle_status seal_list_read(const struct seal_list *list, size_t index, struct sealed *ret_sealed, settle_error *error)
{
    assert(index < list->count);
    char path[sizeof SEALS_NAME + 64], text[SEAL_TEXT_BYTES_MAX];
    const char *name = list->entries[index].name;
    uint64_t bytes = 0;
    int fd = -1;
    snprintf(path, sizeof path, SEALS_NAME "/%s", name);
    settle_status status = file_open_at(list->fd, name, FILE_READ, &fd, error);
    if (status == SETTLE_OK)
        status = file_size(fd, path, &bytes, error);
    if (status == SETTLE_OK && bytes > sizeof text)
        status = fail_at(error, SETTLE_E_MALFORMED, path, sizeof text, 0, "not a seal: it is longer than one");
    if (status == SETTLE_OK)
        status = file_read_zeros(fd, path, 0, text, (size_t)bytes, error);
    file_close(fd);
    return status == SETTLE_OK ? seal_decode(text, (size_t)bytes, path, ret_sealed, error) : status;
}

settle_status seal_list_newest(const struct seal_list *list, const struct seal_key *key, size_t end,
                               struct sealed *ret_sealed, size_t *ret_index, settle_error *error)
{
    for (size_t i = end; i > 0; i--) {
        struct sealed sealed;
        settle_status status = seal_list_read(list, i - 1, &sealed, error);
        if (status != SETTLE_OK && status != SETTLE_E_MALFORMED && status != SETTLE_E_ACCESS)
            return status;
        if (status != SETTLE_OK || !seal_is_signed_by(&sealed, key))
            continue;
        *ret_sealed = sealed;
        *ret_index = i - 1;
        return SETTLE_OK;
    }
    *ret_index = list->count;
    return SETTLE_OK;
}
