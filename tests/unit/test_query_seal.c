/* test_query_seal.c — sealing, what a seal finds and what it does not, the frontier, narrowing down. */
#include "query/query.h"

#include "journal/seal/seal.h"
#include "journal/seal/sealing.h"
#include "tests/unit/seal_scene.h"

SETTLE_SUITE(query_seal);

static struct seal_options options_of(const char *output, bool check)
{
    return (struct seal_options){.key_path = scene_key, .output = output, .check = check};
}

static size_t seal_count(void)
{
    char path[TEMPDIR_PATH_BYTES];
    int fd = -1;
    char **names = NULL;
    size_t count = 0, seals = 0;
    tempdir_join(path, fixture_dir, "seals");
    if (dir_open(path, false, &fd, NULL) != SETTLE_OK)
        return 0;
    EXPECT_OK(dir_list(fd, path, &mem_libc, &names, &count, &test_error));
    for (size_t i = 0; i < count; i++) {
        seals += strstr(names[i], ".seal") != NULL;
    }
    dir_list_free(names, count, &mem_libc);
    file_close(fd);
    return seals;
}

/* ---- What is fine ---- */

Test(query_seal, a_seal_is_what_the_journal_says, SCENE)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result result = scene_seal("a.seal");
    cr_assert(result.is_new && !result.is_resumed);
    cr_assert_eq(result.size, FIXTURE_EVENTS);
    cr_assert_eq(result.new_events, FIXTURE_EVENTS);
    cr_assert_str_eq(result.previous, "");
    char path[TEMPDIR_PATH_BYTES];
    struct stat st;
    tempdir_join(path, fixture_dir, "seals/00000000000000000006.seal");
    cr_assert_str_eq(result.file, path);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    tempdir_join(path, fixture_dir, "seals");
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    struct seal_verdict verdict = scene_verify("a.seal");
    cr_assert(verdict.ok && verdict.is_signed, "%s", verdict.difference);
    cr_assert_eq(verdict.size, FIXTURE_EVENTS);
}

Test(query_seal, the_same_state_is_sealed_once, SCENE)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result first = scene_seal("a.seal"), again = scene_seal("b.seal");
    cr_assert(!again.is_new && again.is_resumed);
    cr_assert_eq(again.new_events, 0);
    cr_assert_str_eq(again.text, first.text);
    cr_assert_str_eq(again.file, first.file);
    cr_assert_eq(seal_count(), 1);
}

Test(query_seal, an_empty_journal_has_a_seal, SCENE)
{
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    struct seal_result result = scene_seal("a.seal");
    cr_assert_eq(result.size, 0);
    cr_assert_str_eq(result.root, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="); /* SHA-256 of nothing */
    cr_assert(scene_verify("a.seal").ok);
    cr_assert_not(scene_seal("a.seal").is_new);
}

/* Each seal goes on from the one before and comes to what a walk from the first frame comes to. */
Test(query_seal, what_is_resumed_is_what_is_walked, SCENE)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result before = scene_seal("a.seal");
    for (uint64_t i = 0; i < 20; i++) {
        scene_deposit(10000 + i);
        struct seal_result resumed = scene_seal("b.seal"), walked;
        const struct seal_options options = options_of(NULL, true);
        EXPECT_OK(query_seal(fixture_dir, &options, &walked, &test_error));
        cr_assert(resumed.is_new && resumed.is_resumed && resumed.new_events == 1);
        cr_assert(!walked.is_new && !walked.is_resumed);
        cr_assert_str_eq(walked.text, resumed.text);
        struct sealed sealed;
        char previous[SEAL_DIGEST_TEXT_BYTES];
        EXPECT_OK(seal_decode(before.text, strlen(before.text), "", &sealed, &test_error));
        struct digest digest = seal_text_hash(&sealed);
        seal_digest_text(&digest, previous);
        cr_assert_str_eq(resumed.previous, previous);
        before = resumed;
    }
    cr_assert(scene_verify("b.seal").ok && scene_verify("a.seal").ok);
}

