/*
 * test_check_proof.c — the program that checks proofs, in this process: proofs of every kind of event hold, and with
 * any bit flipped, any member forged, another key or another seal they do not.
 */
#include "journal/seal/seal.h"

/* The program has structs of these names of its own: what needs the library's comes first. */
static void sign_tree(uint64_t size, const uint8_t id[16], const uint8_t root[32], const struct seal_key *signer,
                      struct sealed *ret_sealed)
{
    struct seal seal = {.size = size, .position = 4096};
    memcpy(seal.journal_id, id, 16);
    memcpy(seal.root.bytes, root, 32);
    if (seal_sign(&seal, signer, ret_sealed, NULL) != SETTLE_OK)
        *ret_sealed = (struct sealed){.bytes = 0};
}

int check_proof_main(int argc, char **argv);
#define seal checked_seal
#define main check_proof_main
#define CHECK_PROOF_VERSION "1.2.3"
#include "tools/check_proof.c"
#include "tools/check_proof_leaf.c"
#undef main
#undef seal

#include "tests/unit/seal_scene.h"

SETTLE_SUITE(check_proof);

static EVP_PKEY *key, *other_key;

static void begin(void)
{
    scene_setup();
    key = key_read(scene_public);
    other_key = key_read(scene_other_public);
    cr_assert(key != NULL && other_key != NULL);
}

static void end(void)
{
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    scene_teardown();
}

#define CHECKER .init = begin, .fini = end

static bool holds_with(const char *text, size_t bytes, EVP_PKEY *with, const char *anchor, struct verdict *verdict)
{
    const char *const anchors[2] = {anchor, NULL};
    verdict->text[0] = '\0';
    bool ok = proof_check(text, bytes, with, anchors, verdict);
    cr_assert(verdict->text[0] != '\0', "no word");
    cr_assert_eq(ok, strncmp(verdict->text, "proved: ", 8) == 0, "%s", verdict->text);
    return ok;
}

static bool holds(const char *text)
{
    struct verdict verdict;
    return holds_with(text, strlen(text), key, NULL, &verdict);
}

/* malloc'd */
static char *prove(const char *event_id, const char *seal)
{
    struct proof proof = {NULL, 0};
    EXPECT_OK(
        query_prove(fixture_dir, (settle_text){event_id, strlen(event_id)}, scene_path(seal), &proof, &test_error));
    return proof.text;
}

static char *prove_consistency(const char *old, const char *new)
{
    char old_path[TEMPDIR_PATH_BYTES];
    struct proof proof = {NULL, 0};
    tempdir_join(old_path, scene_dir, old);
    EXPECT_OK(query_prove_consistency(fixture_dir, old_path, scene_path(new), &proof, &test_error));
    return proof.text;
}

/* The text with `from`, which is in it, replaced. malloc'd */
static char *forged(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "%s is not in it", from);
    char *changed = malloc(strlen(text) + strlen(to) + 1);
    sprintf(changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return changed;
}

/* ---- What holds ---- */

static const char *verdict_of(const char *text)
{
    static struct verdict verdict;
    (void)holds_with(text, strlen(text), key, NULL, &verdict);
    return verdict.text;
}

Test(check_proof, every_kind_of_event_is_proved, CHECKER)
{
    const settle_int128 wide = (settle_int128)1 << 100;
    settle_event events[] = {
        fixture_transfer(SETTLE_DEPOSIT, 5000, 9, 2, wide),
        fixture_transfer(SETTLE_WITHDRAWAL, 5001, 9, 2, 1),
        fixture_transfer(SETTLE_DEPOSIT, 5002, 9, 77, 12345), /* unknown asset */
        fixture_transfer(SETTLE_DEPOSIT, SETTLE_TS_MS_MAX, SETTLE_USER_MAX, 1, 1),
        fixture_trade(),
        fixture_trade(),
    };
    events[1].event_id = TEXT("an-id:of_its.own");
    events[4].u.trade.trade_id = TEXT("T2");
    events[4].u.trade.price = (settle_price){15, 1};
    events[4].u.trade.quote_amount = 0;
    events[4].u.trade.buyer_fee = events[4].u.trade.seller_fee = 0;
    events[5].u.trade.trade_id = (settle_text){NULL, 0};
    events[5].event_id = TEXT("T3");
    events[5].u.trade.quote = 78;
    static const char *const ids[] = {"deposit_7_2_1000",  "deposit_8_1_1001",
                                      "trade_T1",          "withdrawal_7_2_1003",
                                      "deposit_9_2_5000",  "an-id:of_its.own",
                                      "deposit_9_77_5002", "deposit_9223372036854775807_1_9007199254740992",
                                      "trade_T2",          "T3"};
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_submit(events, sizeof events / sizeof events[0]);
    scene_seal("a.seal");
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char *text = prove(ids[i], "a.seal");
        cr_assert(holds(text), "%s: %s", ids[i], verdict_of(text));
        cr_assert_not_null(strstr(verdict_of(text), ids[i]));
        free(text);
    }
    char *text = prove("deposit_9_77_5002", "a.seal");
    cr_assert_not_null(strstr(text, "\"asset\":\"#77\",\"amount\":\"12345\""), "%s", text);
    cr_assert_not_null(strstr(text, "\"outcome\":\"rejected\",\"reason\":\"unknown_asset\""), "%s", text);
    free(text);
    text = prove("deposit_9_2_5000", "a.seal");
    cr_assert_not_null(strstr(text, "\"amount\":\"1267650600228229401496703.205376\""), "%s", text);
    free(text);
}

