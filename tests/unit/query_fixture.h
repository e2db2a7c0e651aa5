/*
 * query_fixture.h — data directories for the tests of query/: one made by the engine from a fixed stream, and one
 * forged record by record, whose bytes are whole and whose content is whatever a test wants it to be.
 */
#ifndef TESTS_UNIT_QUERY_FIXTURE_H
#define TESTS_UNIT_QUERY_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <settle/settle.h>

#include "engine/store.h"
#include "journal/base/file.h"
#include "journal/reader.h"
#include "journal/writer.h"
#include "tests/lib/expect.h"
#include "tests/lib/tempdir.h"

#define TEXT(literal) ((settle_text){literal, sizeof(literal) - 1})

static const settle_asset fixture_btc = {1, 8, "BTC"}, fixture_usdt = {2, 6, "USDT"};

/* Each test runs in a process of its own. */
static char fixture_dir[TEMPDIR_BYTES];

static inline void fixture_setup(void)
{
    tempdir_make(fixture_dir);
}

static inline void fixture_teardown(void)
{
    tempdir_remove(fixture_dir);
}

/* The options of a test that uses the directory: Test(suite, name, FIXTURE). */
#define FIXTURE .init = fixture_setup, .fini = fixture_teardown

static inline settle_event fixture_transfer(settle_event_type type, uint64_t ts_ms, uint64_t user, uint32_t asset,
                                            settle_int128 amount)
{
    return (settle_event){.type = type, .ts_ms = ts_ms, .u.transfer = {user, asset, amount}};
}

static inline settle_event fixture_trade(void)
{
    return (settle_event){.type = SETTLE_TRADE,
                          .ts_ms = 1002,
                          .u.trade = {.trade_id = TEXT("T1"),
                                      .buyer = 7,
                                      .seller = 8,
                                      .base = 1,
                                      .quote = 2,
                                      .quantity = 1000000,
                                      .quote_amount = 500000000,
                                      .buyer_fee = 1000,
                                      .seller_fee = 500000}};
}

/*
 * seq 1 user 7 deposits 1000.5 USDT, 2 user 8 deposits 0.5 BTC, 3 trade_T1, 4 user 7 withdraws too much, 5 repeats 1,
 * 6 is 1 with another amount. Six events, four ids, nine balances less external's two: user 7 and 8 in both assets,
 * external and fees in both: eight.
 */
#define FIXTURE_EVENTS 6
#define FIXTURE_IDS 4
#define FIXTURE_ACCOUNTS 8

static inline void fixture_stream(settle_event ret_events[FIXTURE_EVENTS])
{
    ret_events[0] = fixture_transfer(SETTLE_DEPOSIT, 1000, 7, 2, 1000500000);
    ret_events[1] = fixture_transfer(SETTLE_DEPOSIT, 1001, 8, 1, 50000000);
    ret_events[2] = fixture_trade();
    ret_events[3] = fixture_transfer(SETTLE_WITHDRAWAL, 1003, 7, 2, 9999000000);
    ret_events[4] = ret_events[0];
    ret_events[5] = fixture_transfer(SETTLE_DEPOSIT, 1000, 7, 2, 1);
}