Test(query_seal, frames_without_events_are_sealed_under_a_name_of_their_own, SCENE)
{
    const settle_asset eur = {9, 2, "EUR"};
    settle *engine = NULL;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result first = scene_seal("a.seal");
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &eur, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    struct seal_result second = scene_seal("b.seal");
    cr_assert(second.is_new && second.size == first.size && second.position > first.position);
    cr_assert_str_eq(second.root, first.root);
    cr_assert_str_neq(second.frames, first.frames);
    char name[64];
    snprintf(name, sizeof name, "/00000000000000000006-%020llu.seal", (unsigned long long)second.position);
    cr_assert_not_null(strstr(second.file, name), "%s", second.file);
    cr_assert_not(scene_seal("c.seal").is_new);
    scene_deposit(5000);
    cr_assert(scene_seal("d.seal").is_resumed);
}

Test(query_seal, it_works_beside_a_writer, SCENE)
{
    settle *engine = NULL;
    settle_result result;
    struct seal_result seal = {.size = 0};
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    for (uint64_t i = 1; i <= 5; i++) {
        settle_event event = fixture_transfer(SETTLE_DEPOSIT, 20000 + i, 8, 2, 5);
        EXPECT_OK(settle_submit(engine, &event, 1, &result, &test_error));
        seal = scene_seal("a.seal");
        cr_assert_eq(seal.size, FIXTURE_EVENTS + i);
        cr_assert(scene_verify("a.seal").ok);
    }
    EXPECT_OK(settle_close(engine, &test_error));
    cr_assert(scene_verify("a.seal").ok);
}

/* With an output, on a directory that may not be written. */
Test(query_seal, an_output_leaves_the_data_directory_alone, SCENE)
{
    struct seal_result result;
    char output[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    tempdir_join(output, scene_dir, "out.seal");
    const struct seal_options options = options_of(output, false);
    EXPECT_OK(query_seal(fixture_dir, &options, &result, &test_error));
    cr_assert_eq(seal_count(), 0);
    cr_assert_str_eq(result.file, output);
    cr_assert(scene_verify("out.seal").ok);
    EXPECT_OK(query_seal(fixture_dir, &options, &result, &test_error)); /* the same again */
    scene_deposit(5000);
    EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), SETTLE_E_EXISTS);
    cr_assert_eq(scene_verify("out.seal").size, FIXTURE_EVENTS);
}

/* ---- The frontier is a cache ---- */

Test(query_seal, a_frontier_with_any_bit_flipped_costs_a_walk_and_nothing_else, SCENE)
{
    char path[TEMPDIR_PATH_BYTES];
    struct stat st;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result sealed = scene_seal("a.seal");
    tempdir_join(path, fixture_dir, "seals/frontier");
    cr_assert_eq(stat(path, &st), 0);
    for (long at = 0; at < st.st_size; at++) {
        fixture_flip(path, at, (unsigned char)(1 << at % 8));
        struct seal_result again = scene_seal("b.seal");
        cr_assert(!again.is_new && !again.is_resumed, "byte %ld", at);
        cr_assert_str_eq(again.text, sealed.text);
        cr_assert(scene_seal("b.seal").is_resumed, "it is not written again"); /* which undoes the flip as well */
    }
    cr_assert_eq(unlink(path), 0);
    cr_assert_not(scene_seal("b.seal").is_resumed);
    cr_assert_eq(truncate(path, 50), 0);
    cr_assert_not(scene_seal("b.seal").is_resumed);
}

/* A frontier whose own checksum is good, made by somebody who wants another tree sealed. */
Test(query_seal, a_forged_frontier_is_not_believed, SCENE)
{
    char path[TEMPDIR_PATH_BYTES];
    uint8_t bytes[4096];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result sealed = scene_seal("a.seal");
    tempdir_join(path, fixture_dir, "seals/frontier");
    FILE *file = fopen(path, "rb");
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 24; at < count - DIGEST_BYTES; at++) {
        bytes[at] ^= 1;
        const struct digest_part part = {bytes, count - DIGEST_BYTES};
        struct digest digest = digest_of(&part, 1);
        memcpy(bytes + count - DIGEST_BYTES, digest.bytes, DIGEST_BYTES);
        scene_write(path, (const char *)bytes, count);
        struct seal_result again = scene_seal("b.seal");
        cr_assert_str_eq(again.text, sealed.text, "byte %zu", at);
        /* The time before the last frame is only a lower bound for it. */
        cr_assert(!again.is_resumed || (at >= 56 && at < 64), "byte %zu", at);
        bytes[at] ^= 1;
    }
}

/* ---- What is found ---- */

