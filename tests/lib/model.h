/*
 * model.h — a second, naive implementation of docs/events.md, to compare the
 * engine with. Arrays and digits, no cleverness; nothing is shared with engine/validate.c or engine/amount.c but names.
 *
 *     struct model model;
 *     model_init(&model);
 *     model_declare_asset(&model, &usdt);
 *     model_submit(&model, &event, &result, &legs);      // result.seq 1, 2, 3 … over all arrivals
 *     model_balance(&model, 1001, 2, &balance);
 *     model_deinit(&model);
 *
 * Events must have the form of section 1. Out of memory ends the process. One thread at a time.
 */
#ifndef TESTS_LIB_MODEL_H
#define TESTS_LIB_MODEL_H

#include "engine/accounts.h"
#include "engine/amount.h"

#define MODEL_ASSETS_MAX 64
#define MODEL_BUCKETS 4096
#define MODEL_TEXT_BYTES 512

/* The first arrival of an id, with copies of its texts. */
struct model_entry {
    char id[SETTLE_EVENT_ID_BYTES_MAX + 1];
    char trade_id[SETTLE_TRADE_ID_BYTES_MAX + 1]; /* "" = not given */
    settle_event event;                           /* its texts are not valid any more: use the copies */
    uint64_t seq;
    size_t next; /* in the bucket: index + 1, 0 = last */
};

struct model_legs {
    size_t count;
    settle_leg
        legs[SETTLE_LEGS_MAX]; /* previous_position: the *seq* of the change before, since a model has no journal */
};

struct model {
    settle_asset assets[MODEL_ASSETS_MAX];
    size_t asset_count;
    struct model_entry *entries;
    size_t entry_count, entry_capacity;
    size_t buckets[MODEL_BUCKETS];
    settle_balance *balances; /* sorted by user, then asset: system accounts last */
    size_t balance_count, balance_capacity;
    uint64_t seq; /* of the last arrival */
};

void model_init(struct model *model);
void model_deinit(struct model *model);

/* SETTLE_OK: declared now, or before with the same values. SETTLE_E_CONFLICT: id or symbol has other values. */
settle_status model_declare_asset(struct model *model, const settle_asset *asset);
/* NULL when not declared. */
const settle_asset *model_asset(const struct model *model, uint32_t id);

void model_submit(struct model *model, const settle_event *event, settle_result *ret_result,
                  struct model_legs *ret_legs);

/* The seq of the first arrival of an id; 0 when it was never taken. */
uint64_t model_find_id(const struct model *model, const char *id);
/* False when no event ever changed it. */
bool model_balance(const struct model *model, uint64_t user, uint32_t asset, settle_balance *ret_balance);
/* model->balances[0 … balance_count) are all there are. Whether they come to zero for every asset: */
bool model_conserves(const struct model *model);

/* ---- Pieces of its own that other tests use ---------------------------------------------------------------------- */

/* The id of an event: as given, else derived. */
void model_event_id(const settle_event *event, char ret_id[SETTLE_EVENT_ID_BYTES_MAX + 1]);
/* price_times_quantity() of engine/amount.h, digit by digit. */
enum price_product model_price_product(settle_price price, settle_int128 quantity, uint8_t base_scale,
                                       uint8_t quote_scale, settle_int128 *ret_floor);
/* An amount in minor units, for messages. */
const char *model_amount_text(settle_int128 amount, char ret_text[SETTLE_AMOUNT_TEXT_BYTES]);

/* ---- Comparing: false, and a sentence about the first difference ------------------------------------------------- */

/* Everything but previous_position. */
bool model_legs_equal(const struct model_legs *expected, const settle_leg *legs, size_t leg_count,
                      char ret_text[MODEL_TEXT_BYTES]);
bool model_result_equal(const settle_result *expected, const settle_result *result, char ret_text[MODEL_TEXT_BYTES]);
/* The same balances and no others. */
bool model_equals_accounts(const struct model *model, const struct accounts *accounts, char ret_text[MODEL_TEXT_BYTES]);
/* Every balance of the model is answered alike, by settle_balance_get() for instance. */
typedef settle_status (*model_get_balance)(void *context, uint64_t user, uint32_t asset, settle_balance *ret_balance);
bool model_equals_balances(const struct model *model, model_get_balance get, void *context,
                           char ret_text[MODEL_TEXT_BYTES]);

#endif