/* With the engine, one commit an event. segment_bytes 0: the default. */
static inline void fixture_fill_engine(uint64_t segment_bytes)
{
    settle_options options;
    settle *engine = NULL;
    settle_event events[FIXTURE_EVENTS];
    settle_result result;
    settle_options_init(&options);
    if (segment_bytes != 0)
        options.segment_bytes = segment_bytes;
    EXPECT_OK(settle_open(fixture_dir, &options, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_btc, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_usdt, &test_error));
    fixture_stream(events);
    for (size_t i = 0; i < FIXTURE_EVENTS; i++)
        EXPECT_OK(settle_submit(engine, &events[i], 1, &result, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
}

/* ---- A journal written by hand ---- */

struct forge {
    int data_fd;
    struct journal_writer *writer;
    struct frame_buffer buffer;
    uint64_t next_seq, time_us;
};

static inline void forge_begin(struct forge *forge, uint64_t segment_bytes)
{
    struct journal_reader *reader = NULL;
    struct journal_point point;
    *forge = (struct forge){.data_fd = -1, .next_seq = 1, .time_us = 1000000};
    EXPECT_OK(dir_open(fixture_dir, true, &forge->data_fd, &test_error));
    EXPECT_OK(journal_create(forge->data_fd, &mem_libc, segment_bytes, forge->time_us, &test_error));
    EXPECT_OK(journal_reader_open(forge->data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    EXPECT_OK(journal_writer_open(forge->data_fd, &mem_libc, &point, &forge->writer, &test_error));
    EXPECT_OK(frame_buffer_init(forge->writer, &forge->buffer, &test_error));
    journal_reader_close(reader);
}

static inline void forge_frame_begin(struct forge *forge)
{
    frame_begin(forge->writer, &forge->buffer, forge->next_seq, forge->time_us);
}

static inline void forge_frame_end(struct forge *forge)
{
    frame_close(forge->writer, &forge->buffer);
    EXPECT_OK(journal_writer_commit(forge->writer, &forge->buffer, &test_error));
}

static inline void forge_asset(struct forge *forge, const settle_asset *asset)
{
    frame_append(&forge->buffer, record_encode_asset(frame_at_end(&forge->buffer), 0, asset));
}

/* CONSUMED; returns its position. The decision must follow. */
static inline uint64_t forge_consumed(struct forge *forge, const settle_event *event)
{
    uint64_t position = frame_position_at_end(&forge->buffer);
    uint32_t back = (uint32_t)(position - forge->buffer.frame.position);
    uint32_t delta = (uint32_t)(forge->next_seq - forge->buffer.frame.first_seq);
    frame_append(&forge->buffer, record_encode_consumed(frame_at_end(&forge->buffer), delta, 0, back, event));
    return position;
}

static inline uint32_t forge_delta(struct forge *forge)
{
    forge->buffer.frame.event_count++;
    return (uint32_t)(forge->next_seq++ - forge->buffer.frame.first_seq);
}

static inline void forge_validated(struct forge *forge, const settle_leg *legs, size_t count)
{
    uint32_t delta = forge_delta(forge);
    frame_append(&forge->buffer, record_encode_validated(frame_at_end(&forge->buffer), delta, 0, legs, count));
}

static inline void forge_rejected(struct forge *forge, settle_reason reason)
{
    uint32_t delta = forge_delta(forge);
    frame_append(&forge->buffer, record_encode_rejected(frame_at_end(&forge->buffer), delta, 0, reason));
}

static inline void forge_repeat(struct forge *forge, settle_outcome outcome, uint64_t first_seq,
                                uint64_t first_position)
{
    const struct record_repeat repeat = {first_seq, first_position};
    uint32_t delta = forge_delta(forge);
    frame_append(&forge->buffer, record_encode_repeat(frame_at_end(&forge->buffer), delta, 0, outcome, &repeat));
}

static inline void forge_end(struct forge *forge)
{
    frame_buffer_deinit(forge->writer, &forge->buffer);
    journal_writer_close(forge->writer);
    file_close(forge->data_fd);
}

/* The two legs of user 7's first deposit of 100 minor units of asset 2. */
static inline void forge_deposit_legs(settle_leg ret_legs[2])
{
    ret_legs[0] = (settle_leg){.user = 7, .asset = 2, .version = 1, .delta_available = 100, .after_available = 100};
    ret_legs[1] = (settle_leg){
        .user = SETTLE_USER_EXTERNAL, .asset = 2, .version = 1, .delta_available = -100, .after_available = -100};
}

/* ---- A store rewritten ---- */

#define FIXTURE_ENTRIES_MAX 64

/* A store's whole content, in memory, to be changed and written as a new store with good checksums. */
struct store_copy {
    struct store_meta meta;
    struct accounts accounts;
    struct store_id ids[FIXTURE_ENTRIES_MAX];
    settle_asset assets[FIXTURE_ENTRIES_MAX];
    struct store_arrival arrivals[FIXTURE_ENTRIES_MAX];
    size_t id_count, asset_count, arrival_count;
};

static inline settle_status store_copy_account(void *context, const struct account *account, settle_error *error)
{
    struct store_copy *copy = context;
    (void)error;
    *accounts_upsert(&copy->accounts, account->user, account->asset) = *account;
    return SETTLE_OK;
}

static inline settle_status store_copy_id(void *context, const struct store_id *id, settle_error *error)
{
    struct store_copy *copy = context;
    (void)error;
    copy->ids[copy->id_count++] = *id;
    return SETTLE_OK;
}

static inline settle_status store_copy_asset(void *context, const settle_asset *asset, settle_error *error)
{
    struct store_copy *copy = context;
    (void)error;
    copy->assets[copy->asset_count++] = *asset;
    return SETTLE_OK;
}

static inline settle_status store_copy_arrival(void *context, const struct store_arrival *arrival, settle_error *error)
{
    struct store_copy *copy = context;
    (void)error;
    copy->arrivals[copy->arrival_count++] = *arrival;
    return SETTLE_OK;
}

static inline void store_copy_read(int fd, const uint8_t journal_id[16], struct store_copy *copy)
{
    struct store *store = NULL;
    struct store_snapshot *snapshot = NULL;
    EXPECT_OK(store_open(fd, fixture_dir, false, journal_id, &mem_libc, &store, &test_error));
    EXPECT_OK(store_snapshot_open(store, &snapshot, &test_error));
    EXPECT_OK(store_meta_get(snapshot, &copy->meta, &test_error));
    EXPECT_OK(store_accounts_walk(snapshot, 0, store_copy_account, copy, &test_error));
    EXPECT_OK(store_ids_walk(snapshot, store_copy_id, copy, &test_error));
    EXPECT_OK(store_assets_walk(snapshot, store_copy_asset, copy, &test_error));
    EXPECT_OK(store_arrivals_walk_all(snapshot, store_copy_arrival, copy, &test_error));
    store_snapshot_close(snapshot);
    store_close(store);
}

/* Takes the store apart, lets `change` change it, and puts a new one in its place. The stream has no sources. */
static inline void fixture_rewrite_store(void (*change)(struct store_copy *copy))
{
    static struct store_copy copy;
    int fd = -1;
    char path[TEMPDIR_PATH_BYTES];
    struct journal_reader *reader = NULL;
    struct store *store = NULL;
    copy = (struct store_copy){.id_count = 0};
    EXPECT_OK(dir_open(fixture_dir, false, &fd, &test_error));
    EXPECT_OK(journal_reader_open(fd, &mem_libc, &reader, &test_error));
    EXPECT_OK(accounts_init(&copy.accounts, &mem_libc, FIXTURE_ENTRIES_MAX));
    EXPECT_OK(accounts_reserve(&copy.accounts, FIXTURE_ENTRIES_MAX));
    store_copy_read(fd, journal_reader_id(reader), &copy);
    change(&copy);
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
    EXPECT_OK(store_open(fd, fixture_dir, true, journal_reader_id(reader), &mem_libc, &store, &test_error));
    const struct store_batch batch = {.accounts = &copy.accounts,
                                      .ids = copy.ids,
                                      .id_count = copy.id_count,
                                      .arrivals = copy.arrivals,
                                      .arrival_count = copy.arrival_count,
                                      .assets = copy.assets,
                                      .asset_count = copy.asset_count,
                                      .point = copy.meta.point};
    EXPECT_OK(store_apply(store, &batch, &test_error));
    store_close(store);
    accounts_deinit(&copy.accounts);
    journal_reader_close(reader);
    file_close(fd);
}

/* ---- Files ---- */

/* The one name below fixture_dir/folder that ends in `suffix`, the n-th of them. */
static inline void fixture_path(const char *folder, const char *suffix, size_t number,
                                char ret_path[TEMPDIR_PATH_BYTES])
{
    char path[TEMPDIR_PATH_BYTES];
    int fd = -1;
    char **names = NULL;
    size_t count = 0, found = 0;
    tempdir_join(path, fixture_dir, folder);
    EXPECT_OK(dir_open(path, false, &fd, &test_error));
    EXPECT_OK(dir_list(fd, folder, &mem_libc, &names, &count, &test_error));
    ret_path[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (length >= strlen(suffix) && strcmp(names[i] + length - strlen(suffix), suffix) == 0 && found++ == number)
            tempdir_join(ret_path, path, names[i]);
    }
    dir_list_free(names, count, &mem_libc);
    file_close(fd);
    cr_assert(ret_path[0] != '\0', "no %s number %zu in %s", suffix, number, folder);
}

/* Changes one byte; flipping it again with the same mask restores it. */
static inline void fixture_flip(const char *path, long offset, unsigned char mask)
{
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, offset, SEEK_SET), 0);
    int byte = fgetc(file);
    cr_assert_neq(byte, EOF);
    cr_assert_eq(fseek(file, offset, SEEK_SET), 0);
    fputc(byte ^ mask, file);
    cr_assert_eq(fclose(file), 0);
}

#endif
