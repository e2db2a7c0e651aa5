/* test_query_verify.c — the verdict, and what it finds: damage, forgery, a store that is not the journal's. */
#include <sys/stat.h>
#include <unistd.h>

#include "query/query.h"
#include "tests/unit/query_fixture.h"

SETTLE_SUITE(query_verify);

static struct verify_result verify(void)
{
    struct verify_result result = {0};
    EXPECT_OK(query_verify(fixture_dir, NULL, &result, &test_error));
    cr_assert_eq(result.ok, result.fault.status == SETTLE_OK);
    return result;
}

static void remove_store(void)
{
    char path[TEMPDIR_PATH_BYTES];
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
}

/* ---- What is fine ---- */

Test(query_verify, what_the_engine_wrote_is_fine_and_counted, FIXTURE)
{
    fixture_fill_engine(0);
    struct verify_result result = verify();
    cr_assert(result.ok, "%s", result.fault.text);
    cr_assert_not(result.is_empty);
    cr_assert_eq(result.store, STORE_EQUAL);
    cr_assert(result.has_store && result.store_seq == FIXTURE_EVENTS);
    cr_assert_eq(result.counts.segments, 1);
    cr_assert_eq(result.counts.events, FIXTURE_EVENTS);
    cr_assert_eq(result.counts.accounts, FIXTURE_ACCOUNTS);
    cr_assert_eq(result.counts.ids, FIXTURE_IDS);
    cr_assert_geq(result.counts.frames, FIXTURE_EVENTS);
    cr_assert_geq(result.counts.records, 3 * FIXTURE_EVENTS);
    cr_assert_eq(result.counts.torn_bytes, 0);
}

Test(query_verify, an_empty_journal_is_fine_and_said, FIXTURE)
{
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    struct verify_result result = verify();
    cr_assert(result.ok && result.is_empty);
    cr_assert_eq(result.store_seq, 0);
    cr_assert_eq(result.counts.events, 0);
    cr_assert_eq(result.counts.segments, 1);
}

Test(query_verify, no_journal_is_not_found_and_not_fine, FIXTURE)
{
    struct verify_result result = {0};
    EXPECT_STATUS(query_verify(fixture_dir, NULL, &result, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert_not(result.ok);
}

Test(query_verify, a_missing_store_is_fine_and_said, FIXTURE)
{
    fixture_fill_engine(0);
    remove_store();
    struct verify_result result = verify();
    cr_assert(result.ok);
    cr_assert_eq(result.store, STORE_ABSENT);
    cr_assert_not(result.has_store);
    cr_assert_eq(result.counts.ids, FIXTURE_IDS);
}

/* The store's point is somewhere in the journal, not at its end. */
Test(query_verify, a_store_behind_the_journal_is_compared_at_its_own_point, FIXTURE)
{
    char store[TEMPDIR_PATH_BYTES], kept[TEMPDIR_PATH_BYTES];
    settle *engine = NULL;
    settle_result result;
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5000, 9, 2, 5);
    fixture_fill_engine(0);
    tempdir_join(store, fixture_dir, "store");
    tempdir_join(kept, fixture_dir, "kept");
    cr_assert_eq(rename(store, kept), 0);
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    tempdir_remove(store);
    cr_assert_eq(rename(kept, store), 0);
    struct verify_result verdict = verify();
    cr_assert(verdict.ok, "%s", verdict.fault.text);
    cr_assert_eq(verdict.store, STORE_EQUAL);
    cr_assert_eq(verdict.store_seq, FIXTURE_EVENTS);
    cr_assert_eq(verdict.counts.events, FIXTURE_EVENTS + 1);
    cr_assert_eq(verdict.counts.accounts, FIXTURE_ACCOUNTS + 1);
}

/* Small segments: the journal has several. */
#define SMALL 16384

static void fill_segments(unsigned count)
{
    settle_options options;
    settle *engine = NULL;
    settle_result result;
    settle_options_init(&options);
    options.segment_bytes = SMALL;
    EXPECT_OK(settle_open(fixture_dir, &options, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_usdt, &test_error));
    for (unsigned i = 0; i < count; i++) {
        settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5000 + i, 9, 2, 5);
        EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
    }
    EXPECT_OK(settle_close(engine, &test_error));
}

