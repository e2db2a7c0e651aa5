/*
 * test_power_cut.c — the power goes at every moment of a run over several segments. The calls of the run are
 * recorded; after each of them the disk is put together as a power cut may leave it: what was synced is there, of
 * what was not any sectors and any prefix, directory entries with or without the last changes. Every frame
 * acknowledged by then must be found again, at most one more, and a writer must be able to go on. The same with a
 * sync that failed before: what it was to write is in the cache, is called clean, and no later sync writes it.
 * SETTLE_TEST_SEED=N makes other runs.
 */
#include "journal/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/base/bytes.h"
#include "journal/recover.h"
#include "journal/watermark.h"
#include "tests/lib/expect.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/trap.h"

SETTLE_SUITE(power_cut);

#define SEED stream_seed(77)
#define FRAMES 50
#define FILES_MAX 16
#define NAME_BYTES 64

/* ---- The recording ---------------------------------------------------------------------------------------------- */

struct call {
    unsigned call;
    ino_t inode;
    uint64_t offset;
    uint8_t *bytes;
    size_t count;
    bool creates;
    char name[NAME_BYTES], to[NAME_BYTES];
    size_t acknowledged; /* frames, when it was made */
};

static struct journal_builder b;
static struct call calls[8192];
static size_t call_count, acknowledged;

static void record(void *context, const struct trap_note *note)
{
    struct call *call = &calls[call_count];
    struct stat status;
    (void)context;
    if (call_count == sizeof calls / sizeof *calls || fstat(note->fd, &status) != 0)
        abort();
    *call = (struct call){.call = note->call,
                          .inode = status.st_ino,
                          .offset = note->offset,
                          .count = note->count,
                          .creates = note->creates,
                          .acknowledged = acknowledged};
    if (note->count > 0) {
        call->bytes = malloc(note->count);
        if (call->bytes == NULL)
            abort();
        memcpy(call->bytes, note->bytes, note->count);
    }
    snprintf(call->name, sizeof call->name, "%s", note->name == NULL ? "" : note->name);
    snprintf(call->to, sizeof call->to, "%s", note->to == NULL ? "" : note->to);
    call_count++;
}

static void record_run(uint64_t seed)
{
    builder_use_memory();
    trap_clear();
    call_count = acknowledged = 0;
    trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = record});
    builder_init(&b, SEGMENT_BYTES_MIN, seed);
    while (b.frame_count < FRAMES) {
        if (b.frame_count % 17 == 16) { /* a writer that ends, and another */
            builder_close(&b);
            builder_open(&b);
        }
        builder_random(&b);
        acknowledged = b.frame_count;
    }
    builder_close(&b);
    trap_clear();
    cr_assert_geq(b.end.position / SEGMENT_BYTES_MIN, 2);
}

/* ---- The disk --------------------------------------------------------------------------------------------------- */

#define SECTORS (SEGMENT_BYTES_MIN / FORMAT_SECTOR_BYTES)

struct file { /* an inode */
    ino_t inode;
    uint8_t disk[SEGMENT_BYTES_MIN], cache[SEGMENT_BYTES_MIN];
    size_t disk_count, cache_count;
    bool is_dirty[SECTORS];            /* differs, and the next sync writes it */
    bool is_lost[SECTORS];             /* differs, and a sync that failed has called it clean */
    uint8_t before[SEGMENT_BYTES_MIN]; /* the cache before the last write since the last sync */
    uint64_t last_offset;
    size_t last_count; /* 0: there was none */
};
struct entry {
    char name[NAME_BYTES];
    size_t file;
};
struct disk {
    struct file files[FILES_MAX];
    size_t file_count;
    struct entry entries[FILES_MAX], synced[FILES_MAX]; /* of `journal/` */
    size_t entry_count, synced_count;
};

static struct disk disk;

static void file_write_cache(struct file *file, const struct call *call)
{
    cr_assert_leq(call->offset + call->count, SEGMENT_BYTES_MIN);
    memcpy(file->before, file->cache, sizeof file->cache);
    memcpy(file->cache + call->offset, call->bytes, call->count);
    file->last_offset = call->offset;
    file->last_count = call->count;
    if (file->cache_count < call->offset + call->count)
        file->cache_count = (size_t)call->offset + call->count;
    for (size_t at = (size_t)call->offset; at < call->offset + call->count; at++)
        file->is_dirty[at / FORMAT_SECTOR_BYTES] = true;
}