/* Every byte that is not a checksum, one after the other, with all checksums made good again. */
Test(query_seal, any_byte_changed_with_good_checksums_is_found, SCENE)
{
    struct attack attack;
    unsigned tried = 0, found_by_hash = 0;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    attack_begin(&attack);
    for (size_t at = SEGMENT_HEADER_BYTES; at < attack.end; at += 3) {
        attack.bytes[at] ^= 1;
        attack_reseal(&attack);
        if (memcmp(attack.bytes, attack.kept, SCENE_SEGMENT_BYTES) == 0)
            continue; /* a checksum, a length: it was made good */
        attack_write(&attack);
        struct seal_verdict verdict = scene_verify("a.seal");
        cr_assert_not(verdict.ok, "byte %zu", at);
        tried++;
        found_by_hash += strstr(verdict.difference, "not what was sealed") != NULL;
        attack_undo(&attack);
    }
    cr_assert_gt(tried, 400);
    cr_assert_gt(found_by_hash, 100); /* the others no longer have the form of a record */
    attack_write(&attack);
    cr_assert(scene_verify("a.seal").ok);
    attack_end(&attack);
}

Test(query_seal, two_events_in_the_others_place_are_found, SCENE)
{
    struct attack attack;
    uint8_t kept[64];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    attack_begin(&attack);
    size_t a = attack_find(&attack, RECORD_CONSUMED, 1), b = attack_find(&attack, RECORD_CONSUMED, 2);
    cr_assert_eq(get_u16(attack.kept + a), get_u16(attack.kept + b));
    memcpy(kept, attack.bytes + a + CONSUMED_TS_MS, 32);
    memcpy(attack.bytes + a + CONSUMED_TS_MS, attack.bytes + b + CONSUMED_TS_MS, 32);
    memcpy(attack.bytes + b + CONSUMED_TS_MS, kept, 32);
    attack_reseal(&attack);
    attack_write(&attack);
    struct seal_verdict verdict = scene_verify("a.seal");
    cr_assert_not_null(strstr(verdict.difference, "6 events have another root"), "%s", verdict.difference);
    attack_end(&attack);
}

/* A PERSISTED record is no event: the tree is the same, and the frames are not. */
Test(query_seal, a_changed_time_of_persistence_is_found_in_the_frames, SCENE)
{
    struct attack attack;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    attack_begin(&attack);
    attack.bytes[attack_find(&attack, RECORD_PERSISTED, 1) + PERSISTED_TIME_US] ^= 1;
    attack_reseal(&attack);
    attack_write(&attack);
    struct seal_verdict verdict = scene_verify("a.seal");
    cr_assert_not(verdict.ok);
    attack_end(&attack);
}

static void zero_from(struct attack *attack, size_t from)
{
    memset(attack->bytes + from, 0, attack->end - from);
    attack_write(attack);
}

Test(query_seal, a_rollback_before_the_seal_is_found_and_one_behind_it_is_not, SCENE)
{
    struct attack attack;
    struct seal_result result;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result sealed = scene_seal("a.seal");
    scene_deposit(5000);
    attack_begin(&attack);
    zero_from(&attack, sealed.position); /* what came behind the seal is gone, and nothing tells */
    cr_assert(scene_verify("a.seal").ok);
    cr_assert_not(scene_seal("b.seal").is_new);
    size_t last = SEGMENT_HEADER_BYTES;
    while (last + get_u32(attack.kept + last + FRAME_LENGTH) < sealed.position)
        last += get_u32(attack.kept + last + FRAME_LENGTH);
    zero_from(&attack, last);
    struct seal_verdict verdict = scene_verify("a.seal");
    cr_assert_not_null(strstr(verdict.difference, "rolled back"), "%s", verdict.difference);
    const struct seal_options options = options_of(NULL, false);
    EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), SETTLE_E_CONFLICT);
    cr_assert_not_null(strstr(test_error.text, "rolled back"), "%s", test_error.text);
    cr_assert_eq(seal_count(), 1);
    attack_end(&attack);
}

Test(query_seal, the_seals_in_the_directory_narrow_a_difference_down, SCENE)
{
    struct attack attack;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    for (uint64_t i = 1; i <= 6; i++) {
        scene_deposit(5000 + i);
        scene_seal("b.seal");
    }
    attack_begin(&attack);
    attack.bytes[attack_find(&attack, RECORD_CONSUMED, 9) + CONSUMED_TS_MS] ^= 1;
    attack_reseal(&attack);
    attack_write(&attack);
    struct seal_verdict verdict = scene_verify("b.seal");
    cr_assert_not(verdict.ok);
    cr_assert_eq(verdict.agrees_until_seq, 8);
    cr_assert_eq(verdict.differs_until_seq, 9);
    cr_assert_str_eq(verdict.agrees_with, "00000000000000000008.seal");
    cr_assert(scene_verify("a.seal").ok);
    attack_end(&attack);
}

