/*
 * seal.c — sealing a journal: a signed text in DIR/seals, made by going on where the seal before left off. Reads the
 * journal and writes below seals/ alone, or to one path outside. See docs/seals.md.
 *
 * The order that makes a crash harmless: the seal is whole and durable before the frontier names it, and a frontier
 * that does not fit the newest seal is not used.
 */
#include "query/seal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/place.h"

#define SEAL_PARTIAL_NAME "seal.partial"
#define FRONTIER_PARTIAL_NAME "frontier.partial"
#define FRONTIER_BYTES_MAX ((uint64_t)64 << 20)

struct sealer {
    const struct seal_options *options;
    struct seal_walk walk;
    struct seal_key key;
    struct seal_list list;
    int lock_fd;
    bool has_newest, is_resumed;
    struct sealed newest; /* of the directory, by this key */
    char newest_name[64];
};

/* ---- Keys -------------------------------------------------------------------------------------------------------- */

settle_status query_seal_key(const char *directory, const char *path, settle_error *error)
{
    int data_fd = -1;
    settle_status status = dir_open(directory, false, &data_fd, error);
    if (status == SETTLE_E_NOT_FOUND) /* no data directory yet: nothing to lie inside of */
        status = SETTLE_OK;
    if (status == SETTLE_OK)
        status = key_create(path, data_fd, error);
    file_close(data_fd);
    return status;
}

/* ---- Where the seal before left off ------------------------------------------------------------------------------ */

static settle_status frontier_read(const struct seal_list *list, uint8_t **ret_bytes, size_t *ret_count,
                                   settle_error *error)
{
    uint64_t count = 0;
    uint8_t *bytes = NULL;
    int fd = -1;
    settle_status status = file_open_at(list->fd, FRONTIER_NAME, FILE_READ, &fd, error);
    if (status == SETTLE_OK)
        status = file_size(fd, FRONTIER_NAME, &count, error);
    if (status == SETTLE_OK && (count > FRONTIER_BYTES_MAX || (bytes = malloc((size_t)count + 1)) == NULL))
        status = fail(error, SETTLE_E_NO_MEMORY, "no memory for a frontier of %" PRIu64 " bytes", count);
    if (status == SETTLE_OK)
        status = file_read_zeros(fd, FRONTIER_NAME, 0, bytes, (size_t)count, error);
    file_close(fd);
    if (status != SETTLE_OK) {
        free(bytes);
        return status;
    }
    *ret_bytes = bytes;
    *ret_count = (size_t)count;
    return SETTLE_OK;
}

/*
 * Sets the walk behind the newest seal by the frontier. False: it cannot be used, for whatever reason, and the walk
 * stands at the beginning; what is wrong with the journal is then found on the way.
 */
static bool sealer_resume(struct sealer *s)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    struct sealing sealing = {.assets = NULL};
    struct frame frame;
    const struct seal *seal = &s->newest.seal;
    if (s->list.fd < 0 || frontier_read(&s->list, &bytes, &count, NULL) != SETTLE_OK)
        return false;
    bool is_good = frontier_decode(bytes, count, s->walk.sealing.journal_id, &mem_libc, &sealing);
    free(bytes);
    if (!is_good)
        return false;
    struct journal_point point = sealing.before;
    struct digest root = merkle_root(&sealing.tree);
    if (sealing.point.position == seal->position && sealing.tree.size == seal->size &&
        digest_equal(&root, &seal->root) && journal_reader_next(s->walk.reader, &point, &frame, NULL) == SETTLE_OK &&
        sealing_resume(&sealing, &frame, &point)) {
        sealing_deinit(&s->walk.sealing);
        s->walk.sealing = sealing;
        struct seal is = seal_of_walk(&s->walk);
        if (seal_equal(&is, seal))
            return true;
        seal_walk_rewind(&s->walk);
        return false;
    }
    sealing_deinit(&sealing);
    return false;
}

