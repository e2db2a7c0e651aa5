/*
 * test_store_flips.c — a store with one flipped bit, any bit of the file: opened, asked for everything it holds and for what it
 * does not, walked, and written to. Each answer is the right one or SETTLE_E_CORRUPT; nothing else, no signal, no hang. Above
 * all no id that is known is ever told to be new, since the event would then count twice.
 *
 *     test_fault_store_flips [EVERY [FIRST]]
 *
 * flips every EVERYth bit, 1 for all; a plain main(), so that the bit that ended the process can be told.
 */
#include "engine/store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/lib/child.h"
#include "tests/lib/plain.h"
#include "tests/lib/store_fixture.h"

enum {
    NATURAL = 330, /* pages of several leaves and a branch above them */
    TEXT = 150,
    USERS = 120,
    ARRIVALS = 40,
    ROUNDS = 3, /* batches: older copies of pages, and lists of free ones */
    LONG_NAME_BYTES = 4000,

    CHILD_SECONDS_MAX = 60,
    EVERY = 1999, /* where no argument tells; prime, so that all bits of bytes and fields have their turn */
};
#define TS UINT64_C(1733856600000)

static struct fixture f;
static char data_file[TEMPDIR_PATH_BYTES], long_name[LONG_NAME_BYTES];
static uint8_t *image;
static size_t image_bytes;
static uint64_t later_position; /* of ids that the batch behind the flip adds */
static unsigned *corrupt_count; /* shared with the children */

/* ---- What is in it --------------------------------------------------------------------------------------------------------- */

/* Every second number, so that there is something to ask for in between. */
static struct store_id natural_of(unsigned i)
{
    return natural_id(TS + 2 * i, SETTLE_DEPOSIT, 1001 + i % 7, 2, 64 * (uint64_t)(i + 1));
}

static struct store_id text_of(unsigned i)
{
    char text[SETTLE_EVENT_ID_BYTES_MAX + 1];
    snprintf(text, sizeof(text), "%0*u-order", (int)(4 + i % 40), 2 * i); /* of many lengths */
    return text_id(text, 64 * (uint64_t)(i + 1) + 8);
}

static const settle_asset assets[] = {{1, 8, "BTC"}, {2, 6, "USDT"}};

static void apply_round(unsigned round)
{
    struct accounts accounts;
    struct store_id ids[NATURAL + TEXT];
    struct store_arrival arrivals[ARRIVALS];
    size_t id_count = 0, arrival_count = 0;
    FIXTURE_CHECK(accounts_init(&accounts, &mem_libc, USERS) == SETTLE_OK);
    for (uint64_t user = 1; user <= USERS; user++) {
        struct account account = sample_account(user, 1, round + 1);
        put_sample(&accounts, &account);
    }
    for (unsigned i = round; i < NATURAL; i += ROUNDS)
        ids[id_count++] = natural_of(i);
    for (unsigned i = round; i < TEXT; i += ROUNDS)
        ids[id_count++] = text_of(i);
    for (unsigned i = round; i < ARRIVALS; i += ROUNDS)
        arrivals[arrival_count++] = (struct store_arrival){64, 640000 + 64 * (uint64_t)i};
    struct source_entry sources[] = {
        {.name = long_name, .name_bytes = sizeof(long_name), .offset_bytes = round + 1, .line = round + 2},
        {.name = long_name, .name_bytes = 9, .offset_bytes = round + 3, .line = round + 4},
    };
    FIXTURE_CHECK(fixture_apply(&f, (struct store_batch){.accounts = &accounts,
                                                         .ids = ids,
                                                         .id_count = id_count,
                                                         .arrivals = arrivals,
                                                         .arrival_count = arrival_count,
                                                         .assets = assets,
                                                         .asset_count = round == 0 ? 2 : 0,
                                                         .sources = sources,
                                                         .source_count = 2}) == SETTLE_OK);
    accounts_deinit(&accounts);
}

/* ---- Asking: the right answer, or damage told ------------------------------------------------------------------------------ */

static bool is_damage(settle_status status)
{
    CHECK(status == SETTLE_OK || status == SETTLE_E_CORRUPT);
    return status == SETTLE_E_CORRUPT;
}

static void expect_id(struct store_snapshot *snapshot, const struct store_id *id)
{
    uint64_t position = 0;
    if (!is_damage(store_id_get(snapshot, &id->key, &position, &fixture_error)))
        CHECK(position == id->position);
}