static void file_synced(struct file *file, bool is_lost)
{
    for (size_t i = 0; i < SECTORS; i++) {
        if (!file->is_dirty[i])
            continue;
        if (!is_lost)
            memcpy(file->disk + i * FORMAT_SECTOR_BYTES, file->cache + i * FORMAT_SECTOR_BYTES, FORMAT_SECTOR_BYTES);
        file->is_lost[i] = is_lost;
        file->is_dirty[i] = false;
    }
    file->disk_count = is_lost ? file->disk_count : file->cache_count;
    file->last_count = 0;
}

static size_t file_of(ino_t inode)
{
    for (size_t i = 0; i < disk.file_count; i++)
        if (disk.files[i].inode == inode)
            return i;
    return SIZE_MAX;
}

static size_t entry_of(const char *name)
{
    size_t i = 0;
    while (i < disk.entry_count && strcmp(disk.entries[i].name, name) != 0)
        i++;
    return i;
}

static void entry_remove(const char *name)
{
    size_t i = entry_of(name);
    if (i < disk.entry_count)
        disk.entries[i] = disk.entries[--disk.entry_count];
}

static void entry_create(const struct call *call)
{
    if (entry_of(call->name) < disk.entry_count)
        return; /* opened, not created */
    size_t file = file_of(call->inode);
    if (file != SIZE_MAX) /* the number of one that was removed */
        disk.files[file].inode = 0;
    cr_assert_lt(disk.file_count, FILES_MAX);
    disk.files[disk.file_count] = (struct file){.inode = call->inode};
    snprintf(disk.entries[disk.entry_count].name, NAME_BYTES, "%s", call->name);
    disk.entries[disk.entry_count++].file = disk.file_count++;
}

static void play(const struct call *call)
{
    size_t file = file_of(call->inode);
    switch (call->call) {
    case TRAP_OPENS:
        if (call->creates)
            entry_create(call);
        break;
    case TRAP_WRITES:
        cr_assert_neq(file, SIZE_MAX);
        file_write_cache(&disk.files[file], call);
        if (strcmp(disk.entries[entry_of(WATERMARK_NAME)].name, WATERMARK_NAME) == 0 &&
            disk.entries[entry_of(WATERMARK_NAME)].file == file)
            file_synced(&disk.files[file], false); /* nobody syncs it, nobody needs it */
        break;
    case TRAP_FDATASYNCS:
        if (file != SIZE_MAX)
            file_synced(&disk.files[file], false);
        break;
    case TRAP_SYNC_LOST: file_synced(&disk.files[file], true); break;
    case TRAP_FSYNCS:
        memcpy(disk.synced, disk.entries, sizeof disk.entries);
        disk.synced_count = disk.entry_count;
        break;
    case TRAP_RENAMES:
        entry_remove(call->to);
        snprintf(disk.entries[entry_of(call->name)].name, NAME_BYTES, "%s", call->to);
        break;
    case TRAP_REMOVES: entry_remove(call->name); break;
    case TRAP_MKDIRS:
    case TRAP_TRUNCATES: break; /* the directory itself, the lock */
    default: cr_assert_fail("a call that nobody makes");
    }
}

/* ---- What a power cut leaves ------------------------------------------------------------------------------------ */

enum survival { NOTHING, EVERYTHING, SOME_SECTORS, TORN, TORN_SOME_SECTORS, SURVIVALS };

/*
 * The file with what of the cache came to the disk: a sector wholly or not at all. Torn: the last write had come only
 * to some byte of it, and the cache is as it was before from there on.
 */
