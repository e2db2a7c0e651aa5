/*
 * sealing.c — frames hashed, events made leaves. Owns the assets; everything else is a value.
 *
 * Invariants: tree.size is the last seq added; `frames` is the hash of exactly the frames before point.position.
 */
#include "journal/seal/sealing.h"

#include <assert.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/status.h"

#define FRAMES_DOMAIN "settle/frames/v1"
#define FRAME_DOMAIN "settle/frame/v1"
#define ASSETS_DOMAIN "settle/assets/v1"

#define FRONTIER_MAGIC "SETTLEF1"
enum {
    FRONTIER_JOURNAL_ID = 8,
    FRONTIER_SIZE = 24,
    FRONTIER_POSITION = 32,
    FRONTIER_FRAME_POSITION = 40,
    FRONTIER_FRAME_SEQ = 48,
    FRONTIER_TIME_US = 56,
    FRONTIER_CHAIN = 64,
    FRONTIER_ASSET_COUNT = 68,
    FRONTIER_FRAMES_BEFORE = 72,
    FRONTIER_ASSETS = 104,
};

/* Where in a seal_asset a field of the ASSET record is. */
#define ASSET_FIELD(offset) (8 + (offset)-RECORD_HEADER_BYTES)

static uint32_t asset_id_of(const struct seal_asset *asset)
{
    return get_u32(asset->bytes + ASSET_FIELD(ASSET_ID));
}

/* The asset's place, or the one where it belongs. */
static size_t asset_index(const struct sealing *sealing, uint32_t id, bool *ret_found)
{
    size_t low = 0, high = sealing->asset_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (asset_id_of(&sealing->assets[middle]) < id)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = low < sealing->asset_count && asset_id_of(&sealing->assets[low]) == id;
    return low;
}

static settle_status asset_add(struct sealing *sealing, const uint8_t *record, uint64_t time_us, settle_error *error)
{
    bool is_known;
    size_t index = asset_index(sealing, get_u32(record + ASSET_ID), &is_known);
    if (is_known) /* said again: the first declaration counts */
        return SETTLE_OK;
    if (sealing->asset_count == sealing->asset_capacity) {
        size_t capacity = sealing->asset_capacity == 0 ? 16 : 2 * sealing->asset_capacity;
        struct seal_asset *assets = mem_resize(sealing->mem, sealing->assets, capacity, sizeof *assets);
        if (assets == NULL)
            return fail(error, SETTLE_E_NO_MEMORY, "no memory for %zu assets", capacity);
        sealing->assets = assets;
        sealing->asset_capacity = capacity;
    }
    struct seal_asset *at = &sealing->assets[index];
    memmove(at + 1, at, (sealing->asset_count - index) * sizeof *at);
    put_u64(at->bytes, time_us);
    memcpy(at->bytes + 8, record + RECORD_HEADER_BYTES, ASSET_BODY_BYTES);
    sealing->asset_count++;
    return SETTLE_OK;
}

void sealing_init(struct sealing *sealing, const uint8_t journal_id[16], const struct journal_point *begin,
                  const struct mem *mem)
{
    *sealing = (struct sealing){.mem = mem, .point = *begin};
    memcpy(sealing->journal_id, journal_id, 16);
    const struct digest_part parts[] = {{FRAMES_DOMAIN, sizeof FRAMES_DOMAIN}, {journal_id, 16}};
    sealing->frames = digest_of(parts, 2);
}

void sealing_deinit(struct sealing *sealing)
{
    if (sealing->assets != NULL)
        mem_free(sealing->mem, sealing->assets);
    sealing->assets = NULL;
}

