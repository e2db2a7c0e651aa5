/*
 * test_journal_flips.c — journals in which one bit is flipped, any bit of their segments: read by a reader and as the writer
 * reads before it opens. Each flip is refused as damage in the very segment, at the header, frame or record that holds the bit,
 * and with its seq; or it lies in zeros that were filled ahead behind the journal's end, and costs nothing.
 *
 *     test_journal_flips [JOURNALS [EVERY [PART PARTS]]]
 *
 * The bits are those of many small journals of two or three segments, which together are as large as one large journal; a
 * reader comes past each bit from the very beginning, as it would there. That stands for a large one: what a flip can change is
 * decided by the bytes of its frame and of the frame header before and behind it, of its segment's header and of the next
 * segment's, and by how the journal ends. All of these come together within two segments, and the journals have frames of all
 * kinds and sizes from different seeds.
 *
 * Every ENGINE_EVERYth flip is given to the whole engine too, which must refuse it with the same place and change nothing.
 *
 * A plain main(), so that the bit that ended the process can be told.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/frame_place.h"
#include "tests/lib/journal_builder.h"
#include "tests/lib/journal_files.h"
#include "tests/lib/plain.h"
#include "tests/lib/rig.h"
#include "tests/lib/tree.h"

enum {
    SEGMENT_BYTES = 32768,
    SEGMENTS_MAX = 3,
    JOURNALS = 1, /* where no argument tells */
    EVERY = 29,
    ENGINE_EVERY = 4099,
    FLIP_SECONDS_MAX = 60,
};

struct tally {
    uint64_t ordinal, byte, bit; /* being tried */
    uint64_t flips, in_headers, in_frames, in_gaps, behind, behind_refused, engines;
};
static struct tally *tally; /* shared with the children */

struct scene {
    struct journal_builder b;
    struct journal_files files;  /* as they should be */
    uint8_t *maps[SEGMENTS_MAX]; /* as they lie there */
    size_t segment_count, frame_at;
};

/* ---- The journal ---- */

