/* watermark.c — the durable watermark: u64 position, u64 its complement. Never synced: it does not outlive its writer. */
#include "journal/watermark.h"

#include "journal/base/bytes.h"

settle_status watermark_write(int fd, uint64_t position, settle_error *error)
{
    uint8_t bytes[WATERMARK_BYTES];
    put_u64(bytes, position);
    put_u64(bytes + 8, ~position);
    return file_write(fd, "journal/" WATERMARK_NAME, 0, bytes, sizeof bytes, error);
}

settle_status watermark_read(int journal_fd, uint64_t *ret_position, settle_error *error)
{
    *ret_position = 0;
    if (!file_exists_at(journal_fd, WATERMARK_NAME))
        return SETTLE_OK;
    int fd = -1;
    settle_status status = file_open_at(journal_fd, WATERMARK_NAME, FILE_READ, &fd, error);
    if (status != SETTLE_OK)
        return status;
    /* A reader may catch the two halves of different writes: look again. */
    for (int attempt = 0; attempt < 100 && status == SETTLE_OK; attempt++) {
        uint8_t bytes[WATERMARK_BYTES];
        status = file_read_zeros(fd, "journal/" WATERMARK_NAME, 0, bytes, sizeof bytes, error);
        if (status == SETTLE_OK && get_u64(bytes) == ~get_u64(bytes + 8)) {
            *ret_position = get_u64(bytes);
            break;
        }
    }
    file_close(fd);
    return status;
}
