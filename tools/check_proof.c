/*
 * check_proof.c — settle-check-proof: checks a proof that `settlectl prove` made, for people who have neither the
 * journal nor the library. With check_proof_leaf.c it is the whole program: it includes nothing of libsettle's and is
 * written from docs/seals.md and docs/journal-format.md alone. Read these to know what a proof is worth. SHA-256,
 * Ed25519 and base64 are OpenSSL's, JSON is cJSON's.
 *
 * What is believed: the public key. Everything else is checked from there: the key has signed the seal, the seal has
 * the root of the tree, the path leads from the leaf to that root, and what the proof says for people is what the
 * leaf's bytes say.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "check_proof.h"

#define HASH_BYTES 32
#define PATH_MAX_HASHES 64
#define LEAF_MAX 2048
#define FILE_MAX ((size_t)1 << 20)
#define SEALS_MAX 2 /* --seal */

/* Why a proof is not one, or what it proves. */
struct verdict {
    char text[1024];
};

static bool refuse(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(verdict->text, sizeof verdict->text, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- Hashes and the tree (RFC 9162, section 2.1) ----------------------------------------------------------------- */

struct hash {
    uint8_t bytes[HASH_BYTES];
};

/* SHA-256 of up to three parts. */
static struct hash sha256(const void *a, size_t a_bytes, const void *b, size_t b_bytes, const void *c, size_t c_bytes)
{
    struct hash hash;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, a, a_bytes) == 1 && EVP_DigestUpdate(context, b, b_bytes) == 1 &&
              EVP_DigestUpdate(context, c, c_bytes) == 1 && EVP_DigestFinal_ex(context, hash.bytes, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) {
        fputs("settle-check-proof: OpenSSL cannot hash\n", stderr);
        exit(2);
    }
    return hash;
}

static struct hash node(const struct hash *left, const struct hash *right)
{
    return sha256("\1", 1, left->bytes, HASH_BYTES, right->bytes, HASH_BYTES);
}

static bool same_hash(const struct hash *a, const struct hash *b)
{
    return memcmp(a->bytes, b->bytes, HASH_BYTES) == 0;
}

/* Both walks of RFC 9162 in one: from `start` up `path`; *ret_first is the root of the tree that ends with leaf `fn`
 * (2.1.4.2), *ret_all that of all (2.1.3.2). False: the path has the wrong length. */
static bool climb(uint64_t fn, uint64_t sn, const struct hash *start, const struct hash *path, size_t count,
                  struct hash *ret_first, struct hash *ret_all)
{
    struct hash first = *start, all = *start;
    for (size_t i = 0; i < count; i++) {
        if (sn == 0)
            return false;
        if ((fn & 1) != 0 || fn == sn) {
            first = node(&path[i], &first);
            all = node(&path[i], &all);
            for (; (fn & 1) == 0 && fn != 0; fn >>= 1)
                sn >>= 1;
        } else {
            all = node(&all, &path[i]);
        }
        fn >>= 1;
        sn >>= 1;
    }
    *ret_first = first;
    *ret_all = all;
    return sn == 0;
}

static bool inclusion_holds(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *path,
                            size_t count, const struct hash *root)
{
    struct hash first, all;
    return index < size && climb(index, size - 1, leaf, path, count, &first, &all) && same_hash(&all, root);
}

static bool consistency_holds(uint64_t old_size, uint64_t size, const struct hash *old_root, const struct hash *root,
                              const struct hash *path, size_t count)
{
    struct hash first, all, empty = sha256(NULL, 0, NULL, 0, NULL, 0);
    if (old_size > size)
        return false;
    if (old_size == size)
        return count == 0 && same_hash(old_root, root);
    if (old_size == 0)
        return count == 0 && same_hash(old_root, &empty);
    if (count == 0)
        return false;
    bool is_complete = (old_size & (old_size - 1)) == 0; /* then the path begins with the old root, which is left out */
    const struct hash *start = is_complete ? old_root : path;
    uint64_t fn = old_size - 1, sn = size - 1;
    for (; (fn & 1) != 0; fn >>= 1)
        sn >>= 1;
    return climb(fn, sn, start, path + !is_complete, count - !is_complete, &first, &all) &&
           same_hash(&first, old_root) && same_hash(&all, root);
}

/* ---- The seal: a signed note (docs/seals.md, "The seal") --------------------------------------------------------- */

struct seal {
    const char *text;
    size_t signed_bytes; /* up to the newline before the blank line */
    char origin[7 + 33]; /* "settle/" and 32 digits */
    uint8_t journal_id[16];
    uint64_t size;
    struct hash root;
    char time[32];
};

/* Base64 that is the one spelling of exactly `count` bytes. */
static bool base64_decode(const char *text, size_t text_bytes, uint8_t *ret_bytes, size_t count)
{
    unsigned char raw[96], again[129];
    if (text_bytes != (count + 2) / 3 * 4 || text_bytes > 128 ||
        EVP_DecodeBlock(raw, (const unsigned char *)text, (int)text_bytes) < 0)
        return false;
    (void)EVP_EncodeBlock(again, raw, (int)count);
    memcpy(ret_bytes, raw, count);
    return memcmp(again, text, text_bytes) == 0;
}

static bool hex_decode(const char *text, size_t text_bytes, uint8_t *ret_bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    if (text_bytes != 2 * count)
        return false;
    for (size_t i = 0; i < text_bytes; i++) {
        const char *digit = memchr(digits, text[i], 16);
        if (digit == NULL)
            return false;
        ret_bytes[i / 2] = (uint8_t)((i % 2 == 0 ? 0 : ret_bytes[i / 2] << 4) | (digit - digits));
    }
    return true;
}

/* Whether a line after the blank one is a good signature by the key: 1 yes, 0 it is another key's, -1 it is bad. */
static int signature_judge(const struct seal *seal, const char *line, size_t bytes, EVP_PKEY *key)
{
    uint8_t raw[4 + 64], public_key[32];
    size_t public_bytes = sizeof public_key, origin = strlen(seal->origin);
    if (bytes < 4 + origin + 1 || memcmp(line, "\xe2\x80\x94 ", 4) != 0 ||
        memcmp(line + 4, seal->origin, origin) != 0 || line[4 + origin] != ' ')
        return 0;
    if (!base64_decode(line + 5 + origin, bytes - 5 - origin, raw, sizeof raw) ||
        EVP_PKEY_get_raw_public_key(key, public_key, &public_bytes) != 1)
        return 0;
    struct hash id = sha256(seal->origin, origin, "\n\1", 2, public_key, sizeof public_key);
    if (memcmp(id.bytes, raw, 4) != 0)
        return 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(context, raw + 4, 64, (const uint8_t *)seal->text, seal->signed_bytes) == 1;
    EVP_MD_CTX_free(context);
    return ok ? 1 : -1;
}

static bool signature_check(const struct seal *seal, EVP_PKEY *key, struct verdict *verdict)
{
    bool is_signed = false;
    for (const char *line = seal->text + seal->signed_bytes + 1, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        if (end == NULL)
            return refuse(verdict, "the seal's last line does not end");
        int judgement = signature_judge(seal, line, (size_t)(end - line), key);
        if (judgement < 0)
            return refuse(verdict, "the seal's signature is wrong: its text is not what the key signed");
        is_signed |= judgement > 0;
    }
    return is_signed || refuse(verdict, "the seal is not signed by this key");
}

/* The text is cJSON's and stays there. */
static bool seal_check(const char *text, EVP_PKEY *key, struct seal *ret_seal, struct verdict *verdict)
{
    struct seal seal = {.text = text};
    const char *blank = text != NULL ? strstr(text, "\n\n") : NULL, *size = NULL, *root = NULL, *end = NULL;
    if (blank == NULL || strncmp(text, "settle/", 7) != 0 || strcspn(text, "\n") != 39 ||
        !hex_decode(text + 7, 32, seal.journal_id, sizeof seal.journal_id))
        return refuse(verdict, "a seal's first line is not settle/ and a journal's id");
    memcpy(seal.origin, text, 39);
    seal.signed_bytes = (size_t)(blank - text) + 1;
    size = text + 40;
    root = size + strcspn(size, "\n") + 1;
    if (root >= blank || strspn(size, "0123456789") != (size_t)(root - size) - 1 || root - size < 2 || root - size > 19)
        return refuse(verdict, "a seal's second line is not a number of events");
    seal.size = strtoull(size, NULL, 10);
    end = root + strcspn(root, "\n");
    if (!base64_decode(root, (size_t)(end - root), seal.root.bytes, HASH_BYTES))
        return refuse(verdict, "a seal's third line is not the root of a tree");
    const char *when = strstr(end, "\ntime ");
    if (when != NULL && when < blank)
        snprintf(seal.time, sizeof seal.time, "%.*s", (int)strcspn(when + 6, "\n"), when + 6);
    if (!signature_check(&seal, key, verdict))
        return false;
    *ret_seal = seal;
    return true;
}

/* ---- The proof --------------------------------------------------------------------------------------------------- */

/* Nothing more, nothing less, nothing else; NULL or the name of what differs. */
static const char *difference(const cJSON *told, const cJSON *said)
{
    if (told == NULL || (told->type & 0xff) != (said->type & 0xff))
        return said->string != NULL ? said->string : "an element";
    if (cJSON_IsString(said))
        return strcmp(told->valuestring, said->valuestring) == 0 ? NULL : said->string;
    if (cJSON_GetArraySize(told) != cJSON_GetArraySize(said))
        return said->string != NULL ? said->string : "the members of an element";
    const cJSON *at = told->child;
    for (const cJSON *item = said->child; item != NULL; item = item->next, at = at->next) {
        const cJSON *pair = cJSON_IsArray(said) ? at : cJSON_GetObjectItemCaseSensitive(told, item->string);
        const char *name = difference(pair, item);
        if (name != NULL)
            return name;
    }
    return NULL;
}

/* The member of that name, a text; NULL: it is not. */
static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static bool path_decode(const cJSON *proof, struct hash path[PATH_MAX_HASHES], size_t *ret_count,
                        struct verdict *verdict)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(proof, "path"), *item;
    size_t count = 0;
    if (!cJSON_IsArray(array))
        return refuse(verdict, "the proof has no path");
    cJSON_ArrayForEach(item, array)
    {
        if (count == PATH_MAX_HASHES || !cJSON_IsString(item) ||
            !hex_decode(item->valuestring, strlen(item->valuestring), path[count++].bytes, HASH_BYTES))
            return refuse(verdict, "the path is not an array of at most %d hashes", PATH_MAX_HASHES);
    }
    *ret_count = count;
    return true;
}

