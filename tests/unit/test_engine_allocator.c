/*
 * The embedder's allocator: what an engine allocates comes from it and goes back to it, to the last block. That nothing goes
 * past it is seen on the built objects (tests/embed/library.sh); fault/test_engine_memory.c fails each allocation.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/expect.h"
#include "tests/lib/rig.h"
#include "tests/lib/tempdir.h"

TestSuite(engine_allocator, .fini = leaks_check, .timeout = 60);

/* ---- An allocator that counts and checks ---- */

#define MARK UINT64_C(0x5e771e5e771e5e77)

struct header {
    uint64_t mark;
    size_t bytes;
};

struct count {
    struct rig rig; /* first: the context of the log is the rig */
    _Atomic uint64_t calls, blocks, bytes, strangers;
};

static void *count_reallocate(void *context, void *memory, size_t bytes)
{
    struct count *count = context;
    struct header *header = memory == NULL ? NULL : (struct header *)memory - 1;
    if (header != NULL) {
        if (header->mark != MARK)
            count->strangers++; /* not from here: somebody mixes allocators */
        count->blocks--;
        count->bytes -= header->bytes;
    }
    if (bytes == 0) {
        if (header != NULL)
            header->mark = 0;
        free(header);
        return NULL;
    }
    count->calls++;
    header = realloc(header, sizeof *header + bytes);
    if (header == NULL)
        abort();
    *header = (struct header){MARK, bytes};
    count->blocks++;
    count->bytes += bytes;
    return header + 1;
}

/* A day in an engine's life that goes through everything: recovery, a store set aside, lines, rotation, old ids. */
static void live(struct count *count)
{
    struct rig *rig = &count->rig;
    settle_lines_options lines;
    settle_lifecycle *life = NULL;
    char logs[TEMPDIR_PATH_BYTES], store[TEMPDIR_PATH_BYTES];
    settle_source_position position;
    rig->options.checkpoint_events_max = 8;
    EXPECT_OK(settle_create(rig->data, &rig->options, &test_error));
    EXPECT_STATUS(settle_create(rig->data, &rig->options, &test_error), SETTLE_E_EXISTS);
    for (int round = 0; round < 3; round++) {
        rig_open(rig);
        tempdir_join(logs, rig->base, "logs");
        settle_lines_options_init(&lines);
        lines.directory = logs;
        lines.rotate_bytes = 4096;
        lines.keep_bytes = 16384;
        lines.compress = 1;
        EXPECT_OK(settle_lines_start(rig->engine, &lines, &test_error));
        rig_deposits(rig, 1, 600); /* the first time; else duplicates */
        EXPECT_OK(settle_source_open(rig->engine, (settle_text){"in", 2}, &position, &test_error));
        EXPECT_OK(settle_flush(rig->engine, &test_error));
        EXPECT_OK(settle_lifecycle_get(rig->engine, (settle_text){"deposit_1_2_5", 13}, &life, &test_error));
        cr_assert_eq(life->repeat_count, (size_t)round);
        cr_assert(rig_available(rig, 1, RIG_USDT) == 600);
        rig_close(rig);
        settle_lifecycle_free(life); /* works after the engine */
        tempdir_join(store, rig->data, "store/data.mdb");
        if (round == 1)
            cr_assert_eq(remove(store), 0); /* rebuilt from the journal */
    }
}

Test(engine_allocator, all_blocks_come_from_it_and_go_back)
{
    struct count count;
    memset(&count, 0, sizeof count);
    rig_make(&count.rig);
    count.rig.options.reallocate = count_reallocate;
    live(&count);
    fprintf(stderr, "%llu allocations\n", (unsigned long long)count.calls);
    cr_assert(count.calls > 200);
    cr_assert_eq(count.strangers, 0);
    cr_assert_eq(count.blocks, 0);
    cr_assert_eq(count.bytes, 0);
    rig_remove(&count.rig);
}

/* With the C library's, the same life. */
Test(engine_allocator, none_given_is_the_c_librarys)
{
    struct count count;
    memset(&count, 0, sizeof count);
    rig_make(&count.rig);
    live(&count);
    cr_assert_eq(count.calls, 0);
    rig_remove(&count.rig);
}