/* ---- The next seal ---- */

Test(query_seal, the_next_seal_refuses_a_journal_that_was_rewritten, SCENE)
{
    struct attack attack;
    struct seal_result result;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    attack_begin(&attack);
    attack.bytes[attack_find(&attack, RECORD_CONSUMED, 2) + CONSUMED_TS_MS] ^= 1;
    attack_reseal(&attack); /* the chain runs through the last frame, which a plain seal hashes again */
    attack_write(&attack);
    for (int check = 0; check < 2; check++) {
        const struct seal_options options = options_of(NULL, check != 0);
        EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), SETTLE_E_CONFLICT);
        cr_assert_not_null(strstr(test_error.text, "not what was sealed"), "%s", test_error.text);
    }
    cr_assert_eq(seal_count(), 1);
    attack_undo(&attack);
    attack_write(&attack);
    cr_assert_not(scene_seal("a.seal").is_new);
    attack_end(&attack);
}

Test(query_seal, a_seal_of_another_journal_is_no_predecessor, SCENE)
{
    struct seal_result result;
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    tempdir_join(path, fixture_dir, "journal");
    tempdir_remove(path);
    tempdir_join(path, fixture_dir, "store");
    tempdir_remove(path);
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    const struct seal_options options = options_of(NULL, false);
    EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), SETTLE_E_CONFLICT);
    cr_assert_not_null(strstr(test_error.text, "another journal"), "%s", test_error.text);
    cr_assert_not(scene_verify("a.seal").ok);
}

Test(query_seal, seals_of_another_key_and_files_that_are_none_are_passed_over, SCENE)
{
    struct seal_result result;
    struct seal_verdict verdict;
    char path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    tempdir_join(path, fixture_dir, "seals/00000000000000000099.seal");
    scene_write(path, "rubbish", 7);
    const struct seal_options options = {.key_path = scene_other_key};
    EXPECT_OK(query_seal(fixture_dir, &options, &result, &test_error));
    cr_assert(result.is_new && result.previous[0] == '\0');
    cr_assert_not_null(strchr(result.file, '-')); /* the short name is taken */
    EXPECT_OK(query_seal_verify(fixture_dir, scene_path("a.seal"), scene_other_public, &verdict, &test_error));
    cr_assert(!verdict.ok && !verdict.is_signed);
    cr_assert_str_eq(verdict.difference, "the seal is not signed by this key");
    cr_assert_not(scene_seal("b.seal").is_new);
}

Test(query_seal, one_seals_at_a_time, SCENE)
{
    struct seal_result result;
    char path[TEMPDIR_PATH_BYTES];
    int dir_fd = -1, lock_fd = -1;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    tempdir_join(path, fixture_dir, "seals");
    EXPECT_OK(dir_open(path, false, &dir_fd, &test_error));
    EXPECT_OK(lock_take_name_at(dir_fd, "lock", "sealer", &lock_fd, &test_error));
    const struct seal_options options = options_of(NULL, false);
    EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), SETTLE_E_BUSY);
    file_close(lock_fd);
    file_close(dir_fd);
    EXPECT_OK(query_seal(fixture_dir, &options, &result, &test_error));
}

/* ---- Keys ---- */