Test(check_proof, every_pair_of_seals_is_consistent, CHECKER)
{
    char name[32], other[32];
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    scene_seal("0.seal");
    tempdir_remove(fixture_dir);
    EXPECT_OK(settle_create(fixture_dir, NULL, &test_error));
    settle *engine = NULL;
    EXPECT_OK(settle_open(fixture_dir, NULL, &engine, &test_error));
    EXPECT_OK(settle_asset_declare(engine, &fixture_usdt, &test_error));
    EXPECT_OK(settle_close(engine, &test_error));
    for (int i = 0; i <= 9; i++) {
        snprintf(name, sizeof name, "%d.seal", i);
        scene_seal(name);
        scene_deposit(5000 + (uint64_t)i);
    }
    for (int i = 0; i <= 9; i++)
        for (int k = i; k <= 9; k++) {
            snprintf(name, sizeof name, "%d.seal", i);
            snprintf(other, sizeof other, "%d.seal", k);
            char *text = prove_consistency(name, other);
            cr_assert(holds(text), "%d %d: %s", i, k, verdict_of(text));
            free(text);
        }
}

/* ---- What does not ---- */

static void expect_no_bit_can_be_flipped(char *text)
{
    struct verdict verdict;
    size_t bytes = strlen(text);
    cr_assert(holds(text), "%s", verdict_of(text));
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        cr_assert_not(holds_with(text, bytes, key, NULL, &verdict), "bit %zu of byte %zu: %.40s", bit % 8, bit / 8,
                      text + (bit / 8 > 20 ? bit / 8 - 20 : 0));
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t cut = 0; cut + 1 < bytes; cut++) /* without the last newline it is the same proof */
        cr_assert_not(holds_with(text, cut, key, NULL, &verdict), "cut at %zu", cut);
    free(text);
}

Test(check_proof, a_flipped_bit_anywhere_is_no_proof_of_inclusion, CHECKER)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    expect_no_bit_can_be_flipped(prove("trade_T1", "a.seal"));
}

Test(check_proof, a_flipped_bit_anywhere_is_no_proof_of_consistency, CHECKER)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    scene_deposit(5000);
    scene_seal("b.seal");
    expect_no_bit_can_be_flipped(prove_consistency("a.seal", "b.seal"));
}