struct digest seal_frame_hash(const uint8_t journal_id[16], const struct frame *frame, const struct digest *before)
{
    uint8_t numbers[16];
    put_u64(numbers, frame->first_seq);
    put_u64(numbers + 8, frame->length_bytes);
    const struct digest_part parts[] = {{FRAME_DOMAIN, sizeof FRAME_DOMAIN},
                                        {journal_id, 16},
                                        {numbers, sizeof numbers},
                                        {before->bytes, DIGEST_BYTES},
                                        {frame->bytes, frame->length_bytes}};
    return digest_of(parts, sizeof parts / sizeof parts[0]);
}

struct digest sealing_assets(const struct sealing *sealing)
{
    const struct digest_part parts[] = {{ASSETS_DOMAIN, sizeof ASSETS_DOMAIN},
                                        {sealing->journal_id, 16},
                                        {sealing->assets, sealing->asset_count * sizeof sealing->assets[0]}};
    return digest_of(parts, 3);
}

/* ---- Leaves ------------------------------------------------------------------------------------------------------ */

static size_t put_part(uint8_t *at, enum record_kind kind, uint64_t time_us, const uint8_t *bytes, size_t count)
{
    put_u32(at + PART_KIND, (uint32_t)kind);
    put_u32(at + PART_LENGTH, (uint32_t)count);
    put_u64(at + PART_TIME_US, time_us);
    memcpy(at + PART_BYTES, bytes, count);
    return PART_BYTES + count;
}

static size_t put_record(uint8_t *at, const struct frame *frame, const struct record *record)
{
    const uint8_t *bytes = frame->bytes + (record->position - frame->position);
    return put_part(at, record->kind, record->time_us, bytes + RECORD_HEADER_BYTES,
                    record->length_bytes - RECORD_HEADER_BYTES);
}

static void leaf_name_asset(const struct sealing *sealing, struct leaf *leaf, uint32_t id)
{
    bool is_declared;
    size_t index = asset_index(sealing, id, &is_declared);
    if (is_declared)
        leaf->assets[leaf->asset_count++] = &sealing->assets[index];
}

/* The event of two records that stand one behind the other; its data at `data`, LEAF_BYTES_MAX. */
static struct leaf leaf_make(const struct sealing *sealing, const struct frame *frame, const struct record *consumed,
                             const struct record *decided, uint8_t *data)
{
    struct leaf leaf = {.seq = consumed->seq, .data = data, .consumed = consumed, .decided = decided};
    const settle_event *event = &consumed->u.consumed;
    if (event->type == SETTLE_TRADE) {
        leaf_name_asset(sealing, &leaf, event->u.trade.base);
        if (event->u.trade.quote != event->u.trade.base)
            leaf_name_asset(sealing, &leaf, event->u.trade.quote);
    } else {
        leaf_name_asset(sealing, &leaf, event->u.transfer.asset);
    }
    memcpy(data, LEAF_DOMAIN, sizeof LEAF_DOMAIN);
    memcpy(data + LEAF_JOURNAL_ID, sealing->journal_id, 16);
    put_u64(data + LEAF_SEQ, consumed->seq);
    size_t at = LEAF_PARTS;
    at += put_record(data + at, frame, consumed);
    at += put_record(data + at, frame, decided);
    for (size_t i = 0; i < leaf.asset_count; i++)
        at += put_part(data + at, RECORD_ASSET, get_u64(leaf.assets[i]->bytes), leaf.assets[i]->bytes + 8,
                       ASSET_BODY_BYTES);
    assert(at <= LEAF_BYTES_MAX);
    leaf.count = at;
    leaf.hash = merkle_leaf(data, at);
    return leaf;
}