static settle_status sealer_walk(struct sealer *s, settle_error *error)
{
    settle_status status = SETTLE_OK;
    if (s->has_newest) {
        s->is_resumed = !s->options->check && sealer_resume(s);
        if (!s->is_resumed)
            status = seal_walk_to(&s->walk, &s->newest, s->newest_name, NULL, NULL, error);
    }
    while (status == SETTLE_OK)
        status = seal_walk_next(&s->walk, NULL, NULL, error);
    return status == SETTLE_E_END ? SETTLE_OK : status;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static settle_status write_frontier(struct sealer *s, settle_error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (s->walk.sealing.before.position == 0) /* no frame: nothing to go on behind */
        return SETTLE_OK;
    settle_status status = frontier_encode(&s->walk.sealing, &bytes, &count, error);
    if (status == SETTLE_OK)
        status = place_write_at(s->list.fd, FRONTIER_PARTIAL_NAME, FRONTIER_NAME, true, bytes, count, error);
    mem_free(&mem_libc, bytes);
    return status;
}

/* Into seals/, under a name that is free. */
static settle_status write_entry(struct sealer *s, const struct sealed *sealed, char ret_name[64], settle_error *error)
{
    snprintf(ret_name, 64, "%020" PRIu64 ".seal", sealed->seal.size);
    if (file_exists_at(s->list.fd, ret_name))
        snprintf(ret_name, 64, "%020" PRIu64 "-%020" PRIu64 ".seal", sealed->seal.size, sealed->seal.position);
    return place_write_at(s->list.fd, SEAL_PARTIAL_NAME, ret_name, false, sealed->text, sealed->bytes, error);
}

/* To a path that a user gave: the same seal may be there already. */
static settle_status write_output(const char *path, const struct sealed *sealed, settle_error *error)
{
    struct sealed there;
    if (seal_read(path, &there, NULL) == SETTLE_OK && there.bytes == sealed->bytes &&
        memcmp(there.text, sealed->text, sealed->bytes) == 0)
        return SETTLE_OK;
    return place_write(path, sealed->text, sealed->bytes, error);
}

static settle_status sealer_write(struct sealer *s, const char *directory, const struct sealed *sealed,
                                  struct seal_result *result, settle_error *error)
{
    char name[64];
    if (s->options->output != NULL) {
        snprintf(result->file, sizeof result->file, "%s", s->options->output);
        return write_output(s->options->output, sealed, error);
    }
    memcpy(name, s->newest_name, sizeof name);
    settle_status status = result->is_new ? write_entry(s, sealed, name, error) : SETTLE_OK;
    if (status == SETTLE_OK && (result->is_new || !s->is_resumed))
        status = write_frontier(s, error);
    snprintf(result->file, sizeof result->file, "%s/" SEALS_NAME "/%s", directory, name);
    return status;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static settle_status sealer_open(struct sealer *s, const char *directory, settle_error *error)
{
    bool writes_here = s->options->output == NULL;
    size_t index = 0;
    settle_status status = seal_walk_open(directory, &s->walk, error);
    if (status == SETTLE_OK)
        status = key_read_private(s->options->key_path, s->walk.data_fd, &s->key, error);
    if (status == SETTLE_OK && writes_here) { /* the directory, then its lock, and only then what is in it */
        int fd = -1;
        status = dir_open_at(s->walk.data_fd, SEALS_NAME, true, &fd, error);
        if (status == SETTLE_OK)
            status = lock_take_name_at(fd, "lock", "sealer", &s->lock_fd, error);
        if (status == SETTLE_OK)
            status = lock_sign(s->lock_fd, "lock", error);
        file_close(fd);
    }
    if (status == SETTLE_OK)
        status = seal_list_open(s->walk.data_fd, false, &s->list, error);
    if (status == SETTLE_OK)
        status = seal_list_newest(&s->list, &s->key, s->list.count, &s->newest, &index, error);
    if (status == SETTLE_OK && index < s->list.count) {
        s->has_newest = true;
        memcpy(s->newest_name, s->list.entries[index].name, sizeof s->newest_name);
    }
    return status;
}

static void result_fill(const struct sealer *s, const struct sealed *sealed, struct seal_result *result)
{
    const struct seal *seal = &sealed->seal;
    result->size = seal->size;
    result->position = seal->position;
    result->time_us = seal->time_us;
    result->new_events = seal->size - (s->has_newest ? s->newest.seal.size : 0);
    result->is_resumed = s->is_resumed;
    seal_digest_text(&seal->root, result->root);
    seal_digest_text(&seal->frames, result->frames);
    if (seal->has_previous)
        seal_digest_text(&seal->previous, result->previous);
    seal_verifier(seal->journal_id, &s->key, result->verifier);
    memcpy(result->text, sealed->text, sealed->bytes + 1);
}

static settle_status sealer_run(struct sealer *s, const char *directory, struct seal_result *result,
                                settle_error *error)
{
    struct sealed sealed;
    settle_status status = sealer_open(s, directory, error);
    if (status == SETTLE_OK)
        status = sealer_walk(s, error);
    if (status != SETTLE_OK)
        return status;
    struct seal seal = seal_of_walk(&s->walk);
    result->is_new = !s->has_newest || !seal_equal(&seal, &s->newest.seal);
    if (result->is_new) {
        seal.has_previous = s->has_newest;
        if (s->has_newest)
            seal.previous = seal_text_hash(&s->newest);
        status = seal_sign(&seal, &s->key, &sealed, error);
    } else {
        sealed = s->newest;
    }
    if (status == SETTLE_OK)
        status = sealer_write(s, directory, &sealed, result, error);
    if (status == SETTLE_OK)
        result_fill(s, &sealed, result);
    return status;
}

settle_status query_seal(const char *directory, const struct seal_options *options, struct seal_result *ret_result,
                         settle_error *error)
{
    struct sealer sealer = {.options = options, .walk = {.data_fd = -1}, .list = {.fd = -1}, .lock_fd = -1};
    struct seal_result result = {.is_new = false};
    settle_status status = sealer_run(&sealer, directory, &result, error);
    if (status == SETTLE_OK)
        *ret_result = result;
    file_close(sealer.lock_fd);
    seal_list_close(&sealer.list);
    key_deinit(&sealer.key);
    seal_walk_close(&sealer.walk);
    return status;
}