static void expect_no_id(struct store_snapshot *snapshot, struct store_id id)
{
    uint64_t position;
    settle_status status = store_id_get(snapshot, &id.key, &position, &fixture_error);
    CHECK(status == SETTLE_E_NOT_FOUND || status == SETTLE_E_CORRUPT);
}

static void ask_ids(struct store_snapshot *snapshot)
{
    for (unsigned i = 0; i < NATURAL; i++) {
        struct store_id id = natural_of(i);
        expect_id(snapshot, &id);
        id.key.ts_ms++;
        if (later_position == 0)
            expect_no_id(snapshot, id);
    }
    for (unsigned i = 0; i < TEXT; i++) {
        struct store_id id = text_of(i);
        expect_id(snapshot, &id);
        id.key.text[id.key.text_bytes - 1] ^= 1;
        expect_no_id(snapshot, id);
    }
    for (unsigned i = 0; i < NATURAL && later_position != 0; i++) {
        struct store_id id = natural_of(i);
        id.key.ts_ms++;
        id.position = later_position;
        expect_id(snapshot, &id);
    }
}

struct taken {
    uint64_t version, count, last;
};

static settle_status take_account(void *context, const struct account *account, settle_error *error)
{
    struct taken *taken = context;
    (void)error;
    struct account expected = sample_account(++taken->count, 1, taken->version);
    CHECK(account_equal(account, &expected));
    return SETTLE_OK;
}

static settle_status take_id(void *context, const struct store_id *id, settle_error *error)
{
    (void)error, (void)id;
    ((struct taken *)context)->count++;
    return SETTLE_OK;
}

static settle_status take_position(void *context, uint64_t position, settle_error *error)
{
    struct taken *taken = context;
    (void)error;
    CHECK(position == 640000 + 64 * taken->count++);
    return SETTLE_OK;
}

static settle_status take_asset(void *context, const settle_asset *asset, settle_error *error)
{
    struct taken *taken = context;
    (void)error;
    CHECK(taken->count < 2 && asset->id == assets[taken->count].id && asset->scale == assets[taken->count].scale);
    taken->count++;
    return SETTLE_OK;
}

static void ask_walks(struct store_snapshot *snapshot, uint64_t version)
{
    struct taken taken = {.version = version};
    if (!is_damage(store_accounts_walk(snapshot, 0, take_account, &taken, &fixture_error)))
        CHECK(taken.count == USERS);
    taken = (struct taken){0};
    if (!is_damage(store_ids_walk(snapshot, take_id, &taken, &fixture_error)))
        CHECK(taken.count == (later_position != 0 ? 2 * NATURAL : NATURAL) + TEXT);
    taken = (struct taken){0};
    if (!is_damage(store_arrivals_walk(snapshot, 64, take_position, &taken, &fixture_error)))
        CHECK(taken.count == ARRIVALS);
    taken = (struct taken){0};
    if (!is_damage(store_assets_walk(snapshot, take_asset, &taken, &fixture_error)))
        CHECK(taken.count == 2);
}

static void ask_all(struct store_snapshot *snapshot, uint64_t version)
{
    struct store_meta meta;
    if (!is_damage(store_meta_get(snapshot, &meta, &fixture_error)))
        CHECK(meta.point.position == f.position && meta.account_count == USERS);
    for (uint64_t user = 1; user <= USERS; user++) {
        struct account account, expected = sample_account(user, 1, version);
        if (!is_damage(store_account_get(snapshot, user, 1, &account, &fixture_error)))
            CHECK(account_equal(&account, &expected));
        settle_status status = store_account_get(snapshot, user, 3, &account, &fixture_error);
        CHECK(status == SETTLE_E_NOT_FOUND || status == SETTLE_E_CORRUPT);
    }
    ask_ids(snapshot);
    ask_walks(snapshot, version);
    struct source_entry source;
    if (!is_damage(store_source_get(snapshot, (settle_text){long_name, sizeof(long_name)}, &source, &fixture_error)))
        CHECK(source.line == version + 1);
}

/* SETTLE_OK: it opened, and every answer was right or damage. */
static settle_status open_and_ask(bool write, uint64_t version)
{
    settle_status status = fixture_reopen(&f, write);
    CHECK(status == SETTLE_OK || status == SETTLE_E_CORRUPT);
    struct store_snapshot *snapshot;
    if (status != SETTLE_OK)
        return status;
    status = store_snapshot_open(f.store, &snapshot, &fixture_error);
    if (is_damage(status))
        return status;
    ask_all(snapshot, version);
    store_snapshot_close(snapshot);
    return SETTLE_OK;
}