settle_status sealing_add(struct sealing *sealing, const struct frame *frame, const struct journal_point *end,
                          leaf_visit visit, void *context, settle_error *error)
{
    assert(frame->first_seq == sealing->tree.size + 1 && end->position == frame->position + frame->length_bytes);
    struct record record, decided;
    uint8_t data[LEAF_BYTES_MAX];
    size_t offset = 0;
    settle_status status = SETTLE_OK;
    while (status == SETTLE_OK && frame_next_record(frame, &offset, &record)) {
        if (record.kind == RECORD_ASSET) {
            status = asset_add(sealing, frame->bytes + (record.position - frame->position), record.time_us, error);
        } else if (record.kind == RECORD_CONSUMED) {
            bool has_decision = frame_next_record(frame, &offset, &decided);
            assert(has_decision && record.seq == sealing->tree.size + 1); /* the reader has checked it */
            struct leaf leaf = leaf_make(sealing, frame, &record, &decided, data);
            merkle_append(&sealing->tree, &leaf.hash);
            if (visit != NULL)
                visit(context, &leaf);
        }
    }
    if (status != SETTLE_OK)
        return status;
    sealing->before = (struct journal_point){.position = frame->position,
                                             .next_seq = frame->first_seq,
                                             .persisted_seq = POINT_PERSISTED_UNKNOWN,
                                             .time_us = sealing->point.time_us,
                                             .chain = frame->previous_chain};
    sealing->frames_before = sealing->frames;
    sealing->frames = seal_frame_hash(sealing->journal_id, frame, &sealing->frames_before);
    sealing->point = *end;
    assert(sealing->tree.size + 1 == end->next_seq);
    return SETTLE_OK;
}

/* ---- The frontier ------------------------------------------------------------------------------------------------ */

static size_t frontier_bytes(uint64_t asset_count, uint64_t tree_size)
{
    return FRONTIER_ASSETS + asset_count * SEAL_ASSET_BYTES +
           ((size_t)__builtin_popcountll(tree_size) + 1) * DIGEST_BYTES;
}

