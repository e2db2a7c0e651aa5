/*
 * prove.c — proofs for people who have neither the journal nor this library (docs/seals.md, "Proofs"). A proof is made
 * in one walk over what the seal covers, in memory that does not grow with it; no proof is handed out whose root is not
 * the seal's.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal/base/bytes.h"
#include "journal/base/digits.h"
#include "journal/base/place.h"
#include "query/seal.h"

/* ---- The text of a proof ----------------------------------------------------------------------------------------- */

static bool proof_sink(void *context, const char *bytes, size_t count)
{
    struct proof *proof = context;
    char *text = realloc(proof->text, proof->bytes + count + 1);
    if (text == NULL)
        return false;
    memcpy(text + proof->bytes, bytes, count);
    proof->text = text;
    proof->bytes += count;
    text[proof->bytes] = '\0';
    return true;
}

void proof_free(struct proof *proof)
{
    free(proof->text);
    *proof = (struct proof){NULL, 0};
}

settle_status query_write_new(const char *path, const char *text, size_t bytes, settle_error *error)
{
    return place_write(path, text, bytes, error);
}

static void json_hex(struct json *json, const char *key, const uint8_t *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * LEAF_BYTES_MAX + 1];
    assert(count <= LEAF_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * count] = '\0';
    json_string(json, key, text);
}

static void json_path(struct json *json, const struct merkle_collector *collector)
{
    json_array(json, "path");
    for (size_t i = 0; i < collector->ranges.count; i++)
        json_hex(json, NULL, collector->path[i].bytes, DIGEST_BYTES);
    json_array_end(json);
}

static settle_status proof_finish(struct out *out, struct proof *proof, struct proof *ret_proof, settle_error *error)
{
    if (!out_flush(out)) {
        proof_free(proof);
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a proof");
    }
    *ret_proof = *proof;
    return SETTLE_OK;
}

/* ---- What a leaf says -------------------------------------------------------------------------------------------- */

struct leaf_content {
    struct record consumed, decided;
    settle_asset assets[LEAF_ASSETS_MAX];
    size_t asset_count;
    uint8_t records[2][RECORD_HEADER_BYTES + LEAF_BYTES_MAX]; /* that the texts borrow */
};

/* The part at `at`, made a record again. Returns the part's length. */
static size_t part_decode(const uint8_t *at, uint64_t seq, uint8_t *bytes, struct record *ret_record)
{
    size_t count = get_u32(at + PART_LENGTH);
    memset(bytes, 0, RECORD_HEADER_BYTES);
    put_u16(bytes + RECORD_LENGTH, (uint16_t)(RECORD_HEADER_BYTES + count));
    bytes[RECORD_KIND] = (uint8_t)get_u32(at + PART_KIND);
    memcpy(bytes + RECORD_HEADER_BYTES, at + PART_BYTES, count);
    record_read(bytes, (struct record_base){seq, get_u64(at + PART_TIME_US)}, ret_record);
    return PART_BYTES + count;
}

/* Of a leaf that sealing_add() made. */
static void leaf_decode(const uint8_t *data, size_t count, struct leaf_content *ret_content)
{
    uint64_t seq = get_u64(data + LEAF_SEQ);
    size_t at = LEAF_PARTS;
    ret_content->asset_count = 0;
    at += part_decode(data + at, seq, ret_content->records[0], &ret_content->consumed);
    at += part_decode(data + at, seq, ret_content->records[1], &ret_content->decided);
    while (at < count) {
        uint8_t bytes[ASSET_BYTES];
        struct record record;
        at += part_decode(data + at, seq, bytes, &record);
        ret_content->assets[ret_content->asset_count++] = record.u.asset;
    }
    assert(at == count);
}

static const settle_asset *content_asset(const struct leaf_content *content, uint32_t id)
{
    for (size_t i = 0; i < content->asset_count; i++)
        if (content->assets[i].id == id)
            return &content->assets[i];
    return NULL;
}