/* New ids between the known ones, and every account once more. */
static settle_status write_more(void)
{
    struct accounts accounts;
    struct store_id ids[NATURAL];
    FIXTURE_CHECK(accounts_init(&accounts, &mem_libc, USERS) == SETTLE_OK);
    for (uint64_t user = 1; user <= USERS; user++) {
        struct account account = sample_account(user, 1, ROUNDS + 1);
        put_sample(&accounts, &account);
    }
    for (unsigned i = 0; i < NATURAL; i++) {
        ids[i] = natural_of(i);
        ids[i].key.ts_ms++;
        ids[i].position = 6400000;
    }
    struct source_entry source = {
        .name = long_name, .name_bytes = sizeof(long_name), .offset_bytes = ROUNDS + 1, .line = ROUNDS + 2};
    settle_status status = fixture_apply(
        &f, (struct store_batch){
                .accounts = &accounts, .ids = ids, .id_count = NATURAL, .sources = &source, .source_count = 1});
    accounts_deinit(&accounts);
    return status;
}

/* ---- Flips ----------------------------------------------------------------------------------------------------------------- */

static void restore(size_t bit)
{
    int fd = open(data_file, O_WRONLY | O_TRUNC);
    CHECK(fd >= 0);
    image[bit / 8] ^= (uint8_t)(1u << bit % 8);
    CHECK(write(fd, image, image_bytes) == (ssize_t)image_bytes);
    image[bit / 8] ^= (uint8_t)(1u << bit % 8);
    close(fd);
}

static void close_store(void)
{
    store_close(f.store);
    f.store = NULL;
}

static void try_flip(size_t bit)
{
    const uint64_t position = f.position;
    later_position = 0;
    restore(bit);
    bool is_damaged = open_and_ask(false, ROUNDS) != SETTLE_OK;
    close_store();
    if (open_and_ask(true, ROUNDS) == SETTLE_OK && !is_damage(write_more())) {
        later_position = 6400000;
        close_store();
        is_damaged |= open_and_ask(true, ROUNDS + 1) != SETTLE_OK;
    } else {
        is_damaged = true;
    }
    close_store();
    f.position = position;
    corrupt_count[0] += is_damaged;
}

/* In a process of its own, which tells how far it came. */
static void try_flips(size_t first, size_t end, size_t every, size_t *at)
{
    pid_t child = child_fork();
    if (child == 0) {
        for (*at = first; *at < end; *at += every) {
            alarm(CHILD_SECONDS_MAX);
            try_flip(*at);
        }
        _exit(0);
    }
    int exit_status = child_exit(child);
    if (exit_status == 0)
        return;
    fprintf(stderr, "bit %zu of byte %zu, page %zu, offset %zu in it: ended with %d\n", *at % 8, *at / 8,
            *at / 8 / 4096, *at / 8 % 4096, exit_status);
    exit(1);
}

static void make_image(void)
{
    struct stat status;
    fixture_open(&f);
    memset(long_name, 'n', sizeof(long_name));
    for (unsigned round = 0; round < ROUNDS; round++)
        apply_round(round);
    close_store();
    fixture_file(&f, STORE_DATA_NAME, data_file);
    CHECK(stat(data_file, &status) == 0);
    image_bytes = (size_t)status.st_size;
    image = malloc(image_bytes);
    int fd = open(data_file, O_RDONLY);
    CHECK(image != NULL && fd >= 0 && read(fd, image, image_bytes) == (ssize_t)image_bytes);
    close(fd);
}

int main(int argc, char **argv)
{
    const size_t every = argc > 1 ? strtoul(argv[1], NULL, 10) : EVERY;
    const size_t first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    CHECK(every > 0);
    make_image();
    CHECK(image_bytes >= 65536);
    size_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    corrupt_count = (unsigned *)(at + 1);
    const size_t bits = image_bytes * 8, chunk = every * 512;
    for (size_t begin = first; begin < bits; begin += chunk)
        try_flips(begin, begin + chunk < bits ? begin + chunk : bits, every, at);
    printf("%zu bytes, %zu bits flipped one by one: %u found damaged as a whole, the others without effect or found "
           "where they are\n",
           image_bytes, (bits - first + every - 1) / every, corrupt_count[0]);
    CHECK(corrupt_count[0] > 0);
    free(image);
    fixture_close(&f);
    return 0;
}