static void survive(struct stream *random, const struct file *file, enum survival survival,
                    struct journal_file *ret_file)
{
    static uint8_t cache[SEGMENT_BYTES_MIN];
    memcpy(cache, file->cache, sizeof cache);
    if (file->last_count > 0 && (survival == TORN || survival == TORN_SOME_SECTORS)) {
        size_t taken = (size_t)stream_random(random, file->last_count + 1), from = (size_t)file->last_offset + taken;
        memcpy(cache + from, file->before + from, file->last_count - taken);
    }
    bool is_some = survival == SOME_SECTORS || survival == TORN_SOME_SECTORS;
    memcpy(ret_file->bytes, file->disk, SEGMENT_BYTES_MIN);
    ret_file->count = file->disk_count;
    for (size_t i = 0; i < SECTORS && survival != NOTHING; i++) {
        if ((!file->is_dirty[i] && !file->is_lost[i]) || (is_some && stream_random(random, 2) == 0))
            continue;
        memcpy(ret_file->bytes + i * FORMAT_SECTOR_BYTES, cache + i * FORMAT_SECTOR_BYTES, FORMAT_SECTOR_BYTES);
        if (ret_file->count < (i + 1) * FORMAT_SECTOR_BYTES)
            ret_file->count = (i + 1) * FORMAT_SECTOR_BYTES;
    }
}

static void put_together(struct stream *random, enum survival survival, bool entries_survive, int data_fd)
{
    static uint8_t bytes[FILES_MAX][SEGMENT_BYTES_MIN];
    struct journal_file left[FILES_MAX];
    const struct entry *entries = entries_survive ? disk.entries : disk.synced;
    struct journal_files files = {left, entries_survive ? disk.entry_count : disk.synced_count};
    for (size_t i = 0; i < files.count; i++) {
        left[i].bytes = bytes[i];
        snprintf(left[i].name, sizeof left[i].name, "%s", entries[i].name);
        survive(random, &disk.files[entries[i].file], survival, &left[i]);
    }
    journal_files_store(data_fd, &files);
}

/* All that was acknowledged is there, and a writer goes on. */
static void expect_recovery(int data_fd, size_t frames, size_t number, int survival)
{
    struct journal_scan scan;
    struct journal_reader *reader = NULL;
    journal_scan(data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "call %zu, survival %d: %d %s", number, survival, scan.status,
                 expect_describe(&scan.error));
    cr_assert(scan.frame_count == frames || scan.frame_count == frames + 1,
              "call %zu, survival %d: %zu frames are left, %zu were acknowledged", number, survival, scan.frame_count,
              frames);
    const struct journal_point *end = frames == 0 ? NULL : &b.frames[frames - 1].end;
    EXPECT_OK(journal_reader_open(data_fd, &mem_libc, &reader, &test_error));
    if (end != NULL)
        EXPECT_OK(journal_reader_confirm(reader, end, &test_error));
    if (scan.tail.torn_position > 0) {
        uint64_t offset = 0;
        char copy[SEGMENT_NAME_BYTES + 32];
        const char *segment = journal_reader_place(reader, scan.tail.torn_position, &offset);
        EXPECT_OK(journal_cut_tail(data_fd, segment, offset, scan.tail.torn_bytes, copy, &test_error));
    }
    journal_reader_close(reader);
    struct journal_writer *writer = NULL;
    struct frame_buffer buffer;
    EXPECT_OK(journal_writer_open(data_fd, &mem_libc, &scan.end, &writer, &test_error));
    EXPECT_OK(frame_buffer_init(writer, &buffer, &test_error));
    frame_begin(writer, &buffer, scan.end.next_seq, scan.end.time_us);
    frame_append(&buffer, record_encode_asset(frame_at_end(&buffer), 0, &stream_assets[0]));
    frame_close(writer, &buffer);
    EXPECT_OK(journal_writer_commit(writer, &buffer, &test_error));
    frame_buffer_deinit(writer, &buffer);
    journal_writer_close(writer);
    size_t count = scan.frame_count;
    journal_scan(data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "call %zu, survival %d: %s", number, survival, expect_describe(&scan.error));
    cr_assert_eq(scan.frame_count, count + 1);
}

/*
 * Plays the recording and cuts the power after every call from `first` on. Returns the number of disks that were
 * examined.
 */