static void scene_make(struct scene *scene, uint64_t seed)
{
    struct journal_builder *b = &scene->b;
    memset(scene, 0, sizeof *scene);
    builder_init(b, SEGMENT_BYTES, seed);
    while (b->end.position < (uint64_t)SEGMENT_BYTES + SEGMENT_BYTES / 2)
        builder_random(b);
    builder_close(b);
    journal_files_load(b->data_fd, &scene->files);
    scene->segment_count = journal_files_segment_count(&scene->files);
    CHECK(scene->segment_count >= 2 && scene->segment_count <= SEGMENTS_MAX);
    for (size_t i = 0; i < scene->segment_count; i++) {
        const struct journal_file *file = journal_files_segment(&scene->files, i);
        char folder[TEMPDIR_PATH_BYTES], path[TEMPDIR_PATH_BYTES];
        tempdir_join(folder, b->path, "journal");
        tempdir_join(path, folder, file->name);
        int fd = open(path, O_RDWR);
        CHECK(fd >= 0 && file->count == SEGMENT_BYTES);
        scene->maps[i] = mmap(NULL, file->count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(scene->maps[i] != MAP_FAILED);
        close(fd);
    }
}

static void scene_free(struct scene *scene)
{
    for (size_t i = 0; i < scene->segment_count; i++)
        munmap(scene->maps[i], SEGMENT_BYTES);
    journal_files_free(&scene->files);
    builder_deinit(&scene->b);
}

/* ---- What must come out ---- */

enum area { HEADER, FRAME, GAP, BEHIND };

struct expected {
    enum area area;
    const char *name;   /* of the segment */
    uint64_t offset;    /* of the damage; of the journal's end */
    uint64_t byte, seq; /* the flipped byte */
};

/* The bytes come in order: the frame is the one of the byte before, or the next. */
static struct expected expect(struct scene *scene, uint64_t ordinal, uint64_t byte)
{
    const struct journal_builder *b = &scene->b;
    const struct journal_file *file = journal_files_segment(&scene->files, ordinal);
    struct expected expected = {.area = HEADER, .name = file->name, .byte = byte};
    uint64_t position = ordinal * SEGMENT_BYTES + byte;
    if (byte < SEGMENT_HEADER_BYTES)
        return expected;
    while (scene->frame_at < b->frame_count && b->frames[scene->frame_at].end.position <= position)
        scene->frame_at++;
    const struct frame *frame = &b->frames[scene->frame_at].frame;
    if (scene->frame_at < b->frame_count && frame->position <= position) {
        uint64_t begin = frame->position % SEGMENT_BYTES;
        struct frame_place place = frame_place(file->bytes + begin, (size_t)(byte - begin));
        expected.area = FRAME;
        expected.offset = begin + place.begin;
        expected.seq = place.seq;
        return expected;
    }
    const struct journal_point *end = &b->frames[scene->frame_at - 1].end; /* of the last frame before */
    expected.area = ordinal + 1 < scene->segment_count ? GAP : BEHIND;
    expected.offset = end->position % SEGMENT_BYTES;
    expected.seq = end->next_seq;
    return expected;
}

static bool is_refused_rightly(const struct expected *expected, settle_status status, const settle_error *error)
{
    const char *name = strrchr(error->file, '/');
    if (status != SETTLE_E_CORRUPT || strncmp(error->file, "journal/", 8) != 0 || name == NULL ||
        strcmp(name + 1, expected->name) != 0)
        return false;
    if (expected->area == HEADER)
        return error->offset_bytes == 0;
    if (expected->area == GAP) /* the byte itself, or where a frame could have been */
        return error->offset_bytes == expected->byte || error->offset_bytes == expected->offset;
    return error->offset_bytes == expected->offset && error->seq == expected->seq;
}

static void die(const char *who, const struct expected *expected, settle_status status, const settle_error *error)
{
    fprintf(stderr, "%s: status %d, %s:%" PRIu64 ", seq %" PRIu64 ": %s; it is in %s:%" PRIu64 ", seq %" PRIu64 "\n",
            who, (int)status, error->file, error->offset_bytes, error->seq, error->text, expected->name,
            expected->offset, expected->seq);
    abort();
}

/* ---- Reading ---- */

static void read_all(struct scene *scene, bool is_own, const struct expected *expected)
{
    struct journal_builder *b = &scene->b;
    struct journal_reader *reader = NULL;
    struct journal_point at = {0};
    struct journal_tail tail = {0};
    settle_error error = {.status = SETTLE_OK};
    size_t frames = 0;
    settle_status status = is_own ? journal_reader_open_own(b->data_fd, &mem_libc, &reader, &error)
                                  : journal_reader_open(b->data_fd, &mem_libc, &reader, &error);
    if (status == SETTLE_OK) {
        struct frame frame;
        journal_reader_begin(reader, &at);
        while ((status = journal_reader_next(reader, &at, &frame, &error)) == SETTLE_OK)
            frames++;
        tail = *journal_reader_tail(reader);
    }
    journal_reader_close(reader);
    const char *who = is_own ? "the writer's" : "a reader";
    if (expected->area == BEHIND && status == SETTLE_E_END) {
        uint64_t torn = expected->byte + 1 - expected->offset;
        if (frames != b->frame_count || at.position != b->end.position || at.chain != b->end.chain ||
            tail.torn_position != b->end.position || tail.torn_bytes != torn)
            die(who, expected, status, &error);
        tally->behind += is_own;
        return;
    }
    if (!is_refused_rightly(expected, status, &error))
        die(who, expected, status, &error);
    tally->behind_refused += is_own && expected->area == BEHIND;
}

/* The whole engine, on a copy: there is no store, so that it reads everything. */
static void open_engine(struct scene *scene, const struct expected *expected)
{
    struct rig rig;
    rig_make(&rig);
    tree_copy(scene->b.path, rig.data);
    char *before = tree_listing(rig.data);
    settle_status status = rig_try_open(&rig);
    if (status == SETTLE_OK && expected->area == BEHIND) {
        rig_close(&rig);
    } else {
        if (!is_refused_rightly(expected, status, &rig.error))
            die("the engine", expected, status, &rig.error);
        char *after = tree_listing(rig.data);
        CHECK(strcmp(before, after) == 0);
        free(after);
    }
    free(before);
    rig_remove(&rig);
    tally->engines++;
}

/* ---- Flips ---- */

static void try_flip(struct scene *scene)
{
    uint8_t *byte = scene->maps[tally->ordinal] + tally->byte;
    const struct expected expected = expect(scene, tally->ordinal, tally->byte);
    alarm(FLIP_SECONDS_MAX);
    *byte ^= (uint8_t)(1u << tally->bit);
    read_all(scene, false, &expected);
    read_all(scene, true, &expected);
    if (tally->flips % ENGINE_EVERY == ENGINE_EVERY / 2)
        open_engine(scene, &expected);
    *byte ^= (uint8_t)(1u << tally->bit);
    tally->flips++;
    tally->in_headers += expected.area == HEADER;
    tally->in_frames += expected.area == FRAME;
    tally->in_gaps += expected.area == GAP;
}

/* Every bit, or every `every`th. */
static void flip_journal(uint64_t seed, uint64_t every)
{
    static struct scene scene;
    scene_make(&scene, seed);
    for (uint64_t number = tally->flips % every; number < scene.segment_count * SEGMENT_BYTES * 8; number += every) {
        tally->ordinal = number / 8 / SEGMENT_BYTES;
        tally->byte = number / 8 % SEGMENT_BYTES;
        tally->bit = number % 8;
        try_flip(&scene);
    }
    for (size_t i = 0; i < scene.segment_count; i++)
        CHECK(memcmp(scene.maps[i], journal_files_segment(&scene.files, i)->bytes, SEGMENT_BYTES) == 0);
    scene_free(&scene);
}

int main(int argc, char **argv)
{
    uint64_t journals = argc > 1 ? strtoull(argv[1], NULL, 10) : JOURNALS;
    uint64_t every = argc > 2 ? strtoull(argv[2], NULL, 10) : EVERY;
    uint64_t part = argc > 4 ? strtoull(argv[3], NULL, 10) : 0, parts = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    CHECK(journals > 0 && every > 0 && part < parts);
    builder_use_memory();
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(tally != MAP_FAILED);
    for (uint64_t journal = part; journal < journals; journal += parts) {
        uint64_t seed = stream_seed(1000) + journal;
        pid_t child = child_fork();
        if (child == 0) {
            flip_journal(seed, every);
            _exit(0);
        }
        int status = child_exit(child);
        if (status != 0) {
            fprintf(stderr,
                    "ended with %d at bit %" PRIu64 " of byte %" PRIu64 " of segment %" PRIu64
                    "; again: SETTLE_TEST_SEED=%" PRIu64 " test_journal_flips 1 %" PRIu64 "\n",
                    status, tally->bit, tally->byte, tally->ordinal, seed, every);
            return 1;
        }
    }
    printf("%" PRIu64 " bits flipped one by one: %" PRIu64 " in segment headers, %" PRIu64 " in frames and %" PRIu64
           " in the zeros before another segment were all found where they are; of those in the zeros behind the end "
           "%" PRIu64 " were cut as torn and %" PRIu64 " refused, and nothing was lost; %" PRIu64
           " also by the whole engine\n",
           tally->flips, tally->in_headers, tally->in_frames, tally->in_gaps, tally->behind, tally->behind_refused,
           tally->engines);
    CHECK(tally->in_headers > 0 && tally->in_frames > 0 && tally->in_gaps > 0 && tally->behind > 0);
    return 0;
}
