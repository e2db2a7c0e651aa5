/*
 * seal_check.c — the journal as it is against a seal. One root tells that something differs and not what; the other
 * seals in the directory narrow it down.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "query/seal.h"

/*
 * How far the journal agrees with the seals that lie in the directory: behind the last of them that it agrees with, and
 * not behind the first one that it does not. Best effort; those seals are believed where the key has signed them.
 */
static void narrow_down(struct seal_walk *walk, const struct seal_key *key, const struct sealed *sealed,
                        struct seal_verdict *verdict)
{
    struct seal_list list = {.fd = -1};
    struct sealed other;
    verdict->differs_until_seq = sealed->seal.size;
    if (seal_list_open(walk->data_fd, false, &list, NULL) != SETTLE_OK)
        return;
    seal_walk_rewind(walk);
    for (size_t i = 0; i < list.count; i++) {
        if (seal_list_read(&list, i, &other, NULL) != SETTLE_OK || !seal_is_signed_by(&other, key) ||
            memcmp(other.seal.journal_id, sealed->seal.journal_id, 16) != 0 ||
            other.seal.position < walk->sealing.point.position || other.seal.position >= sealed->seal.position)
            continue;
        if (seal_walk_to(walk, &other, list.entries[i].name, NULL, NULL, NULL) != SETTLE_OK) {
            verdict->differs_until_seq = other.seal.size;
            break;
        }
        verdict->agrees_until_seq = other.seal.size;
        memcpy(verdict->agrees_with, list.entries[i].name, sizeof list.entries[i].name);
    }
    seal_list_close(&list);
}

static settle_status check(struct seal_walk *walk, const struct seal_key *key, const struct sealed *sealed,
                           struct seal_verdict *verdict, settle_error *error)
{
    settle_error fault = {.status = SETTLE_OK};
    verdict->size = sealed->seal.size;
    verdict->position = sealed->seal.position;
    verdict->time_us = sealed->seal.time_us;
    if (!seal_is_signed_by(sealed, key)) {
        snprintf(verdict->difference, sizeof verdict->difference, "the seal is not signed by this key");
        return SETTLE_OK;
    }
    verdict->is_signed = true;
    settle_status status = seal_walk_to(walk, sealed, NULL, NULL, NULL, &fault);
    if (status == SETTLE_OK) {
        verdict->ok = true;
        return SETTLE_OK;
    }
    if (status != SETTLE_E_CONFLICT && status != SETTLE_E_CORRUPT) {
        if (error != NULL)
            *error = fault;
        return status;
    }
    if (status == SETTLE_E_CORRUPT)
        snprintf(verdict->difference, sizeof verdict->difference, "%.200s (%.60s, byte %" PRIu64 ", seq %" PRIu64 ")",
                 fault.text, fault.file, fault.offset_bytes, fault.seq);
    else
        memcpy(verdict->difference, fault.text, sizeof verdict->difference);
    if (memcmp(walk->sealing.journal_id, sealed->seal.journal_id, 16) == 0)
        narrow_down(walk, key, sealed, verdict);
    return SETTLE_OK;
}

settle_status query_seal_verify(const char *directory, const char *seal_path, const char *key_path,
                                struct seal_verdict *ret_verdict, settle_error *error)
{
    struct seal_walk walk = {.data_fd = -1};
    struct seal_key key = {.pkey = NULL};
    struct seal_verdict verdict = {.ok = false};
    struct sealed sealed;
    settle_status status = seal_read(seal_path, &sealed, error);
    if (status == SETTLE_OK)
        status = key_read_public(key_path, &key, error);
    if (status == SETTLE_OK)
        status = seal_walk_open(directory, &walk, error);
    if (status == SETTLE_OK)
        status = check(&walk, &key, &sealed, &verdict, error);
    if (status == SETTLE_OK)
        *ret_verdict = verdict;
    key_deinit(&key);
    seal_walk_close(&walk);
    return status;
}