settle_status frontier_encode(const struct sealing *sealing, uint8_t **ret_bytes, size_t *ret_count,
                              settle_error *error)
{
    assert(sealing->before.position != 0);
    const size_t count = frontier_bytes(sealing->asset_count, sealing->tree.size);
    uint8_t *bytes = mem_alloc(sealing->mem, count, 1);
    if (bytes == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a frontier of %zu bytes", count);
    memcpy(bytes, FRONTIER_MAGIC, 8);
    memcpy(bytes + FRONTIER_JOURNAL_ID, sealing->journal_id, 16);
    put_u64(bytes + FRONTIER_SIZE, sealing->tree.size);
    put_u64(bytes + FRONTIER_POSITION, sealing->point.position);
    put_u64(bytes + FRONTIER_FRAME_POSITION, sealing->before.position);
    put_u64(bytes + FRONTIER_FRAME_SEQ, sealing->before.next_seq);
    put_u64(bytes + FRONTIER_TIME_US, sealing->before.time_us);
    put_u32(bytes + FRONTIER_CHAIN, sealing->before.chain);
    put_u32(bytes + FRONTIER_ASSET_COUNT, (uint32_t)sealing->asset_count);
    memcpy(bytes + FRONTIER_FRAMES_BEFORE, sealing->frames_before.bytes, DIGEST_BYTES);
    uint8_t *at = bytes + FRONTIER_ASSETS;
    if (sealing->asset_count > 0)
        memcpy(at, sealing->assets, sealing->asset_count * SEAL_ASSET_BYTES);
    at += sealing->asset_count * SEAL_ASSET_BYTES;
    for (int level = 63; level >= 0; level--) {
        if ((sealing->tree.size >> level & 1) == 0)
            continue;
        memcpy(at, sealing->tree.peaks[level].bytes, DIGEST_BYTES);
        at += DIGEST_BYTES;
    }
    const struct digest_part all = {bytes, (size_t)(at - bytes)};
    const struct digest digest = digest_of(&all, 1);
    memcpy(at, digest.bytes, DIGEST_BYTES);
    assert(at + DIGEST_BYTES == bytes + count);
    *ret_bytes = bytes;
    *ret_count = count;
    return SETTLE_OK;
}

/* Whether the bytes are a whole frontier of this journal, of whatever content. */
static bool frontier_is_whole(const uint8_t *bytes, size_t count, const uint8_t journal_id[16])
{
    if (count < FRONTIER_ASSETS + DIGEST_BYTES || memcmp(bytes, FRONTIER_MAGIC, 8) != 0 ||
        memcmp(bytes + FRONTIER_JOURNAL_ID, journal_id, 16) != 0)
        return false;
    if (frontier_bytes(get_u32(bytes + FRONTIER_ASSET_COUNT), get_u64(bytes + FRONTIER_SIZE)) != count)
        return false;
    const struct digest_part all = {bytes, count - DIGEST_BYTES};
    const struct digest digest = digest_of(&all, 1);
    return memcmp(digest.bytes, bytes + count - DIGEST_BYTES, DIGEST_BYTES) == 0;
}

/* Sorted, each once, and such as a record may be. */
static bool assets_are_sound(const struct sealing *sealing)
{
    for (size_t i = 0; i < sealing->asset_count; i++) {
        const struct seal_asset *asset = &sealing->assets[i];
        if (asset->bytes[ASSET_FIELD(ASSET_SYMBOL_LENGTH)] > SETTLE_SYMBOL_BYTES_MAX ||
            asset->bytes[ASSET_FIELD(ASSET_SCALE)] > SETTLE_SCALE_MAX ||
            (i > 0 && asset_id_of(asset - 1) >= asset_id_of(asset)))
            return false;
    }
    return true;
}

bool frontier_decode(const uint8_t *bytes, size_t count, const uint8_t journal_id[16], const struct mem *mem,
                     struct sealing *ret_sealing)
{
    if (!frontier_is_whole(bytes, count, journal_id))
        return false;
    struct sealing s = {.mem = mem, .asset_count = get_u32(bytes + FRONTIER_ASSET_COUNT)};
    memcpy(s.journal_id, journal_id, 16);
    s.tree.size = get_u64(bytes + FRONTIER_SIZE);
    s.point.position = get_u64(bytes + FRONTIER_POSITION);
    s.before = (struct journal_point){.position = get_u64(bytes + FRONTIER_FRAME_POSITION),
                                      .next_seq = get_u64(bytes + FRONTIER_FRAME_SEQ),
                                      .persisted_seq = POINT_PERSISTED_UNKNOWN,
                                      .time_us = get_u64(bytes + FRONTIER_TIME_US),
                                      .chain = get_u32(bytes + FRONTIER_CHAIN)};
    memcpy(s.frames_before.bytes, bytes + FRONTIER_FRAMES_BEFORE, DIGEST_BYTES);
    const uint8_t *at = bytes + FRONTIER_ASSETS;
    if (s.asset_count > 0) {
        s.assets = mem_alloc(mem, s.asset_count, sizeof s.assets[0]);
        if (s.assets == NULL)
            return false;
        s.asset_capacity = s.asset_count;
        memcpy(s.assets, at, s.asset_count * SEAL_ASSET_BYTES);
        at += s.asset_count * SEAL_ASSET_BYTES;
    }
    for (int level = 63; level >= 0; level--) {
        if ((s.tree.size >> level & 1) == 0)
            continue;
        memcpy(s.tree.peaks[level].bytes, at, DIGEST_BYTES);
        at += DIGEST_BYTES;
    }
    if (!assets_are_sound(&s) || s.tree.size >= (uint64_t)1 << 63 || s.before.position % FRAME_ALIGN != 0) {
        sealing_deinit(&s);
        return false;
    }
    *ret_sealing = s;
    return true;
}

bool sealing_resume(struct sealing *sealing, const struct frame *frame, const struct journal_point *end)
{
    if (frame->position != sealing->before.position || end->position != sealing->point.position ||
        end->next_seq != sealing->tree.size + 1)
        return false;
    sealing->frames = seal_frame_hash(sealing->journal_id, frame, &sealing->frames_before);
    sealing->point = *end;
    return true;
}
