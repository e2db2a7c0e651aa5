/*
 * store_check.c — whether data.mdb may be mapped. LMDB believes its meta pages: a file that is shorter than they say ends the
 * process with SIGBUS, and numbers that make no sense with an assertion. So the two are read here first, with pread(2), and
 * checked as far as they can be from the outside.
 *
 * LMDB 0.9's meta page, in the machine's byte order (mdb.c: MDB_page, MDB_meta, MDB_db), page 0 and page 1 of the file:
 *
 *   00 page number u64 · 08 pad u16 · 10 flags u16 (0x08: meta) · 12 lower, upper u16 each
 *   16 magic u32 0xBEEFC0DE · 20 version u32 1 · 24 address u64 · 32 map size u64
 *   40 tree of free pages, 88 tree of tables, each: 00 pad u32 (of the first tree: the page size) · 04 flags u16 ·
 *      06 depth u16 · 08 branch, 16 leaf, 24 overflow pages u64 each · 32 entries u64 · 40 root page u64, ~0 = no pages
 *   136 last page u64 · 144 transaction u64
 *
 * Transaction n writes page n % 2, so that the two hold n and n - 1; in a file without any commit both hold 0.
 */
#include "engine/store_tables.h"

#include <assert.h>
#include <string.h>

#include "journal/base/file.h"

enum {
    META_PAGE_NUMBER = 0,
    META_PAGE_FLAGS = 10,
    META_MAGIC = 16,
    META_VERSION = 20,
    META_PAGE_BYTES = 40,
    META_TREES = 40,
    META_LAST_PAGE = 136,
    META_TRANSACTION = 144,
    META_BYTES = 152,

    TREE_FLAGS = 4,
    TREE_DEPTH = 6,
    TREE_ROOT = 40,
    TREE_BYTES = 48,
    TREE_DEPTH_MAX = 32, /* LMDB's CURSOR_STACK */

    PAGE_IS_META = 0x08,
    TREE_INTEGER_KEY = 0x08, /* the tree of free pages has this flag only; the other has none */

    META_COUNT = 2,
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 65536,
    ATTEMPTS_MAX = 1000,
};
#define MAGIC 0xBEEFC0DEu
#define VERSION 1u
#define NO_PAGE UINT64_MAX

static uint16_t native_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t native_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t native_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* What one look at the file saw. */
struct sight {
    uint64_t file_bytes;
    uint8_t metas[META_COUNT][META_BYTES];
};

static uint32_t page_bytes_of(const uint8_t *meta)
{
    return native_u32(meta + META_PAGE_BYTES);
}

static bool page_bytes_are_valid(uint32_t page_bytes)
{
    return page_bytes >= PAGE_BYTES_MIN && page_bytes <= PAGE_BYTES_MAX && (page_bytes & (page_bytes - 1)) == 0;
}

static settle_status look(int fd, struct sight *ret_sight, settle_error *error)
{
    memset(ret_sight, 0, sizeof(*ret_sight));
    settle_status status = file_read_zeros(fd, STORE_DATA_FILE, 0, ret_sight->metas[0], META_BYTES, error);
    uint32_t page_bytes = page_bytes_of(ret_sight->metas[0]);
    if (status == SETTLE_OK && page_bytes_are_valid(page_bytes))
        status = file_read_zeros(fd, STORE_DATA_FILE, page_bytes, ret_sight->metas[1], META_BYTES, error);
    if (status != SETTLE_OK)
        return status;
    return file_size(fd, STORE_DATA_FILE, &ret_sight->file_bytes, error); /* last: it only grows */
}

static const char *tree_fault(const uint8_t *meta, int tree)
{
    const uint8_t *at = meta + META_TREES + tree * TREE_BYTES;
    uint64_t root = native_u64(at + TREE_ROOT);
    uint16_t depth = native_u16(at + TREE_DEPTH);
    if (native_u16(at + TREE_FLAGS) != (tree == 0 ? TREE_INTEGER_KEY : 0))
        return "a tree is of an unknown kind";
    if (root == NO_PAGE)
        return depth == 0 ? NULL : "a tree without a root has a depth";
    if (root < META_COUNT || root > native_u64(meta + META_LAST_PAGE))
        return "the root of a tree lies outside the file";
    return depth >= 1 && depth <= TREE_DEPTH_MAX ? NULL : "a tree has an impossible depth";
}

static const char *meta_fault(const uint8_t *meta, uint64_t number, uint32_t page_bytes)
{
    if (native_u32(meta + META_MAGIC) != MAGIC || native_u64(meta + META_PAGE_NUMBER) != number ||
        native_u16(meta + META_PAGE_FLAGS) != PAGE_IS_META)
        return "not an LMDB file";
    if (native_u32(meta + META_VERSION) != VERSION)
        return "of another version of LMDB";
    if (page_bytes_of(meta) != page_bytes)
        return "the meta pages disagree about the page size";
    uint64_t transaction = native_u64(meta + META_TRANSACTION);
    if (transaction != 0 && transaction % META_COUNT != number)
        return "a meta page stands in the other's place";
    const char *fault = tree_fault(meta, 0);
    return fault ? fault : tree_fault(meta, 1);
}

static const char *sight_fault(const struct sight *sight)
{
    uint32_t page_bytes = page_bytes_of(sight->metas[0]);
    if (!page_bytes_are_valid(page_bytes))
        return "an impossible page size";
    uint64_t transactions[META_COUNT];
    for (unsigned i = 0; i < META_COUNT; i++) {
        const char *fault = meta_fault(sight->metas[i], i, page_bytes);
        if (fault)
            return fault;
        /* Both: the older one is what a reader sees that began before the last commit. */
        uint64_t last_page = native_u64(sight->metas[i] + META_LAST_PAGE);
        if (last_page < META_COUNT - 1 || last_page >= sight->file_bytes / page_bytes)
            return "shorter than its meta pages say";
        transactions[i] = native_u64(sight->metas[i] + META_TRANSACTION);
    }
    uint64_t distance =
        transactions[0] > transactions[1] ? transactions[0] - transactions[1] : transactions[1] - transactions[0];
    return distance == 1 || (distance == 0 && transactions[0] == 0) ? NULL : "the meta pages do not follow each other";
}

/*
 * A writer may be at work, and what is read while it writes may not fit together. So a fault only counts when a second look
 * sees exactly the same.
 */
static settle_status check_file(int fd, bool *ret_is_empty, settle_error *error)
{
    struct sight sights[2];
    const char *fault = NULL;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        struct sight *sight = &sights[attempt % 2];
        settle_status status = look(fd, sight, error);
        if (status != SETTLE_OK)
            return status;
        fault = sight_fault(sight);
        if (!fault || sight->file_bytes == 0) {
            *ret_is_empty = sight->file_bytes == 0;
            return SETTLE_OK;
        }
        if (attempt > 0 && memcmp(&sights[0], &sights[1], sizeof(sights[0])) == 0)
            break;
    }
    return fail_at(error, SETTLE_E_CORRUPT, STORE_DATA_FILE, 0, 0, "the store is damaged: %s", fault);
}

settle_status store_data_check(int data_fd, bool *ret_is_empty, settle_error *error)
{
    int fd;
    settle_status status = file_open_at(data_fd, STORE_DATA_FILE, FILE_READ, &fd, error);
    if (status != SETTLE_OK)
        return status;
    status = check_file(fd, ret_is_empty, error);
    file_close(fd);
    return status;
}