Test(query_verify, several_segments_are_one_journal, FIXTURE)
{
    fill_segments(150);
    struct verify_result result = verify();
    cr_assert(result.ok, "%s", result.fault.text);
    cr_assert_gt(result.counts.segments, 2);
    cr_assert_eq(result.counts.events, 150);
    cr_assert_eq(result.counts.ids, 150);
}

/* ---- Damage ---- */

/* Every bit of a journal's used bytes, in steps: each flip is found, and named within its frame. */
Test(query_verify, every_flipped_bit_is_found_and_named, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    struct inspect_directory inspect = {0};
    fixture_fill_engine(0);
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    long used = (long)inspect.segments[0].bytes_used;
    inspect_free(&inspect);
    fixture_path("journal", ".seg", 0, path);
    for (long offset = 0; offset < used; offset += 3) {
        unsigned char mask = (unsigned char)(1 << offset % 8);
        fixture_flip(path, offset, mask);
        struct verify_result result = verify();
        cr_assert_not(result.ok, "byte %ld", offset);
        cr_assert_neq(result.fault.text[0], '\0', "byte %ld", offset);
        fixture_flip(path, offset, mask);
    }
    cr_assert(verify().ok);
}

Test(query_verify, a_fault_names_segment_offset_and_seq, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    fixture_path("journal", ".seg", 1, path);
    fixture_flip(path, 600, 4);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_not_null(strstr(result.fault.file, strrchr(path, '/') + 1), "%s", result.fault.file);
    cr_assert_leq(result.fault.offset_bytes, 600);
    cr_assert_geq(result.fault.offset_bytes, 512);
    cr_assert_gt(result.fault.seq, 1);
    cr_assert_lt(result.fault.seq, 150);
    cr_assert_eq(result.store, STORE_NOT_COMPARED); /* the store's point lies behind the fault */
}

Test(query_verify, bytes_behind_the_last_frame_of_a_full_segment_are_found, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    fixture_path("journal", ".seg", 0, path);
    fixture_flip(path, SMALL - 1, 1);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_not_null(strstr(result.fault.text, "not zero"), "%s", result.fault.text);
    fixture_flip(path, SMALL - 1, 1);
    cr_assert(verify().ok);
}

Test(query_verify, a_missing_segment_is_found, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    fixture_path("journal", ".seg", 1, path);
    cr_assert_eq(unlink(path), 0);
    cr_assert_not(verify().ok);
}

Test(query_verify, a_torn_tail_is_fine_and_counted, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    struct inspect_directory inspect = {0};
    fixture_fill_engine(0);
    remove_store(); /* else the store would say that more was acknowledged */
    EXPECT_OK(query_inspect(fixture_dir, &inspect, &test_error));
    fixture_path("journal", ".seg", 0, path);
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    /* The last frame again behind the end, half of it: what a crash in a write leaves. */
    static char frame[64];
    long end = (long)inspect.segments[0].bytes_used;
    inspect_free(&inspect);
    cr_assert_eq(fseek(file, end - 64, SEEK_SET), 0);
    cr_assert_eq(fread(frame, 1, sizeof frame, file), sizeof frame);
    memset(frame, 0, sizeof frame);
    cr_assert_eq(fseek(file, end - 64, SEEK_SET), 0);
    cr_assert_eq(fwrite(frame, 1, sizeof frame, file), sizeof frame); /* the last frame loses its end */
    cr_assert_eq(fclose(file), 0);
    struct verify_result result = verify();
    cr_assert(result.ok, "%s", result.fault.text);
    cr_assert_gt(result.counts.torn_bytes, 0);
}

Test(query_verify, a_journal_that_ends_before_the_store_has_lost_acknowledged_events, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(0);
    fixture_path("journal", ".seg", 0, path);
    cr_assert_eq(truncate(path, 1024), 0);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_neq(result.store, STORE_EQUAL);
}

/* ---- How many ---- */

struct told {
    settle_error faults[64];
    size_t count;
};

static void keep_fault(void *context, const settle_error *fault)
{
    struct told *told = context;
    cr_assert_lt(told->count, 64);
    told->faults[told->count++] = *fault;
}