Test(check_proof, a_forged_member_is_named, CHECKER)
{
    static const struct {
        const char *from, *to, *named;
    } cases[] = {
        {"\"amount\":\"1000.500000\"", "\"amount\":\"9000.500000\"", "amount"},
        {"\"amount\":\"1000.500000\"", "\"amount\":\"1000.5\"", "amount"},
        {"\"amount\":\"1000.500000\"", "\"amount\":1000.500000", "amount"},
        {"\"amount\":\"1000.500000\"", "\"amount\":\"1000.500000\\u0000\"", "zero"},
        {"\"amount\":\"1000.500000\",", "", "more or fewer"},
        {"\"asset\":\"USDT\"", "\"asset\":\"BTC\"", "asset"},
        {"\"user\":\"7\"", "\"user\":\"8\"", "user"},
        {"\"user\":\"7\"", "\"User\":\"7\"", "user"},
        {"\"seq\":\"1\"", "\"seq\":\"2\"", "seq"},
        {"\"ts\":\"1000\"", "\"ts\":\"1001\"", "ts"},
        {"\"outcome\":\"accepted\"", "\"outcome\":\"rejected\"", "outcome"},
        {"\"type\":\"deposit\"", "\"type\":\"withdrawal\"", "type"},
        {"\"event_id\":\"deposit_7_2_1000\"", "\"event_id\":\"deposit_7_2_1001\"", "event_id"},
        {"\"after\":\"1000.500000\"", "\"after\":\"1000.500001\"", "after"},
        {"\"user\":\"external\"", "\"user\":\"fees\"", "user"},
        {"\"event\":{", "\"event\":{\"note\":\"paid\",", "more or fewer"},
        {"\"event\":{", "\"event\":{\"amount\":\"5.000000\",", "event"},
        {"\"effects\":[{", "\"effects\":[{\"note\":\"\",", "members"},
        {"\"effects\":[{", "\"effects\":[{},{", "effects"},
        {"{\"proof\"", "{\"event\":{},\"proof\"", "exactly the members"},
        {"settle/inclusion/v1", "settle/inclusion/v2", "kind of proof"},
        {"\"path\":[\"", "\"path\":[\"00", "path"},
        {"\"path\":[", "\"path\":[\"0000000000000000000000000000000000000000000000000000000000000000\",", "path"},
        {"\"leaf\":\"", "\"leaf\":\"00", "leaf"},
        {"\\n6\\n", "\\n7\\n", "signature"},
        {"\\nprevious -", "\\nprevious --", "signature"},
        {"}\n", "}\n{}", "no proof"},
    };
    struct verdict verdict;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    char *text = prove("deposit_7_2_1000", "a.seal");
    cr_assert(holds(text));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *changed = forged(text, cases[i].from, cases[i].to);
        cr_assert_not(holds_with(changed, strlen(changed), key, NULL, &verdict), "%s", cases[i].to);
        cr_assert_not_null(strstr(verdict.text, cases[i].named), "%s: %s", cases[i].to, verdict.text);
        free(changed);
    }
    free(text);
}

/* Members in another order and with spaces say the same: jq may have gone over it. */
Test(check_proof, the_order_of_members_does_not_matter, CHECKER)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    char *text = prove("deposit_7_2_1000", "a.seal");
    char *moved = forged(text, "\"user\":\"7\",\"asset\":\"USDT\"", "\"asset\": \"USDT\",\n\t\"user\" : \"7\"");
    cr_assert(holds(moved), "%s", verdict_of(moved));
    free(moved);
    free(text);
}

Test(check_proof, the_leaf_of_one_event_is_not_anothers, CHECKER)
{
    struct verdict verdict;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    char *one = prove("deposit_7_2_1000", "a.seal"), *two = prove("deposit_8_1_1001", "a.seal");
    const char *leaf = strstr(two, "\"leaf\""), *path = strstr(leaf, ",\"path\"");
    const char *own = strstr(one, "\"leaf\""), *own_path = strstr(own, ",\"path\"");
    char *mixed = malloc(strlen(one) + strlen(two));
    sprintf(mixed, "%.*s%.*s%s", (int)(own - one), one, (int)(path - leaf), leaf, own_path);
    cr_assert_not(holds_with(mixed, strlen(mixed), key, NULL, &verdict));
    sprintf(mixed, "%.*s%s", (int)(own - one), one, leaf); /* its leaf and its path, and what the first one says */
    cr_assert_not(holds_with(mixed, strlen(mixed), key, NULL, &verdict));
    cr_assert_not_null(strstr(verdict.text, "not what was sealed"), "%s", verdict.text);
    free(mixed);
    free(one);
    free(two);
}

Test(check_proof, another_key_and_another_seal_are_refused, CHECKER)
{
    struct verdict verdict;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result a = scene_seal("a.seal");
    scene_deposit(5000);
    struct seal_result b = scene_seal("b.seal");
    char *text = prove("trade_T1", "b.seal"), *both = prove_consistency("a.seal", "b.seal");
    cr_assert_not(holds_with(text, strlen(text), other_key, NULL, &verdict));
    cr_assert_not_null(strstr(verdict.text, "not signed by this key"), "%s", verdict.text);
    cr_assert_not(holds_with(both, strlen(both), other_key, NULL, &verdict));
    cr_assert(holds_with(text, strlen(text), key, b.text, &verdict));
    cr_assert_not(holds_with(text, strlen(text), key, a.text, &verdict));
    cr_assert_not_null(strstr(verdict.text, "another seal"), "%s", verdict.text);
    cr_assert(holds_with(both, strlen(both), key, a.text, &verdict));
    cr_assert(holds_with(both, strlen(both), key, b.text, &verdict));
    cr_assert_not(holds_with(both, strlen(both), key, "", &verdict));
    free(text);
    free(both);
}