static bool same_body(const struct seal *seal, const char *text)
{
    return strncmp(seal->text, text, seal->signed_bytes) == 0 && text[seal->signed_bytes] == '\n';
}

/* Whether each seal from elsewhere is one of the proof's. */
static bool anchors_check(const struct seal *seals, size_t count, const char *const *anchors, struct verdict *verdict)
{
    for (size_t i = 0; i < SEALS_MAX && anchors[i] != NULL; i++)
        if (!same_body(&seals[0], anchors[i]) && (count < 2 || !same_body(&seals[1], anchors[i])))
            return refuse(verdict, "the proof is of another seal than the one given by --seal");
    return true;
}

static bool inclusion_check(const cJSON *proof, EVP_PKEY *key, const char *const *anchors, struct verdict *verdict)
{
    struct seal seal;
    struct leaf leaf;
    struct hash path[PATH_MAX_HASHES];
    size_t count = 0;
    uint8_t bytes[LEAF_MAX];
    const char *hex = text_of(proof, "leaf");
    if (cJSON_GetArraySize(proof) != 5)
        return refuse(verdict, "the proof does not have exactly the members proof, seal, event, leaf, path");
    if (!seal_check(text_of(proof, "seal"), key, &seal, verdict) || !anchors_check(&seal, 1, anchors, verdict) ||
        !path_decode(proof, path, &count, verdict))
        return false;
    size_t leaf_bytes = hex != NULL ? strlen(hex) / 2 : 0;
    if (leaf_bytes < 40 || leaf_bytes > sizeof bytes || !hex_decode(hex, strlen(hex), bytes, leaf_bytes) ||
        !leaf_decode(bytes, leaf_bytes, &leaf))
        return refuse(verdict, "the leaf is not an event's");
    if (memcmp(leaf.journal_id, seal.journal_id, 16) != 0)
        return refuse(verdict, "the event is of another journal than the seal");
    struct hash leaf_hash = sha256("\0", 1, bytes, leaf_bytes, NULL, 0);
    if (leaf.seq == 0 || !inclusion_holds(leaf.seq - 1, seal.size, &leaf_hash, path, count, &seal.root))
        return refuse(verdict, "the path does not lead from the event to the seal's root");
    cJSON *said = leaf_tell(&leaf);
    if (said == NULL)
        return refuse(verdict, "the leaf is not an event's");
    const cJSON *told = cJSON_GetObjectItemCaseSensitive(proof, "event");
    const char *name = cJSON_IsObject(told) ? difference(told, said) : "event";
    if (name != NULL && cJSON_IsObject(told) && cJSON_GetArraySize(told) != cJSON_GetArraySize(said))
        name = "event: it has more or fewer members than the leaf";
    if (name != NULL)
        refuse(verdict, "what the proof says of the event is not what was sealed: %s", name);
    else
        snprintf(verdict->text, sizeof verdict->text,
                 "proved: %s (%s, %s) is event %" PRIu64 " of the %" PRIu64 " that are sealed in journal %s at %s",
                 text_of(said, "event_id"), text_of(said, "type"), text_of(said, "outcome"), leaf.seq, seal.size,
                 seal.origin + 7, seal.time);
    cJSON_Delete(said);
    return name == NULL;
}