static void text_u64(struct json *json, const char *key, uint64_t value)
{
    char text[PRINT_U64_BYTES];
    json_string(json, key, print_u64(value, text));
}

static void text_user(struct json *json, const char *key, uint64_t user)
{
    char text[PRINT_USER_BYTES];
    json_string(json, key, print_user(user, text));
}

static void text_time(struct json *json, const char *key, uint64_t time_us)
{
    char text[PRINT_TIME_BYTES];
    json_string(json, key, print_time_us(time_us, text));
}

static void text_asset(struct json *json, const char *key, const struct leaf_content *content, uint32_t id)
{
    const settle_asset *asset = content_asset(content, id);
    char text[16];
    snprintf(text, sizeof text, "#%" PRIu32, id);
    json_string(json, key, asset != NULL ? asset->symbol : text);
}

static void text_amount(struct json *json, const char *key, const struct leaf_content *content, uint32_t id,
                        settle_int128 amount)
{
    const settle_asset *asset = content_asset(content, id);
    char text[SETTLE_AMOUNT_TEXT_BYTES];
    settle_amount_format(amount, asset != NULL ? asset->scale : 0, text);
    json_string(json, key, text);
}

static void json_trade(struct json *json, const struct leaf_content *content, const settle_trade *trade)
{
    char price[64 + DIGITS_SLACK];
    if (trade->trade_id.bytes > 0)
        json_text(json, "trade_id", trade->trade_id);
    text_user(json, "buyer", trade->buyer);
    text_user(json, "seller", trade->seller);
    text_asset(json, "base", content, trade->base);
    text_asset(json, "quote", content, trade->quote);
    text_amount(json, "quantity", content, trade->base, trade->quantity);
    if (trade->price.mantissa != 0) {
        *digits_price(price, trade->price) = '\0';
        json_string(json, "price", price);
    }
    if (trade->quote_amount != 0)
        text_amount(json, "quote_amount", content, trade->quote, trade->quote_amount);
    if (trade->buyer_fee != 0 || trade->seller_fee != 0) {
        text_amount(json, "buyer_fee", content, trade->base, trade->buyer_fee);
        text_amount(json, "seller_fee", content, trade->quote, trade->seller_fee);
    }
}

static void json_effects(struct json *json, const struct leaf_content *content)
{
    const struct record_validated *validated = &content->decided.u.validated;
    json_array(json, "effects");
    for (size_t i = 0; i < validated->leg_count; i++) {
        const settle_leg *leg = &validated->legs[i];
        json_object(json, NULL);
        text_user(json, "user", leg->user);
        text_asset(json, "asset", content, leg->asset);
        text_amount(json, "before", content, leg->asset, leg->after_available - leg->delta_available);
        text_amount(json, "delta", content, leg->asset, leg->delta_available);
        text_amount(json, "after", content, leg->asset, leg->after_available);
        if (leg->delta_held != 0 || leg->after_held != 0) {
            text_amount(json, "held_before", content, leg->asset, leg->after_held - leg->delta_held);
            text_amount(json, "held_delta", content, leg->asset, leg->delta_held);
            text_amount(json, "held_after", content, leg->asset, leg->after_held);
        }
        text_u64(json, "version", leg->version);
        json_object_end(json);
    }
    json_array_end(json);
}

static void json_event(struct json *json, const struct leaf_content *content)
{
    const settle_event *event = &content->consumed.u.consumed;
    const struct record *decided = &content->decided;
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    settle_event_id_format(event, id);
    json_object(json, "event");
    json_string(json, "event_id", id);
    text_u64(json, "seq", content->consumed.seq);
    json_string(json, "type", settle_type_name(event->type));
    text_u64(json, "ts", event->ts_ms);
    if (event->type == SETTLE_TRADE) {
        json_trade(json, content, &event->u.trade);
    } else {
        text_user(json, "user", event->u.transfer.user);
        text_asset(json, "asset", content, event->u.transfer.asset);
        text_amount(json, "amount", content, event->u.transfer.asset, event->u.transfer.amount);
    }
    text_time(json, "consumed", content->consumed.time_us);
    json_string(json, "outcome", settle_outcome_name(outcome_of_kind(decided->kind)));
    if (decided->kind == RECORD_REJECTED)
        json_string(json, "reason", settle_reason_name(decided->u.rejected));
    if (decided->kind == RECORD_DUPLICATE || decided->kind == RECORD_CONFLICT)
        text_u64(json, "first_seq", decided->u.repeat.first_seq);
    text_time(json, "decided", decided->time_us);
    if (decided->kind == RECORD_VALIDATED)
        json_effects(json, content);
    json_object_end(json);
}