/* Whoever holds the key and rewrote history: the two seals are good, and no path leads from one to the other. */
Test(check_proof, a_history_signed_twice_has_no_proof, CHECKER)
{
    struct attack attack;
    struct seal_result result;
    char output[TEMPDIR_PATH_BYTES], path[TEMPDIR_PATH_BYTES];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    struct seal_result old = scene_seal("a.seal");
    scene_deposit(5000);
    scene_seal("b.seal");
    char *honest = prove_consistency("a.seal", "b.seal");
    tempdir_join(path, fixture_dir, "seals");
    tempdir_remove(path);
    attack_begin(&attack);
    attack.bytes[attack_find(&attack, RECORD_CONSUMED, 2) + CONSUMED_TS_MS] ^= 1;
    attack_reseal(&attack);
    attack_write(&attack);
    tempdir_join(output, scene_dir, "forked.seal");
    const struct seal_options options = {.key_path = scene_key, .output = output};
    EXPECT_OK(query_seal(fixture_dir, &options, &result, &test_error));
    struct proof proof = {NULL, 0};
    EXPECT_STATUS(query_prove_consistency(fixture_dir, scene_path("a.seal"), output, &proof, &test_error),
                  SETTLE_E_CONFLICT);
    /* The honest path with the forked seal in the new one's place. */
    cJSON *json = cJSON_Parse(honest);
    cJSON_ReplaceItemInObjectCaseSensitive(json, "new", cJSON_CreateString(result.text));
    char *mixed = cJSON_PrintUnformatted(json);
    struct verdict verdict;
    cr_assert_not(holds_with(mixed, strlen(mixed), key, old.text, &verdict));
    cr_assert_not_null(strstr(verdict.text, "does not lead"), "%s", verdict.text);
    cJSON_free(mixed);
    cJSON_Delete(json);
    free(honest);
    attack_end(&attack);
}

/* Seals that a signer made up over one leaf: of a tree of it alone, which proves it; of another journal; and of a tree of two whose
 * root it is said to be, which a path that ends too early would lead to. */
Test(check_proof, a_seal_of_one_leaf_proves_it_in_its_own_journal_and_in_no_larger_tree, CHECKER)
{
    static const struct {
        uint64_t size;
        uint8_t change; /* of the journal's id */
        const char *words;
    } seals[] = {{1, 0, "proved: "}, {1, 1, "another journal"}, {2, 0, "does not lead"}};
    struct verdict verdict;
    struct seal_key signer = {.pkey = NULL};
    struct sealed sealed;
    uint8_t bytes[LEAF_MAX], id[16];
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    char *text = prove("deposit_7_2_1000", "a.seal");
    cJSON *json = cJSON_Parse(text);
    const char *hex = text_of(json, "leaf");
    size_t count = strlen(hex) / 2;
    cr_assert(hex_decode(hex, 2 * count, bytes, count));
    const struct hash root = sha256("\0", 1, bytes, count, NULL, 0);
    EXPECT_OK(key_read_private(scene_key, -1, &signer, &test_error));
    cJSON_ReplaceItemInObjectCaseSensitive(json, "path", cJSON_CreateArray());
    for (size_t i = 0; i < sizeof seals / sizeof seals[0]; i++) {
        memcpy(id, bytes + 16, sizeof id);
        id[3] ^= seals[i].change;
        sign_tree(seals[i].size, id, root.bytes, &signer, &sealed);
        cJSON_ReplaceItemInObjectCaseSensitive(json, "seal", cJSON_CreateString(sealed.text));
        char *mixed = cJSON_PrintUnformatted(json);
        cr_assert_eq(holds_with(mixed, strlen(mixed), key, NULL, &verdict), i == 0, "%s", verdict.text);
        cr_assert_not_null(strstr(verdict.text, seals[i].words), "%s", verdict.text);
        cJSON_free(mixed);
    }
    cJSON_Delete(json);
    key_deinit(&signer);
    free(text);
}

/* A leaf that a signer made up: no read beyond its end, whatever its lengths say. */
Test(check_proof, a_leaf_of_any_bytes_is_decoded_or_refused, CHECKER)
{
    uint8_t bytes[LEAF_MAX], kept[LEAF_MAX];
    struct leaf leaf;
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    char *text = prove("trade_T1", "a.seal");
    const char *hex = strstr(text, "\"leaf\":\"") + 8;
    size_t count = strcspn(hex, "\"") / 2;
    unsigned refused = 0;
    cr_assert(hex_decode(hex, 2 * count, kept, count));
    for (size_t at = 0; at < count; at++)
        for (int value = 0; value < 256; value += 5) {
            uint8_t *exact = malloc(count); /* so that a read beyond it is seen */
            memcpy(exact, kept, count);
            exact[at] = (uint8_t)value;
            cJSON *told = leaf_decode(exact, count, &leaf) ? leaf_tell(&leaf) : NULL;
            refused += told == NULL;
            cJSON_Delete(told);
            free(exact);
        }
    for (size_t cut = 0; cut < count; cut++) {
        memcpy(bytes, kept, cut);
        cJSON *told = leaf_decode(bytes, cut, &leaf) ? leaf_tell(&leaf) : NULL;
        cr_assert(told == NULL || cut == count - 80 || cut == count - 40, "cut at %zu of %zu", cut, count);
        cJSON_Delete(told);
    }
    cr_assert_gt(refused, 1000);
    free(text);
}