/* Everything told, which must agree with the result. */
static struct told faults_of(void)
{
    struct told told = {.count = 0};
    struct verify_result result = {0};
    const struct verify_options options = {.fault = keep_fault, .context = &told};
    EXPECT_OK(query_verify(fixture_dir, &options, &result, &test_error));
    cr_assert_eq(result.fault_count, told.count);
    cr_assert_eq(result.ok, told.count == 0);
    if (told.count > 0) {
        cr_assert_str_eq(told.faults[0].text, result.fault.text);
        cr_assert_eq(told.faults[0].offset_bytes, result.fault.offset_bytes);
    }
    return told;
}

/* Offsets of the frames of a segment. */
static size_t frames_of(size_t segment, uint64_t ret_offsets[256])
{
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    int fd = -1;
    size_t count = 0;
    EXPECT_OK(dir_open(fixture_dir, false, &fd, &test_error));
    EXPECT_OK(journal_reader_open(fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK)
        if (frame.position / SMALL == segment)
            ret_offsets[count++] = frame.position % SMALL;
    journal_reader_close(reader);
    file_close(fd);
    return count;
}

Test(query_verify, every_damaged_frame_is_counted_and_named, FIXTURE)
{
    uint64_t offsets[256];
    char path[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    size_t count = frames_of(1, offsets);
    cr_assert_gt(count, 12);
    fixture_path("journal", ".seg", 1, path);
    fixture_flip(path, (long)offsets[2] + 70, 1); /* a record */
    fixture_flip(path, (long)offsets[5] + 20, 1); /* a header */
    fixture_flip(path, (long)offsets[9] + 70, 1); /* two neighbours */
    fixture_flip(path, (long)offsets[10] + 70, 1);
    struct told told = faults_of();
    cr_assert_eq(told.count, 4);
    static const size_t damaged[] = {2, 5, 9, 10};
    for (size_t i = 0; i < 4; i++) {
        cr_expect_geq(told.faults[i].offset_bytes, offsets[damaged[i]], "fault %zu", i);
        cr_expect_lt(told.faults[i].offset_bytes, offsets[damaged[i] + 1], "fault %zu", i);
        cr_expect_not_null(strstr(told.faults[i].file, strrchr(path, '/') + 1));
        cr_expect(i == 0 || told.faults[i].seq >= told.faults[i - 1].seq, "fault %zu: seq %lu", i,
                  (unsigned long)told.faults[i].seq);
    }
}

Test(query_verify, damage_in_several_segments_is_counted, FIXTURE)
{
    uint64_t offsets[256];
    char first[TEMPDIR_PATH_BYTES], second[TEMPDIR_PATH_BYTES], third[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    frames_of(0, offsets);
    fixture_path("journal", ".seg", 0, first);
    fixture_path("journal", ".seg", 1, second);
    fixture_path("journal", ".seg", 2, third);
    fixture_flip(first, (long)offsets[3] + 70, 1);
    fixture_flip(second, 600, 1);
    fixture_flip(third, 600, 1);
    fixture_flip(third, SMALL - 1, 1); /* behind its last frame */
    cr_assert_eq(faults_of().count, 4);
}

Test(query_verify, a_damaged_header_of_a_segment_does_not_hide_its_frames, FIXTURE)
{
    char first[TEMPDIR_PATH_BYTES], second[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    fixture_path("journal", ".seg", 0, first);
    fixture_path("journal", ".seg", 1, second);
    fixture_flip(first, 60, 1);
    cr_assert_eq(faults_of().count, 1);
    fixture_flip(second, 600, 1);
    struct told told = faults_of();
    cr_assert_eq(told.count, 2);
    cr_assert_not_null(strstr(told.faults[1].file, strrchr(second, '/') + 1), "%s", told.faults[1].file);
}

Test(query_verify, a_missing_segment_is_one_fault_and_does_not_hide_another, FIXTURE)
{
    char second[TEMPDIR_PATH_BYTES], third[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    fixture_path("journal", ".seg", 1, second);
    fixture_path("journal", ".seg", 2, third);
    cr_assert_eq(unlink(second), 0);
    cr_assert_eq(faults_of().count, 1);
    fixture_flip(third, 600, 1);
    cr_assert_eq(faults_of().count, 2);
}

Test(query_verify, a_stretch_of_zeros_is_one_fault, FIXTURE)
{
    static const char zeros[2000];
    uint64_t offsets[256];
    char path[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    frames_of(1, offsets);
    fixture_path("journal", ".seg", 1, path);
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, (long)offsets[4], SEEK_SET), 0);
    cr_assert_eq(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
    cr_assert_eq(fclose(file), 0);
    struct told told = faults_of();
    cr_assert_eq(told.count, 1);
    cr_assert_eq(told.faults[0].offset_bytes, offsets[4]);
}

/* A frame that is whole and lies, and a damaged one behind it. */
Test(query_verify, a_disagreement_and_damage_behind_it_are_two, FIXTURE)
{
    struct forge forge;
    char path[TEMPDIR_PATH_BYTES];
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_rejected(&forge, SETTLE_REASON_SELF_TRADE);
    forge_frame_end(&forge);
    uint64_t second = 0;
    for (int i = 0; i < 3; i++) {
        event.ts_ms++;
        forge_frame_begin(&forge);
        second = i == 1 ? forge.buffer.frame.position : second;
        forge_consumed(&forge, &event);
        forge_rejected(&forge, SETTLE_REASON_SELF_TRADE);
        forge_frame_end(&forge);
    }
    forge_end(&forge);
    struct told told = faults_of();
    cr_assert_eq(told.count, 1);
    cr_assert_eq(told.faults[0].seq, 1);
    fixture_path("journal", ".seg", 0, path);
    fixture_flip(path, (long)second + 70, 1);
    told = faults_of();
    cr_assert_eq(told.count, 2);
    cr_assert_eq(told.faults[1].seq, 3);
}

/* Each flip of the middle of a journal is one fault, wherever it is. */
Test(query_verify, one_flipped_bit_is_one_fault, FIXTURE)
{
    uint64_t offsets[256];
    char path[TEMPDIR_PATH_BYTES];
    fill_segments(150);
    size_t count = frames_of(1, offsets);
    fixture_path("journal", ".seg", 1, path);
    for (uint64_t offset = offsets[0]; offset < offsets[count - 1]; offset += 37) {
        fixture_flip(path, (long)offset, (unsigned char)(1 << offset % 8));
        cr_assert_eq(faults_of().count, 1, "byte %lu", (unsigned long)offset);
        fixture_flip(path, (long)offset, (unsigned char)(1 << offset % 8));
    }
    cr_assert_eq(faults_of().count, 0);
}

/* ---- Progress ---- */

struct steps {
    uint64_t calls, events, stop_at;
};

static bool count_steps(void *context, const struct verify_progress *progress)
{
    struct steps *steps = context;
    cr_assert_geq(progress->events, steps->events);
    cr_assert(progress->bytes_total == 0 || progress->bytes_done <= progress->bytes_total);
    steps->events = progress->events;
    return ++steps->calls != steps->stop_at;
}

Test(query_verify, progress_is_told_and_may_stop_it, FIXTURE)
{
    struct steps steps = {.calls = 0};
    const struct verify_options options = {.go_on = count_steps, .context = &steps};
    struct verify_result result = {0};
    fill_segments(20);
    EXPECT_OK(query_verify(fixture_dir, &options, &result, &test_error));
    cr_assert(result.ok && !result.was_stopped);
    cr_assert_eq(steps.calls, result.counts.frames);
    cr_assert_eq(steps.events, 20);
    steps = (struct steps){.stop_at = 5};
    EXPECT_OK(query_verify(fixture_dir, &options, &result, &test_error));
    cr_assert(result.was_stopped && !result.ok && result.fault_count == 0);
    cr_assert_eq(steps.calls, 5);
    cr_assert_lt(result.counts.events, 20);
}

/* ---- The store against the journal ---- */

static void change_account(struct store_copy *copy)
{
    accounts_find(&copy->accounts, 8, 1)->available -= 1;
}

static void change_version(struct store_copy *copy)
{
    accounts_find(&copy->accounts, 8, 1)->version++;
}

static void add_account(struct store_copy *copy)
{
    struct account *account = accounts_upsert(&copy->accounts, 99, 1);
    account->version = account->last_seq = account->last_position = 1;
}

static void lose_account(struct store_copy *copy)
{
    struct accounts fewer = {0};
    EXPECT_OK(accounts_init(&fewer, &mem_libc, 64));
    EXPECT_OK(accounts_reserve(&fewer, 64));
    for (uint32_t i = 0; i < copy->accounts.count; i++) {
        const struct account *account = accounts_at(&copy->accounts, i);
        if (account->user != 7 || account->asset != 1)
            *accounts_upsert(&fewer, account->user, account->asset) = *account;
    }
    accounts_deinit(&copy->accounts);
    copy->accounts = fewer;
}

static void lose_id(struct store_copy *copy)
{
    copy->id_count--;
}

static void add_id(struct store_copy *copy)
{
    struct store_id *id = &copy->ids[copy->id_count++];
    *id = copy->ids[0];
    id->key.is_natural = false;
    id->key.text_bytes = 1;
    id->key.text[0] = 'x';
}

static void move_id(struct store_copy *copy)
{
    copy->ids[1].position += 8;
}

static void change_asset(struct store_copy *copy)
{
    copy->assets[0].scale++;
}

static void lose_asset(struct store_copy *copy)
{
    copy->asset_count--;
}

static void lose_arrival(struct store_copy *copy)
{
    copy->arrival_count--;
}

static void add_arrival(struct store_copy *copy)
{
    copy->arrivals[copy->arrival_count] = copy->arrivals[0];
    copy->arrivals[copy->arrival_count++].position += 8;
}

static void move_arrival(struct store_copy *copy)
{
    copy->arrivals[0].position += 8;
}

/* Three of them, each a fault. */
static void change_much(struct store_copy *copy)
{
    change_account(copy);
    change_asset(copy);
    lose_arrival(copy);
}

static void change_nothing(struct store_copy *copy)
{
    (void)copy;
}

Test(query_verify, a_store_written_again_with_the_same_content_is_equal, FIXTURE)
{
    fixture_fill_engine(0);
    fixture_rewrite_store(change_nothing);
    struct verify_result result = verify();
    cr_assert(result.ok, "%s", result.fault.text);
    cr_assert_eq(result.store, STORE_EQUAL);
}

static void expect_store_differs(void (*change)(struct store_copy *copy), const char *words)
{
    fixture_fill_engine(0);
    fixture_rewrite_store(change);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_eq(result.store, STORE_DIFFERS);
    cr_assert_str_eq(result.fault.file, "store");
    cr_assert_not_null(strstr(result.fault.text, words), "%s", result.fault.text);
}

Test(query_verify, another_balance_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(change_account, "user 8 asset 1");
}

Test(query_verify, another_version_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(change_version, "user 8 asset 1");
}

Test(query_verify, a_balance_too_many_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(add_account, "user 99 asset 1");
}

Test(query_verify, a_balance_too_few_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(lose_account, "lacks a balance");
}

Test(query_verify, an_id_too_few_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(lose_id, "event ids");
}

Test(query_verify, an_id_too_many_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(add_id, "event ids");
}

Test(query_verify, an_id_at_another_position_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(move_id, "event ids");
}

Test(query_verify, another_asset_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(change_asset, "BTC");
}

Test(query_verify, an_asset_too_few_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(lose_asset, "lacks an asset");
}

Test(query_verify, a_later_arrival_too_few_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(lose_arrival, "later arrivals");
}

Test(query_verify, a_later_arrival_too_many_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(add_arrival, "later arrivals");
}

Test(query_verify, a_later_arrival_at_another_position_in_the_store_is_found, FIXTURE)
{
    expect_store_differs(move_arrival, "later arrivals");
}

Test(query_verify, every_difference_of_the_store_is_counted, FIXTURE)
{
    expect_store_differs(change_much, "user 8 asset 1");
    cr_assert_eq(verify().fault_count, 3);
}

/* Damage that a checksum finds, wherever it lies in the store: told, or harmless, never a crash. */
Test(query_verify, a_damaged_store_is_damaged, FIXTURE)
{
    char path[TEMPDIR_PATH_BYTES];
    size_t found = 0;
    fixture_fill_engine(0);
    fixture_path("store", "data.mdb", 0, path);
    for (long offset = 0; offset < 40960; offset += 101) {
        fixture_flip(path, offset, 0x04);
        struct verify_result result = verify();
        if (!result.ok) {
            found++;
            cr_assert(result.store == STORE_DAMAGED || result.store == STORE_DIFFERS, "byte %ld: %s", offset,
                      result.fault.text);
        }
        fixture_flip(path, offset, 0x04);
    }
    cr_assert_gt(found, 3);
}

/* ---- Forgery ---- */

/* The same id accepted twice. */
static void forge_twice(bool in_one_frame)
{
    struct forge forge;
    settle_leg legs[2];
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_deposit_legs(legs);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    uint64_t first = forge_consumed(&forge, &event);
    forge_validated(&forge, legs, 2);
    if (!in_one_frame) {
        forge_frame_end(&forge);
        forge_frame_begin(&forge);
    }
    forge_consumed(&forge, &event);
    for (int i = 0; i < 2; i++) {
        legs[i].version = 2;
        legs[i].after_available *= 2;
        legs[i].previous_position = first;
    }
    forge_validated(&forge, legs, 2);
    forge_frame_end(&forge);
    forge_end(&forge);
}

Test(query_verify, an_id_that_had_two_effects_is_found, FIXTURE)
{
    forge_twice(true);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_eq(result.fault.seq, 2);
    cr_assert_not_null(strstr(result.fault.text, "taken before"), "%s", result.fault.text);
}

Test(query_verify, an_id_that_had_two_effects_in_two_frames_is_found, FIXTURE)
{
    forge_twice(false);
    cr_assert_eq(verify().fault.seq, 2);
}

/* The second effect stands behind the point of the store, which knows the id. */
Test(query_verify, an_id_of_the_store_taken_again_in_the_tail_is_found, FIXTURE)
{
    struct forge forge = {.data_fd = -1};
    struct journal_reader *reader = NULL;
    struct journal_point point;
    struct frame frame;
    settle_event event = fixture_transfer(SETTLE_WITHDRAWAL, 1003, 7, 2, 9999000000); /* was rejected as seq 4 */
    fixture_fill_engine(0);
    EXPECT_OK(dir_open(fixture_dir, false, &forge.data_fd, &test_error));
    EXPECT_OK(journal_reader_open(forge.data_fd, &mem_libc, &reader, &test_error));
    journal_reader_begin(reader, &point);
    while (journal_reader_next(reader, &point, &frame, &test_error) == SETTLE_OK)
        ;
    forge.next_seq = point.next_seq;
    forge.time_us = point.time_us;
    EXPECT_OK(journal_writer_open(forge.data_fd, &mem_libc, &point, &forge.writer, &test_error));
    EXPECT_OK(frame_buffer_init(forge.writer, &forge.buffer, &test_error));
    forge_frame_begin(&forge);
    forge_consumed(&forge, &event);
    forge_rejected(&forge, SETTLE_REASON_INSUFFICIENT_FUNDS);
    forge_frame_end(&forge);
    journal_reader_close(reader);
    forge_end(&forge);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_eq(result.fault.seq, 7);
    cr_assert_not_null(strstr(result.fault.text, "taken before"), "%s", result.fault.text);
}

Test(query_verify, what_the_rules_do_not_give_is_a_fault, FIXTURE)
{
    struct forge forge;
    settle_event event = fixture_transfer(SETTLE_DEPOSIT, 5, 7, 2, 100);
    forge_begin(&forge, 65536);
    forge_frame_begin(&forge);
    forge_asset(&forge, &fixture_usdt);
    forge_consumed(&forge, &event);
    forge_rejected(&forge, SETTLE_REASON_SELF_TRADE);
    forge_frame_end(&forge);
    forge_end(&forge);
    struct verify_result result = verify();
    cr_assert_not(result.ok);
    cr_assert_eq(result.fault.seq, 1);
    cr_assert_eq(strncmp(result.fault.file, "journal/", 8), 0);
}