/* ---- Inclusion --------------------------------------------------------------------------------------------------- */

struct proving {
    struct merkle_collector collector;
    uint64_t seq; /* of the event to be proved; 0: none */
    uint8_t leaf[LEAF_BYTES_MAX];
    size_t leaf_bytes;
    struct digest leaf_hash;
};

static void collect(void *context, const struct leaf *leaf)
{
    struct proving *proving = context;
    merkle_collector_add(&proving->collector, leaf->seq - 1, &leaf->hash);
    if (leaf->seq == proving->seq) {
        memcpy(proving->leaf, leaf->data, leaf->count);
        proving->leaf_bytes = leaf->count;
        proving->leaf_hash = leaf->hash;
    }
}

/* The store told the seq, and nothing in it is believed here: is that the event that was asked for? */
static settle_status require_id(const struct leaf_content *content, settle_text event_id, settle_error *error)
{
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    size_t bytes = settle_event_id_format(&content->consumed.u.consumed, id);
    if (bytes == event_id.bytes && memcmp(id, event_id.data, bytes) == 0)
        return SETTLE_OK;
    return fail_at(error, SETTLE_E_CORRUPT, "store", 0, content->consumed.seq,
                   "the store gives the place of event %s for %.*s", id, (int)event_id.bytes, event_id.data);
}

/* What was collected leads to the seal's root: walking there has compared the root, this the path. */
static settle_status write_inclusion(const struct proving *proving, const struct sealed *sealed, settle_text event_id,
                                     struct proof *ret_proof, settle_error *error)
{
    struct digest root;
    struct proof proof = {NULL, 0};
    struct out out;
    bool leads_up = merkle_inclusion_root(proving->seq - 1, sealed->seal.size, &proving->leaf_hash,
                                          proving->collector.path, proving->collector.ranges.count, &root);
    assert(leads_up && digest_equal(&root, &sealed->seal.root));
    struct leaf_content *content = malloc(sizeof *content);
    if (content == NULL)
        return fail(error, SETTLE_E_NO_MEMORY, "no memory for a proof");
    leaf_decode(proving->leaf, proving->leaf_bytes, content);
    settle_status status = require_id(content, event_id, error);
    if (status != SETTLE_OK) {
        free(content);
        return status;
    }
    out_init(&out, proof_sink, &proof);
    struct json json = json_on(&out);
    json_object(&json, NULL);
    json_string(&json, "proof", "settle/inclusion/v1");
    json_string(&json, "seal", sealed->text);
    json_event(&json, content);
    json_hex(&json, "leaf", proving->leaf, proving->leaf_bytes);
    json_path(&json, &proving->collector);
    json_object_end(&json);
    json_line_end(&json);
    free(content);
    return proof_finish(&out, &proof, ret_proof, error);
}

static settle_status find_seq(const char *directory, settle_text event_id, uint64_t *ret_seq, settle_error *error)
{
    struct query *query = NULL;
    settle_lifecycle *lifecycle = NULL;
    settle_status status = query_open(directory, &query, error);
    if (status == SETTLE_OK)
        status = query_lifecycle(query, event_id, &lifecycle, error);
    if (status == SETTLE_OK)
        *ret_seq = lifecycle->first.result.seq;
    settle_lifecycle_free(lifecycle);
    query_close(query);
    return status;
}