/* Found by fuzzing: the change is larger than any amount it may have come from. */
Test(check_proof, a_change_from_an_amount_that_no_number_holds_is_refused, CHECKER)
{
    static const uint8_t found[] = {
        0x73, 0x65, 0x74, 0x74, 0x6c, 0x65, 0x2f, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x2f, 0x76, 0x31, 0x00, 0x2f,
        0x73, 0x65, 0x74, 0x74, 0x6e, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x2f, 0x76, 0x31, 0x73, 0x65, 0x74, 0x74,
        0x6e, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x40, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x5b, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x65, 0x74,
        0x74, 0x6c, 0x65, 0x2f, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x2f, 0x76, 0x31, 0x00, 0x2f, 0x73, 0x65, 0x74,
        0x74, 0x6e, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x2f, 0x76, 0x31, 0x73, 0x65, 0x74, 0x74, 0x6e, 0x01, 0x00,
        0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x73, 0x65, 0x74, 0x74, 0x6c,
        0x65, 0x2f, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x2f, 0x76, 0x31, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x8a, 0xcf, 0x8b, 0x96, 0x90, 0x8f, 0x20, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x76, 0x30, 0x74, 0x69, 0x6f, 0x6e, 0x20, 0x0a,
    };
    struct leaf leaf;
    cr_assert(leaf_decode(found, sizeof found, &leaf));
    cr_assert_null(leaf_tell(&leaf));
    struct cursor cursor = {.good = true};
    const i128 most = (i128)INT64_MAX << 64 | UINT64_MAX;
    cr_assert(amount_before(&cursor, most, most) == 0 && cursor.good);
    cr_assert(amount_before(&cursor, -most, 1) == -most - 1 && cursor.good);
    (void)amount_before(&cursor, -most - 1, 1);
    cr_assert_not(cursor.good);
}

Test(check_proof, the_exit_statuses_tell_no_from_cannot_tell, CHECKER)
{
    fixture_fill_engine(SCENE_SEGMENT_BYTES);
    scene_seal("a.seal");
    char *text = prove("trade_T1", "a.seal"), proof[TEMPDIR_PATH_BYTES];
    tempdir_join(proof, scene_dir, "proof.json");
    scene_write(proof, text, strlen(text));
    free(text);
    char program[] = "settle-check-proof", option[] = "--public-key", seal_option[] = "--seal", odd[] = "--odd";
    char *good[] = {program, option, scene_public, proof, NULL};
    char *with_seal[] = {program, proof, seal_option, (char *)scene_path("a.seal"), option, scene_public, NULL};
    char *wrong[] = {program, option, scene_other_public, proof, NULL};
    char *not_a_key[] = {program, option, proof, proof, NULL};
    char *private_key[] = {program, option, scene_key, proof, NULL};
    char *missing[] = {program, option, scene_public, odd + 2, NULL};
    char *unknown[] = {program, option, scene_public, odd, NULL};
    char *nothing[] = {program, option, scene_public, NULL};
    cr_assert_eq(check_proof_main(4, good), 0);
    cr_assert_eq(check_proof_main(6, with_seal), 0);
    cr_assert_eq(check_proof_main(4, wrong), 1);
    cr_assert_eq(check_proof_main(4, not_a_key), 2);
    cr_assert_eq(check_proof_main(4, private_key), 2);
    cr_assert_eq(check_proof_main(4, missing), 2);
    cr_assert_eq(check_proof_main(4, unknown), 2);
    cr_assert_eq(check_proof_main(3, nothing), 2);
    char help[] = "--help", version[] = "--version", *asked[] = {program, help, NULL},
         *told[] = {program, version, NULL};
    cr_assert_eq(check_proof_main(2, asked), 0);
    cr_assert_eq(check_proof_main(2, told), 0);
    char *not_alone[] = {program, version, help, NULL};
    cr_assert_eq(check_proof_main(3, not_alone), 2);
}
