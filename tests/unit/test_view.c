/* Tests of engine/view.h: the store's checkpoint and the journal's tail as one look at a data directory. */
#include "engine/view.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "tests/lib/child.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/oracle.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

SETTLE_SUITE(view);

/* ---- Directories ---- */

static void submit(struct rig *rig, struct oracle *oracle, int count)
{
    for (int i = 0; i < count; i++) {
        struct stream_event event;
        settle_result expected;
        oracle_next(oracle, &event, &expected);
        cr_assert(rig_submit(rig, event.event).seq == expected.seq);
    }
}

static void open_engine(struct rig *rig)
{
    cr_assert(rig_try_open(rig) == SETTLE_OK && oracle_declare(rig->engine, NULL) == SETTLE_OK, "%s", rig->error.text);
}

/* `stored` events that are in the store, and `behind` more that are only in the journal. Nobody has it open. */
static void make_directory(struct rig *rig, struct oracle *oracle, int stored, int behind)
{
    char left[TEMPDIR_PATH_BYTES];
    builder_use_memory();
    rig_make(rig);
    oracle_init(oracle, stream_seed(12));
    open_engine(rig);
    submit(rig, oracle, stored);
    rig_close(rig);
    rig->options.checkpoint_interval_ms = 3600000;
    cr_assert(rig_try_open(rig) == SETTLE_OK);
    submit(rig, oracle, behind);
    tempdir_join(left, rig->base, "left");
    tree_copy(rig->data, left);
    rig_close(rig);
    memcpy(rig->data, left, sizeof left);
}

static void remove_directory(struct rig *rig, struct oracle *oracle)
{
    oracle_deinit(oracle);
    rig_remove(rig);
}

static void store_path(const struct rig *rig, char ret_path[TEMPDIR_PATH_BYTES])
{
    tempdir_join(ret_path, rig->data, "store");
}

/* ---- What every view must answer ---- */

static void expect_accounts(struct view *view, const struct model *model)
{
    struct accounts accounts;
    char text[MODEL_TEXT_BYTES];
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    EXPECT_OK(view_accounts(view, 0, 0, &accounts, &test_error));
    cr_assert(model_equals_accounts(model, &accounts, text), "%s", text);
    accounts_deinit(&accounts);
    for (size_t i = 0; i < model->balance_count; i++) { /* one alone, and one user's */
        const settle_balance *balance = &model->balances[i];
        EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
        EXPECT_OK(view_accounts(view, balance->user, balance->asset, &accounts, &test_error));
        cr_assert(accounts.count == 1 && accounts_at(&accounts, 0)->available == balance->available);
        accounts_clear(&accounts);
        EXPECT_OK(view_accounts(view, balance->user, 0, &accounts, &test_error));
        uint32_t of_user = 0;
        for (size_t j = 0; j < model->balance_count; j++)
            of_user += model->balances[j].user == balance->user;
        cr_assert(accounts.count == of_user);
        accounts_deinit(&accounts);
    }
}

