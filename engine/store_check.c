/*
 * store_check.c — whether data.mdb may be mapped. LMDB believes its meta pages: a file that is shorter than they say ends the
 * process with SIGBUS, and numbers that make no sense with an assertion. So the two are read here first, with pread(2), and
 * checked as far as they can be from the outside.
 */
#include "engine/store_page.h"
#include "engine/store_tables.h"

#include <assert.h>
#include <string.h>

#include "journal/base/file.h"

enum { ATTEMPTS_MAX = 1000 };
#define MAGIC 0xBEEFC0DEu
#define VERSION 1u

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
    const uint8_t *at = meta + (tree == 0 ? META_FREE_TREE : META_TABLE_TREE);
    uint64_t root = native_u64(at + TREE_ROOT);
    uint16_t depth = native_u16(at + TREE_DEPTH);
    if (native_u16(at + TREE_FLAGS) != (tree == 0 ? TREE_INTEGER_KEY : 0))
        return "a tree is of an unknown kind";
    if (root == PAGE_NONE)
        return depth == 0 ? NULL : "a tree without a root has a depth";
    if (root < META_COUNT || root > native_u64(meta + META_LAST_PAGE))
        return "the root of a tree lies outside the file";
    return depth >= 1 && depth <= TREE_DEPTH_MAX ? NULL : "a tree has an impossible depth";
}

static const char *meta_fault(const uint8_t *meta, uint64_t number, uint32_t page_bytes)
{
    if (native_u32(meta + META_MAGIC) != MAGIC || native_u64(meta + PAGE_NUMBER) != number ||
        native_u16(meta + PAGE_FLAGS) != PAGE_IS_META)
        return "not an LMDB file";
    if (native_u32(meta + META_VERSION) != VERSION)
        return "of another version of LMDB";
    if (page_bytes_of(meta) != page_bytes)
        return "the meta pages disagree about the page size";
    uint64_t transaction = native_u64(meta + META_TRANSACTION);
    if (transaction != 0 && transaction % META_COUNT != number)
        return "a meta page stands in the other's place";
    return NULL;
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
    if (distance > 1) /* where they are equal both are 0: any other number belongs to one of the pages alone */
        return "the meta pages do not follow each other";
    /* Only the last one's trees: where writing a meta page fails, LMDB gives the older one its number back and not its trees. */
    const uint8_t *last = sight->metas[transactions[1] > transactions[0]];
    const char *fault = tree_fault(last, 0);
    return fault ? fault : tree_fault(last, 1);
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

static settle_status rewrite(int fd, settle_error *error)
{
    struct sight sight;
    settle_status status = look(fd, &sight, error);
    for (unsigned i = 0; i < META_COUNT && status == SETTLE_OK; i++) {
        if (native_u64(sight.metas[i] + META_TRANSACTION) != 0)
            return SETTLE_OK;
        status = file_write(fd, STORE_DATA_FILE, (uint64_t)i * page_bytes_of(sight.metas[0]), sight.metas[i],
                            META_BYTES, error);
    }
    return status;
}

settle_status store_metas_rewrite(int data_fd, settle_error *error)
{
    int fd;
    settle_status status = file_open_at(data_fd, STORE_DATA_FILE, FILE_WRITE, &fd, error);
    if (status != SETTLE_OK)
        return status;
    status = rewrite(fd, error);
    file_close(fd);
    return status;
}