static bool consistency_check(const cJSON *proof, EVP_PKEY *key, const char *const *anchors, struct verdict *verdict)
{
    struct seal seals[2];
    struct hash path[PATH_MAX_HASHES];
    size_t count = 0;
    if (cJSON_GetArraySize(proof) != 4)
        return refuse(verdict, "the proof does not have exactly the members proof, old, new, path");
    if (!seal_check(text_of(proof, "old"), key, &seals[0], verdict) ||
        !seal_check(text_of(proof, "new"), key, &seals[1], verdict) || !anchors_check(seals, 2, anchors, verdict) ||
        !path_decode(proof, path, &count, verdict))
        return false;
    if (strcmp(seals[0].origin, seals[1].origin) != 0)
        return refuse(verdict, "the seals are of two journals");
    if (!consistency_holds(seals[0].size, seals[1].size, &seals[0].root, &seals[1].root, path, count))
        return refuse(verdict, "the path does not lead from the older seal's root to the newer one's");
    snprintf(verdict->text, sizeof verdict->text,
             "proved: the %" PRIu64 " event%s sealed at %s %s the first of the %" PRIu64
             " sealed at %s in journal %s, unchanged",
             seals[0].size, seals[0].size == 1 ? "" : "s", seals[0].time, seals[0].size == 1 ? "is" : "are",
             seals[1].size, seals[1].time, seals[0].origin + 7);
    return true;
}