settle_status query_prove(const char *directory, settle_text event_id, const char *seal_path, struct proof *ret_proof,
                          settle_error *error)
{
    struct seal_walk walk = {.data_fd = -1};
    struct proving proving = {.seq = 0};
    struct merkle_ranges ranges;
    struct sealed sealed;
    settle_status status = seal_read(seal_path, &sealed, error);
    if (status == SETTLE_OK)
        status = find_seq(directory, event_id, &proving.seq, error);
    if (status == SETTLE_OK && proving.seq > sealed.seal.size)
        status = fail_at(error, SETTLE_E_NOT_FOUND, "", 0, proving.seq,
                         "%.*s is not sealed yet: the seal covers the events up to seq %" PRIu64, (int)event_id.bytes,
                         event_id.data, sealed.seal.size);
    if (status == SETTLE_OK)
        status = seal_walk_open(directory, &walk, error);
    if (status == SETTLE_OK) {
        merkle_inclusion_ranges(proving.seq - 1, sealed.seal.size, &ranges);
        merkle_collector_begin(&proving.collector, &ranges);
        status = seal_walk_to(&walk, &sealed, seal_path, collect, &proving, error);
    }
    if (status == SETTLE_OK)
        status = write_inclusion(&proving, &sealed, event_id, ret_proof, error);
    seal_walk_close(&walk);
    return status;
}

/* ---- Consistency ------------------------------------------------------------------------------------------------- */

static settle_status write_consistency(const struct proving *proving, const struct sealed *old,
                                       const struct sealed *new, struct proof *ret_proof, settle_error *error)
{
    struct proof proof = {NULL, 0};
    struct out out;
    bool holds = merkle_consistency_holds(old->seal.size, new->seal.size, &old->seal.root, &new->seal.root,
                                          proving->collector.path, proving->collector.ranges.count);
    assert(holds);
    out_init(&out, proof_sink, &proof);
    struct json json = json_on(&out);
    json_object(&json, NULL);
    json_string(&json, "proof", "settle/consistency/v1");
    json_string(&json, "old", old->text);
    json_string(&json, "new", new->text);
    json_path(&json, &proving->collector);
    json_object_end(&json);
    json_line_end(&json);
    return proof_finish(&out, &proof, ret_proof, error);
}

/* What the two texts say alone. */
static settle_status require_order(const struct sealed *old, const struct sealed *new, settle_error *error)
{
    if (memcmp(old->seal.journal_id, new->seal.journal_id, 16) != 0)
        return fail(error, SETTLE_E_CONFLICT, "the seals are of two journals");
    if (old->seal.size > new->seal.size || old->seal.position > new->seal.position)
        return fail(error, SETTLE_E_CONFLICT,
                    "the first seal (seq %" PRIu64 ") is the later one: give the older one first", old->seal.size);
    return SETTLE_OK;
}

settle_status query_prove_consistency(const char *directory, const char *old_path, const char *new_path,
                                      struct proof *ret_proof, settle_error *error)
{
    struct seal_walk walk = {.data_fd = -1};
    struct proving proving = {.seq = 0};
    struct merkle_ranges ranges;
    struct sealed old, new;
    settle_status status = seal_read(old_path, &old, error);
    if (status == SETTLE_OK)
        status = seal_read(new_path, &new, error);
    if (status == SETTLE_OK)
        status = require_order(&old, &new, error);
    if (status == SETTLE_OK)
        status = seal_walk_open(directory, &walk, error);
    if (status == SETTLE_OK) {
        merkle_consistency_ranges(old.seal.size, new.seal.size, &ranges);
        merkle_collector_begin(&proving.collector, &ranges);
        status = seal_walk_to(&walk, &old, old_path, collect, &proving, error);
    }
    if (status == SETTLE_OK)
        status = seal_walk_to(&walk, &new, new_path, collect, &proving, error);
    if (status == SETTLE_OK)
        status = write_consistency(&proving, &old, &new, ret_proof, error);
    seal_walk_close(&walk);
    return status;
}
