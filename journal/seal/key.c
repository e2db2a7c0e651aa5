/*
 * key.c — see key.h. The one file that handles private key bytes: in a buffer of its own and in OpenSSL's, each
 * overwritten before it is given back. Never prompts: an encrypted key is refused.
 */
#include "journal/seal/key.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "journal/base/file.h"
#include "journal/base/place.h"

#define KEY_FILE_BYTES_MAX 16384

void key_deinit(struct seal_key *key)
{
    EVP_PKEY_free(key->pkey); /* overwrites the private half */
    *key = (struct seal_key){.pkey = NULL};
}

/* OpenSSL would otherwise ask on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

/* Takes `pkey` over, NULL included. */
static settle_status key_of(EVP_PKEY *pkey, const char *path, const char *what, struct seal_key *ret_key,
                            settle_error *error)
{
    struct seal_key key = {.pkey = pkey};
    size_t count = sizeof key.public_bytes;
    ERR_clear_error(); /* told by us; nobody else is to find it in OpenSSL's queue */
    if (pkey == NULL || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(pkey, key.public_bytes, &count) != 1 || count != sizeof key.public_bytes) {
        EVP_PKEY_free(pkey);
        return fail_at(error, SETTLE_E_INVALID, path, 0, 0, "not an Ed25519 %s", what);
    }
    *ret_key = key;
    return SETTLE_OK;
}

settle_status key_read_private(const char *path, int data_fd, struct seal_key *ret_key, settle_error *error)
{
    uint8_t bytes[KEY_FILE_BYTES_MAX];
    size_t count = 0;
    settle_status status = place_read_secret(path, data_fd, bytes, sizeof bytes, &count, error);
    if (status == SETTLE_OK) {
        BIO *bio = BIO_new_mem_buf(bytes, (int)count);
        EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
        BIO_free(bio);
        status = key_of(pkey, path, "private key (PEM, PKCS #8, not encrypted)", ret_key, error);
    }
    OPENSSL_cleanse(bytes, sizeof bytes);
    return status;
}

settle_status key_read_public(const char *path, struct seal_key *ret_key, settle_error *error)
{
    uint8_t bytes[KEY_FILE_BYTES_MAX];
    size_t count = 0;
    settle_status status = place_read(path, bytes, sizeof bytes, &count, error);
    if (status != SETTLE_OK)
        return status;
    BIO *bio = BIO_new_mem_buf(bytes, (int)count);
    EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return key_of(pkey, path, "public key (PEM)", ret_key, error);
}

/* ---- Making one -------------------------------------------------------------------------------------------------- */

/* Creates and writes one file, synced; its entry in the directory is not yet. */
static settle_status key_file_write(int dir_fd, const char *name, unsigned permissions, BIO *bio, settle_error *error)
{
    char *bytes = NULL;
    long count = BIO_get_mem_data(bio, &bytes);
    int fd = -1;
    assert(count > 0);
    settle_status status = file_open_shared_at(dir_fd, name, FILE_CREATE, permissions, &fd, error);
    if (status != SETTLE_OK)
        return status;
    status = file_write(fd, name, 0, bytes, (size_t)count, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, name, error);
    file_close(fd);
    if (status != SETTLE_OK)
        (void)file_remove_at(dir_fd, name, NULL);
    return status;
}

static settle_status key_files_write(int dir_fd, const char *name, const char *public_name, settle_error *error)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *private_bio = BIO_new(BIO_s_secmem()), *public_bio = BIO_new(BIO_s_mem());
    settle_status status = SETTLE_OK;
    if (pkey == NULL || private_bio == NULL || public_bio == NULL ||
        PEM_write_bio_PKCS8PrivateKey(private_bio, pkey, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_PUBKEY(public_bio, pkey) != 1)
        status = fail(error, SETTLE_E_NO_MEMORY, "OpenSSL could not make an Ed25519 key");
    if (status == SETTLE_OK)
        status = key_file_write(dir_fd, name, 0600, private_bio, error);
    if (status == SETTLE_OK) {
        status = key_file_write(dir_fd, public_name, 0644, public_bio, error);
        if (status != SETTLE_OK) /* half a pair is none, and would be in the way the next time */
            (void)file_remove_at(dir_fd, name, NULL);
    }
    if (status == SETTLE_OK)
        status = dir_sync(dir_fd, name, error);
    ERR_clear_error();
    BIO_free(private_bio); /* overwritten: it is OpenSSL's secure kind */
    BIO_free(public_bio);
    EVP_PKEY_free(pkey);
    return status;
}

settle_status key_create(const char *path, int data_fd, settle_error *error)
{
    char name[PLACE_NAME_BYTES], public_name[PLACE_NAME_BYTES + sizeof ".pub"];
    int dir_fd = -1;
    bool is_inside = false;
    settle_status status = place_open_parent(path, &dir_fd, name, error);
    if (status != SETTLE_OK)
        return status;
    snprintf(public_name, sizeof public_name, "%s.pub", name);
    if (data_fd >= 0)
        status = place_is_inside(dir_fd, data_fd, &is_inside, error);
    if (status == SETTLE_OK && is_inside)
        status = fail_at(error, SETTLE_E_INVALID, path, 0, 0,
                         "a private key does not belong inside the data directory: whoever copies the data has it too");
    if (status == SETTLE_OK && (file_exists_at(dir_fd, name) || file_exists_at(dir_fd, public_name)))
        status = fail_at(error, SETTLE_E_EXISTS, path, 0, 0, "%.100s or %.100s exists already and is not overwritten",
                         name, public_name);
    if (status == SETTLE_OK)
        status = key_files_write(dir_fd, name, public_name, error);
    file_close(dir_fd);
    return status;
}

/* ---- Using one --------------------------------------------------------------------------------------------------- */

bool key_sign(const struct seal_key *key, const void *bytes, size_t count, uint8_t ret_signature[KEY_SIGNATURE_BYTES])
{
    size_t signature_bytes = KEY_SIGNATURE_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
              EVP_DigestSign(context, ret_signature, &signature_bytes, bytes, count) == 1;
    assert(!ok || signature_bytes == KEY_SIGNATURE_BYTES);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

bool key_verify(const struct seal_key *key, const void *bytes, size_t count,
                const uint8_t signature[KEY_SIGNATURE_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1 &&
              EVP_DigestVerify(context, signature, KEY_SIGNATURE_BYTES, bytes, count) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}
