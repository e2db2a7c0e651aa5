/*
 * fuzz_seal.c — any bytes as what seals are made of; the first one says which: a seal's text, or an event's leaf as a
 * proof has it (for settle-check-proof, which knows nothing of the library).
 *
 * A seal that is taken apart and signed again means the same. A leaf that is decoded is told as JSON.
 */
#include "tests/fuzz/fuzz.h"

#include <cjson/cJSON.h>

#include "journal/seal/seal.h"
#include "tests/fuzz/leaf_told.h"
#include "tests/lib/tempdir.h"

static struct seal_key key;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char folder[TEMPDIR_BYTES], path[TEMPDIR_PATH_BYTES];
    settle_error error;
    (void)argc, (void)argv;
    tempdir_make(folder);
    tempdir_join(path, folder, "key");
    MUST(key_create(path, -1, &error) == SETTLE_OK && key_read_private(path, -1, &key, &error) == SETTLE_OK);
    tempdir_remove(folder);
    return 0;
}

static void check_seal(const char *text, size_t bytes)
{
    static struct sealed sealed, again, signed_again;
    settle_error error = {.status = SETTLE_OK};
    char origin[SEAL_ORIGIN_BYTES + 1];
    settle_status status = seal_decode(text, bytes, "a.seal", &sealed, &error);
    if (status != SETTLE_OK) {
        MUST(memchr(error.text, 0, sizeof error.text) != NULL && strlen(error.text) > 5 && error.offset_bytes <= bytes);
        return;
    }
    MUST(sealed.bytes == bytes && memcmp(sealed.text, text, bytes) == 0 && sealed.text[bytes] == '\0');
    seal_origin(sealed.seal.journal_id, origin);
    MUST(strncmp(sealed.text, origin, strlen(origin)) == 0);
    (void)seal_text_hash(&sealed);
    (void)seal_is_signed_by(&sealed, &key);
    MUST(seal_sign(&sealed.seal, &key, &signed_again, &error) == SETTLE_OK);
    MUST(seal_decode(signed_again.text, signed_again.bytes, "b.seal", &again, &error) == SETTLE_OK);
    MUST(seal_equal(&sealed.seal, &again.seal) && seal_is_signed_by(&again, &key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (bytes < 1)
        return 0;
    uint8_t *exact = exact_copy(data + 1, bytes - 1);
    if (data[0] % 2 == 0)
        check_seal((const char *)exact, bytes - 1);
    else
        leaf_told(exact, bytes - 1);
    free(exact);
    return 0;
}
