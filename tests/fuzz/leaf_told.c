/* leaf_told.c — see leaf_told.h. Owns nothing. */
#include "tests/fuzz/leaf_told.h"

#include "tests/fuzz/fuzz.h"
#include "tools/check_proof.h"

void leaf_told(const uint8_t *bytes, size_t count)
{
    struct leaf leaf;
    if (!leaf_decode(bytes, count, &leaf))
        return;
    MUST(leaf.asset_count <= 2);
    cJSON *event = leaf_tell(&leaf);
    if (event == NULL)
        return;
    char *text = cJSON_PrintUnformatted(event);
    cJSON *again = text != NULL ? cJSON_Parse(text) : NULL;
    MUST(again != NULL && cJSON_IsObject(again));
    cJSON_Delete(again);
    cJSON_free(text);
    cJSON_Delete(event);
}