/* `text` is terminated. The verdict is why not, or what was proved. */
static bool proof_check(const char *text, size_t bytes, EVP_PKEY *key, const char *const anchors[SEALS_MAX],
                        struct verdict *verdict)
{
    for (size_t i = 0; i < bytes; i++) /* cJSON passes over control characters and cuts texts at \u0000 */
        if ((unsigned char)text[i] < ' ' && strchr("\t\n\r", text[i]) == NULL)
            return refuse(verdict, "byte %zu of the proof is a zero or another control character", i);
    if (strlen(text) != bytes || strstr(text, "\\u0000") != NULL)
        return refuse(verdict, "there is a zero in the proof");
    cJSON *proof = cJSON_ParseWithOpts(text, NULL, true);
    const char *kind = text_of(proof, "proof");
    bool ok = false;
    if (!cJSON_IsObject(proof) || kind == NULL)
        refuse(verdict, "this is no proof: not a JSON object with a member \"proof\"");
    else if (strcmp(kind, "settle/inclusion/v1") == 0)
        ok = inclusion_check(proof, key, anchors, verdict);
    else if (strcmp(kind, "settle/consistency/v1") == 0)
        ok = consistency_check(proof, key, anchors, verdict);
    else
        refuse(verdict, "a kind of proof that this program does not know");
    cJSON_Delete(proof);
    return ok;
}