static void expect_events(struct view *view, const struct model *model)
{
    for (size_t i = 0; i < model->entry_count; i++) {
        const struct model_entry *entry = &model->entries[i];
        struct event_key key;
        struct event_records event;
        uint64_t position = 0, *arrivals = NULL;
        size_t count = 0;
        event_key_of_text((settle_text){entry->id, strlen(entry->id)}, &key);
        EXPECT_OK(view_find_event(view, &key, &position, &test_error));
        EXPECT_OK(journal_reader_event(view->reader, position, &event, &test_error));
        cr_assert(event.consumed.seq == entry->seq, "%s", entry->id);
        EXPECT_OK(view_arrivals(view, position, &arrivals, &count, &test_error));
        for (size_t j = 0; j < count; j++) {
            cr_assert(j == 0 || arrivals[j] > arrivals[j - 1]);
            EXPECT_OK(journal_reader_event(view->reader, arrivals[j], &event, &test_error));
            cr_assert(event.decided.u.repeat.first_seq == entry->seq &&
                      event.decided.u.repeat.first_position == position);
        }
        free(arrivals);
    }
    struct event_key never;
    uint64_t position = 77;
    event_key_of_text((settle_text){"never", 5}, &never);
    EXPECT_STATUS(view_find_event(view, &never, &position, &test_error), SETTLE_E_NOT_FOUND);
    event_key_of_text((settle_text){"deposit_1_2_3", 13}, &never);
    EXPECT_STATUS(view_find_event(view, &never, &position, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert(position == 77);
}

static void expect_assets(const struct view *view)
{
    for (size_t i = 0; i < STREAM_ASSET_COUNT; i++) {
        const settle_asset *asset = view_asset_by_id(view, stream_assets[i].id);
        cr_assert(asset != NULL && strcmp(asset->symbol, stream_assets[i].symbol) == 0);
        settle_text symbol = {stream_assets[i].symbol, strlen(stream_assets[i].symbol)};
        cr_assert(view_asset_by_symbol(view, symbol) == asset);
    }
    cr_assert(view_asset_by_id(view, STREAM_ASSET_UNDECLARED) == NULL);
}

/* Opens, asks everything, closes; nothing in the directory changes. */
static void expect_answers(const struct rig *rig, const struct oracle *oracle, settle_status store_fault, bool has_tail)
{
    struct view view = {0};
    char *before = tree_listing(rig->data);
    EXPECT_OK(view_open(rig->data, &view, &test_error));
    cr_assert(view.store_fault.status == store_fault, "store: %s", view.store_fault.text);
    cr_assert((view.store != NULL) == (store_fault == SETTLE_OK));
    cr_assert((view.overlay.event_count > 0) == has_tail);
    cr_assert(view.end.next_seq == oracle->model.seq + 1);
    expect_accounts(&view, &oracle->model);
    expect_events(&view, &oracle->model);
    expect_assets(&view);
    view_close(&view);
    char *after = tree_listing(rig->data);
    cr_assert_str_eq(after, before);
    free(before);
    free(after);
}

/* ---- The store in all states ---- */

Test(view, a_whole_store_answers_alone)
{
    struct rig rig;
    struct oracle oracle;
    make_directory(&rig, &oracle, 150, 0);
    expect_answers(&rig, &oracle, SETTLE_OK, false);
    remove_directory(&rig, &oracle);
}

Test(view, a_store_that_is_behind_is_completed_from_the_journal)
{
    struct rig rig;
    struct oracle oracle;
    make_directory(&rig, &oracle, 100, 60);
    expect_answers(&rig, &oracle, SETTLE_OK, true);
    remove_directory(&rig, &oracle);
}

Test(view, without_a_store_the_journal_answers)
{
    struct rig rig;
    struct oracle oracle;
    char store[TEMPDIR_PATH_BYTES];
    make_directory(&rig, &oracle, 100, 60);
    store_path(&rig, store);
    tempdir_remove(store);
    expect_answers(&rig, &oracle, SETTLE_E_NOT_FOUND, true);
    remove_directory(&rig, &oracle);
}

Test(view, a_damaged_store_is_done_without)
{
    struct rig rig;
    struct oracle oracle;
    char data[TEMPDIR_PATH_BYTES];
    make_directory(&rig, &oracle, 100, 60);
    tempdir_join(data, rig.data, "store/data.mdb");
    tree_truncate(data, 4096 * 3);
    expect_answers(&rig, &oracle, SETTLE_E_CORRUPT, true);
    remove_directory(&rig, &oracle);
}

Test(view, a_store_found_damaged_later_can_be_forgotten)
{
    struct rig rig;
    struct oracle oracle;
    struct view view = {0};
    make_directory(&rig, &oracle, 100, 60);
    EXPECT_OK(view_open(rig.data, &view, &test_error));
    settle_error fault = {.status = SETTLE_E_CORRUPT, .text = "rotten"};
    EXPECT_OK(view_forget_store(&view, &fault, &test_error));
    cr_assert(view.store == NULL && view.snapshot == NULL && strcmp(view.store_fault.text, "rotten") == 0);
    expect_accounts(&view, &oracle.model);
    expect_events(&view, &oracle.model);
    expect_assets(&view);
    view_close(&view);
    remove_directory(&rig, &oracle);
}

/* Others may have written the store, and that is the reader's to know; a lock file that cannot be used only keeps it from the store. */
Test(view, a_store_that_others_may_write_is_refused_and_one_whose_lock_cannot_be_used_is_done_without)
{
    struct rig rig;
    struct oracle oracle;
    struct view view = {0};
    char path[TEMPDIR_PATH_BYTES];
    make_directory(&rig, &oracle, 100, 60);
    tempdir_join(path, rig.data, "store/lock.mdb");
    cr_assert_eq(chmod(path, 0620), 0);
    expect_answers(&rig, &oracle, SETTLE_E_ACCESS, true);
    cr_assert_eq(chmod(path, 0600), 0);
    tempdir_join(path, rig.data, "store/data.mdb");
    cr_assert_eq(chmod(path, 0620), 0);
    EXPECT_STATUS(view_open(rig.data, &view, &test_error), SETTLE_E_ACCESS);
    cr_assert_str_eq(test_error.file, "store/data.mdb");
    EXPECT_STATUS(view_open(rig.data, &view, NULL), SETTLE_E_ACCESS);
    cr_assert_null(view.reader);
    remove_directory(&rig, &oracle);
}

/* ---- Directories that cannot be looked at ---- */

Test(view, what_is_not_there_is_not_found)
{
    struct rig rig;
    struct view view = {0};
    rig_make(&rig);
    EXPECT_STATUS(view_open(rig.data, &view, &test_error), SETTLE_E_NOT_FOUND);
    EXPECT_STATUS(view_open(rig.base, &view, &test_error), SETTLE_E_NOT_FOUND);
    cr_assert(view.mem == NULL && view.reader == NULL);
    view_close(&view);
    rig_remove(&rig);
}

Test(view, an_empty_journal_has_nothing_to_tell)
{
    struct rig rig;
    struct view view = {0};
    struct accounts accounts;
    rig_make(&rig);
    EXPECT_OK(settle_create(rig.data, &rig.options, &test_error));
    EXPECT_OK(view_open(rig.data, &view, &test_error));
    EXPECT_OK(accounts_init(&accounts, &mem_libc, 0));
    EXPECT_OK(view_accounts(&view, 0, 0, &accounts, &test_error));
    cr_assert(accounts.count == 0 && view.end.next_seq == 1 && view.store_fault.status == SETTLE_E_NOT_FOUND);
    accounts_deinit(&accounts);
    view_close(&view);
    rig_remove(&rig);
}

Test(view, a_journal_cut_behind_the_store_is_corrupt)
{
    struct rig rig;
    struct oracle oracle;
    struct view view = {0};
    make_directory(&rig, &oracle, 150, 0);
    struct tree_segments segments = tree_segments(rig.data);
    cr_assert(remove(segments.paths[segments.count - 1]) == 0);
    EXPECT_STATUS(view_open(rig.data, &view, &test_error), SETTLE_E_CORRUPT);
    cr_assert(test_error.text[0] != '\0');
    EXPECT_STATUS(view_open(rig.data, &view, NULL), SETTLE_E_CORRUPT);
    tree_segments_free(&segments);
    remove_directory(&rig, &oracle);
}

/* ---- Beside a writer ---- */

static void say(int fd)
{
    if (write(fd, "x", 1) != 1)
        abort();
}

static void hear(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        abort();
}

Test(view, a_view_beside_a_writer_is_one_moment_of_what_is_durable)
{
    struct rig rig;
    struct oracle oracle;
    int to_child[2], to_parent[2];
    struct view view = {0};
    make_directory(&rig, &oracle, 100, 20);
    cr_assert(pipe(to_child) == 0 && pipe(to_parent) == 0);
    pid_t child = child_fork();
    if (child == 0) {
        rig.options.checkpoint_events_max = 10;
        open_engine(&rig);
        for (;;) {
            submit(&rig, &oracle, 30);
            say(to_parent[1]);
            hear(to_child[0]);
        }
    }
    for (int round = 1; round <= 5; round++) {
        hear(to_parent[0]);
        EXPECT_OK(view_open(rig.data, &view, &test_error));
        cr_assert(view.store_fault.status == SETTLE_OK, "%s", view.store_fault.text);
        oracle_rewind(&oracle, oracle.model.seq + 30);
        say(to_child[1]); /* it goes on while this view is asked */
        cr_assert(view.end.next_seq == oracle.model.seq + 1);
        expect_accounts(&view, &oracle.model);
        expect_events(&view, &oracle.model);
        view_close(&view);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(to_parent[i]);
    }
    remove_directory(&rig, &oracle);
}

Test(view, the_writers_own_process_shares_its_store)
{
    struct rig rig;
    struct oracle oracle;
    struct view view = {0};
    make_directory(&rig, &oracle, 100, 20);
    rig.options.checkpoint_events_max = 10;
    cr_assert(rig_try_open(&rig) == SETTLE_OK);
    for (int round = 0; round < 5; round++) {
        submit(&rig, &oracle, 12);
        EXPECT_OK(engine_view(rig.engine, &view, &test_error));
        cr_assert(view.store != NULL && !view.owns_store && view.end.next_seq == oracle.model.seq + 1);
        expect_accounts(&view, &oracle.model);
        expect_events(&view, &oracle.model);
        view_close(&view);
    }
    remove_directory(&rig, &oracle);
}

/* The store rots under a living engine: a query in its process does without it, and leaves it to the engine. */
Test(view, the_writers_own_process_does_without_a_store_that_rots)
{
    struct rig rig;
    struct oracle oracle;
    struct view view = {0};
    char path[TEMPDIR_PATH_BYTES];
    size_t bytes;
    make_directory(&rig, &oracle, 100, 20);
    rig.options.checkpoint_interval_ms = 3600000;
    cr_assert(rig_try_open(&rig) == SETTLE_OK);
    tempdir_join(path, rig.data, "store/data.mdb");
    unsigned char *kept = tree_read(path, &bytes);
    for (size_t page = 2; page < bytes / 4096; page++)
        tree_flip_bit(path, page * 4096 + 11, 5); /* no kind of page has it */
    EXPECT_OK(engine_view(rig.engine, &view, &test_error));
    cr_assert(view.store == NULL && view.snapshot == NULL && view.store_fault.status == SETTLE_E_CORRUPT);
    expect_accounts(&view, &oracle.model);
    expect_events(&view, &oracle.model);
    view_close(&view);
    tree_write(path, 0, kept, bytes);
    EXPECT_OK(engine_view(rig.engine, &view, &test_error));
    cr_assert_not_null(view.store);
    view_close(&view);
    free(kept);
    remove_directory(&rig, &oracle);
}

/* ---- Memory ---- */

struct counted_mem {
    long until_failure, outstanding;
};

static void *counted_reallocate(void *context, void *memory, size_t bytes)
{
    struct counted_mem *counted = context;
    if (bytes == 0) {
        counted->outstanding -= memory != NULL;
        free(memory);
        return NULL;
    }
    if (counted->until_failure-- == 0)
        return NULL;
    counted->outstanding += memory == NULL;
    return realloc(memory, bytes);
}

struct scarce {
    struct rig *rig;
    struct counted_mem counted;
    struct mem mem;
    settle_text repeated; /* an event that came twice, once behind the store */
};

static settle_status ask_all(struct scarce *s, struct view *view, settle_error *error)
{
    struct accounts accounts;
    struct event_key key;
    uint64_t position = 0, *arrivals = NULL;
    size_t count = 0;
    settle_status status = accounts_init(&accounts, &s->mem, 0);
    if (status != SETTLE_OK)
        return fail(error, status, "no memory for accounts");
    status = view_accounts(view, 0, 0, &accounts, error);
    accounts_deinit(&accounts);
    event_key_of_text(s->repeated, &key);
    if (status == SETTLE_OK)
        status = view_find_event(view, &key, &position, error);
    if (status == SETTLE_OK)
        status = view_arrivals(view, position, &arrivals, &count, error);
    if (status == SETTLE_OK) {
        cr_assert_eq(count, 2);
        mem_free(&s->mem, arrivals);
    }
    return status;
}

/* With the store, then without it: the first failure ends it. */
static settle_status look(struct scarce *s, settle_error *error)
{
    struct view view = {0};
    const settle_error fault = {.status = SETTLE_E_CORRUPT, .text = "rotten"};
    settle_status status = view_attach(s->rig->engine->data_fd, s->rig->engine->store, &s->mem, &view, error);
    if (status != SETTLE_OK)
        return status;
    status = ask_all(s, &view, error);
    if (status == SETTLE_OK)
        status = view_forget_store(&view, &fault, error);
    if (status == SETTLE_OK)
        status = ask_all(s, &view, error);
    view_close(&view);
    return status;
}

Test(view, every_allocation_may_fail)
{
    struct rig rig;
    builder_use_memory();
    rig_make(&rig);
    rig_open(&rig);
    for (uint64_t user = 1; user <= 40; user++)
        (void)rig_submit(&rig, rig_deposit(user, RIG_USDT, 1, user));
    (void)rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1));
    rig.options.checkpoint_interval_ms = 3600000;
    rig_reopen(&rig);
    for (uint64_t user = 41; user <= 120; user++)
        (void)rig_submit(&rig, rig_deposit(user, RIG_USDT, 1, user));
    (void)rig_submit(&rig, rig_deposit(1, RIG_USDT, 1, 1));
    struct scarce s = {.rig = &rig, .repeated = {"deposit_1_2_1", 13}};
    s.mem = (struct mem){counted_reallocate, &s.counted};
    long allocations = 0;
    for (bool was_refused = true; was_refused; allocations++) { /* a refusal may also do no harm */
        settle_error error = {.status = SETTLE_OK};
        settle_status status = SETTLE_OK;
        for (int told = 0; told < 2; told++) { /* nobody need listen to the error */
            s.counted = (struct counted_mem){.until_failure = allocations};
            status = look(&s, told != 0 ? &error : NULL);
            cr_assert_eq(s.counted.outstanding, 0);
            was_refused = s.counted.until_failure < 0;
        }
        cr_assert(status == SETTLE_OK || (status == SETTLE_E_NO_MEMORY && error.status == status),
                  "allocation %ld: %d %s", allocations, (int)status, error.text);
    }
    cr_assert_gt(allocations, 12);
    rig_remove(&rig);
}