static size_t cut_everywhere(size_t first, int state_count)
{
    char path[TEMPDIR_BYTES];
    int data_fd = -1;
    size_t states = 0;
    bool is_created = false;
    tempdir_make(path);
    EXPECT_OK(dir_open(path, false, &data_fd, &test_error));
    memset(&disk, 0, sizeof disk);
    for (size_t i = 0; i < call_count; i++) {
        play(&calls[i]);
        /* Before the first segment has its name for good nothing was ever promised. */
        is_created = is_created || (calls[i].call == TRAP_FSYNCS && disk.entry_count > 1);
        for (int state = 0; state < state_count && is_created && i >= first; state++) {
            enum survival survival = state < 2 * SURVIVALS ? (enum survival)(state / 2) : TORN_SOME_SECTORS;
            put_together(&b.stream, survival, state % 2 == 0, data_fd);
            expect_recovery(data_fd, calls[i].acknowledged, i, (int)survival);
            states++;
        }
    }
    for (size_t i = 0; i < call_count; i++)
        free(calls[i].bytes);
    call_count = 0;
    file_close(data_fd);
    tempdir_remove(path);
    return states;
}

Test(power_cut, at_any_call_loses_nothing_that_was_acknowledged)
{
    record_run(SEED);
    cr_assert_gt(cut_everywhere(0, 2 * SURVIVALS + 4), 1000);
    builder_deinit(&b);
}

/* What the next writer does where the last one stopped: as the engine recovers. */
static void recover_and_go_on(void)
{
    struct journal_scan scan;
    struct journal_reader *reader = NULL;
    uint64_t offset = 0;
    char copy[SEGMENT_NAME_BYTES + 32];
    builder_close(&b);
    journal_scan(b.data_fd, &scan);
    cr_assert_eq(scan.status, SETTLE_OK, "%s", expect_describe(&scan.error));
    EXPECT_OK(journal_reader_open(b.data_fd, &mem_libc, &reader, &test_error));
    if (scan.tail.torn_position > 0) {
        const char *segment = journal_reader_place(reader, scan.tail.torn_position, &offset);
        EXPECT_OK(journal_cut_tail(b.data_fd, segment, offset, scan.tail.torn_bytes, copy, &test_error));
    }
    const char *segment = journal_reader_place(reader, scan.end.position, &offset);
    EXPECT_OK(journal_rewrite_tail(b.data_fd, segment, SEGMENT_BYTES_MIN, &scan.end, &test_error));
    journal_reader_close(reader);
    b.frame_count = scan.frame_count; /* perhaps with the one whose sync failed */
    b.end = scan.end;
    b.next_seq = scan.end.next_seq;
    builder_open(&b);
    acknowledged = b.frame_count; /* the writer has synced what it found */
    for (int i = 0; i < 4; i++) {
        builder_note(&b, i == 3 ? 8192 : 512);
        acknowledged = b.frame_count;
    }
    builder_close(&b);
}

Test(power_cut, after_a_sync_that_failed_loses_nothing_that_was_acknowledged_later)
{
    size_t states = 0;
    builder_use_memory();
    for (uint64_t nth = 2;; nth++) {
        settle_status status = SETTLE_OK;
        acknowledged = 0;
        trap_set(&(struct trap){.calls = TRAP_CHANGES, .observe = record});
        builder_init(&b, SEGMENT_BYTES_MIN, SEED + 1);
        trap_clear();
        trap_set(&(struct trap){
            .calls = TRAP_FDATASYNCS, .index = nth, .error = EIO, .path_end = ".seg", .observe = record});
        while (b.frame_count < 12 && status == SETTLE_OK) {
            builder_begin(&b);
            for (uint64_t count = 1 + stream_random(&b.stream, 16); count > 0 && builder_add_event(&b); count--)
                ;
            status = builder_commit(&b, &test_error);
            acknowledged = b.frame_count;
        }
        if (!trap_was_met())
            break;
        cr_assert_eq(status, SETTLE_E_IO);
        size_t first = call_count;
        recover_and_go_on();
        trap_clear();
        states += cut_everywhere(first, 2 * SURVIVALS);
        builder_deinit(&b);
    }
    trap_clear();
    cr_assert_gt(states, 1000);
    for (size_t i = 0; i < call_count; i++)
        free(calls[i].bytes);
    builder_deinit(&b);
}