/* ---- The program ------------------------------------------------------------------------------------------------- */

static const char usage_text[] =
    "usage: settle-check-proof --public-key FILE PROOF.json [--seal FILE]...\n"
    "       settle-check-proof --help | --version\n"
    "Checks a proof by settlectl prove. Exit status 0: proved, 1: not proved, 2: it could not be checked.\n";

static int usage(void)
{
    fputs(usage_text, stderr);
    return 2;
}

/* An answer that was asked for: on standard output. */
static int tell(const char *text)
{
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : 2;
}

/* All of a file, terminated, malloc'd; NULL with a message. */
static char *file_read(const char *path, size_t *ret_bytes)
{
    char *text = malloc(FILE_MAX + 2);
    FILE *file = text == NULL ? NULL : strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    size_t bytes = file != NULL ? fread(text, 1, FILE_MAX + 1, file) : 0;
    bool good = file != NULL && ferror(file) == 0 && bytes <= FILE_MAX;
    if (file != NULL && file != stdin)
        (void)fclose(file);
    if (!good) {
        fprintf(stderr, "settle-check-proof: cannot read %s, or it has more than %zu bytes\n", path, FILE_MAX);
        free(text);
        return NULL;
    }
    text[bytes] = '\0';
    *ret_bytes = bytes;
    return text;
}

/* OpenSSL would otherwise ask on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static EVP_PKEY *key_read(const char *path)
{
    size_t bytes = 0;
    char *text = file_read(path, &bytes);
    if (text == NULL)
        return NULL;
    BIO *bio = BIO_new_mem_buf(text, (int)bytes);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    free(text);
    if (key == NULL || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        fprintf(stderr, "settle-check-proof: %s is no Ed25519 public key in PEM\n", path);
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static int run(const char *key_path, const char *proof_path, const char *const seal_paths[SEALS_MAX])
{
    struct verdict verdict = {""};
    char *seals[SEALS_MAX] = {NULL}, *text = NULL;
    size_t bytes = 0;
    int status = 2;
    EVP_PKEY *key = key_read(key_path);
    bool is_ready = key != NULL && (text = file_read(proof_path, &bytes)) != NULL;
    for (size_t i = 0, ignored; is_ready && i < SEALS_MAX && seal_paths[i] != NULL; i++)
        is_ready = (seals[i] = file_read(seal_paths[i], &ignored)) != NULL;
    if (is_ready) {
        const char *const anchors[SEALS_MAX] = {seals[0], seals[1]};
        bool ok = proof_check(text, bytes, key, anchors, &verdict);
        fprintf(ok ? stdout : stderr, ok ? "%s\n" : "settle-check-proof: NOT proved: %s\n", verdict.text);
        status = ok ? fflush(stdout) == 0 ? 0 : 2 : 1;
    }
    for (size_t i = 0; i < SEALS_MAX; i++)
        free(seals[i]);
    free(text);
    EVP_PKEY_free(key);
    return status;
}

int main(int argc, char **argv)
{
    const char *key_path = NULL, *proof_path = NULL, *seal_paths[SEALS_MAX] = {NULL};
    size_t seal_count = 0;
    /* A proof tells balances: a crash leaves no copy of them. Where the system refuses, the check is as good. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return tell(usage_text);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return tell("settle-check-proof " CHECK_PROOF_VERSION "\n");
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--public-key") == 0 && has_value && key_path == NULL)
            key_path = argv[++i];
        else if (strcmp(argv[i], "--seal") == 0 && has_value && seal_count < SEALS_MAX)
            seal_paths[seal_count++] = argv[++i];
        else if ((argv[i][0] != '-' || argv[i][1] == '\0') && proof_path == NULL)
            proof_path = argv[i];
        else
            return usage();
    }
    return key_path != NULL && proof_path != NULL ? run(key_path, proof_path, seal_paths) : usage();
}