Test(query_seal, a_key_is_for_its_owner_and_outside_the_data_directory, SCENE)
{
    struct seal_result result;
    char inside[TEMPDIR_PATH_BYTES], link_path[TEMPDIR_PATH_BYTES], path[TEMPDIR_PATH_BYTES + 8];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    for (unsigned mode = 0; mode <= 077; mode++) {
        const struct seal_options options = options_of(NULL, false);
        cr_assert_eq(chmod(scene_key, 0600 | mode), 0);
        EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), mode == 0 ? SETTLE_OK : SETTLE_E_ACCESS);
    }
    cr_assert_eq(chmod(scene_key, 0600), 0);
    tempdir_join(inside, fixture_dir, "journal/key.pem");
    cr_assert_eq(rename(scene_key, inside), 0);
    tempdir_join(link_path, scene_dir, "link.pem");
    cr_assert_eq(symlink(inside, link_path), 0);
    for (int i = 0; i < 2; i++) {
        const struct seal_options options = {.key_path = i == 0 ? inside : link_path};
        EXPECT_STATUS(query_seal(fixture_dir, &options, &result, &test_error), SETTLE_E_INVALID);
        cr_assert_not_null(strstr(test_error.text, "inside the data directory"), "%s", test_error.text);
    }
    EXPECT_STATUS(query_seal_key(fixture_dir, inside, &test_error), SETTLE_E_INVALID);
    tempdir_join(link_path, scene_dir, "folder");
    tempdir_join(path, fixture_dir, "journal");
    cr_assert_eq(symlink(path, link_path), 0);
    tempdir_join(path, link_path, "new.pem");
    EXPECT_STATUS(query_seal_key(fixture_dir, path, &test_error), SETTLE_E_INVALID);
    EXPECT_STATUS(query_seal_key(fixture_dir, scene_other_key, &test_error), SETTLE_E_EXISTS);
}

/* ---- Proofs ---- */

Test(query_seal, an_event_behind_the_seal_and_one_that_is_none_have_no_proof, SCENE)
{
    struct proof proof = {NULL, 0};
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    scene_deposit(5000);
    EXPECT_STATUS(query_prove(fixture_dir, TEXT("deposit_7_2_5000"), scene_path("a.seal"), &proof, &test_error),
                  SETTLE_E_NOT_FOUND);
    cr_assert_not_null(strstr(test_error.text, "not sealed yet"), "%s", test_error.text);
    EXPECT_STATUS(query_prove(fixture_dir, TEXT("nobody"), scene_path("a.seal"), &proof, &test_error),
                  SETTLE_E_NOT_FOUND);
    cr_assert_null(proof.text);
    EXPECT_OK(query_prove(fixture_dir, TEXT("trade_T1"), scene_path("a.seal"), &proof, &test_error));
    cr_assert_not_null(strstr(proof.text, "\"event_id\":\"trade_T1\",\"seq\":\"3\""));
    proof_free(&proof);
}

/* Each id has the position of the one beside it. */
static void swap_positions(struct store_copy *copy)
{
    uint64_t first = copy->ids[0].position;
    for (size_t i = 0; i + 1 < copy->id_count; i++)
        copy->ids[i].position = copy->ids[i + 1].position;
    copy->ids[copy->id_count - 1].position = first;
}

/* A store whose every checksum is right leads to another event: its leaf is in the seal too, and would be proved. */
Test(query_seal, the_proof_of_another_event_is_not_given, SCENE)
{
    struct proof proof = {NULL, 0};
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    fixture_rewrite_store(swap_positions);
    EXPECT_STATUS(query_prove(fixture_dir, TEXT("trade_T1"), scene_path("a.seal"), &proof, &test_error),
                  SETTLE_E_CORRUPT);
    cr_assert_not_null(strstr(test_error.text, "the store gives the place of event"), "%s", test_error.text);
    cr_assert_null(proof.text);
}

Test(query_seal, no_proof_comes_out_of_a_journal_that_is_not_what_was_sealed, SCENE)
{
    struct attack attack;
    struct proof proof = {NULL, 0};
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    scene_deposit(5000);
    scene_seal("b.seal");
    char old[TEMPDIR_PATH_BYTES], new[TEMPDIR_PATH_BYTES];
    tempdir_join(old, scene_dir, "a.seal");
    tempdir_join(new, scene_dir, "b.seal");
    EXPECT_OK(query_prove_consistency(fixture_dir, old, new, &proof, &test_error));
    proof_free(&proof);
    EXPECT_STATUS(query_prove_consistency(fixture_dir, new, old, &proof, &test_error), SETTLE_E_CONFLICT);
    attack_begin(&attack);
    attack.bytes[attack_find(&attack, RECORD_CONSUMED, 2) + CONSUMED_TS_MS + 1] ^= 1;
    attack_reseal(&attack);
    attack_write(&attack);
    EXPECT_STATUS(query_prove(fixture_dir, TEXT("trade_T1"), old, &proof, &test_error), SETTLE_E_CONFLICT);
    EXPECT_STATUS(query_prove_consistency(fixture_dir, old, new, &proof, &test_error), SETTLE_E_CONFLICT);
    cr_assert_null(proof.text);
    attack_end(&attack);
}
