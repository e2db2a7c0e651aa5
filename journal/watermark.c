/* watermark.c — u64 position, u64 its complement, u64 whether its writer appends (1) or still recovers (0). */
#include "journal/watermark.h"

#include "journal/base/bytes.h"

#define WATERMARK_FILE "journal/" WATERMARK_NAME

settle_status watermark_write(int fd, uint64_t position, bool is_appending, settle_error *error)
{
    uint8_t bytes[WATERMARK_BYTES];
    put_u64(bytes, position);
    put_u64(bytes + 8, ~position);
    put_u64(bytes + 16, is_appending ? 1 : 0);
    return file_write(fd, WATERMARK_FILE, 0, bytes, sizeof bytes, error);
}

settle_status watermark_read(int journal_fd, struct watermark *ret_watermark, settle_error *error)
{
    *ret_watermark = (struct watermark){.is_known = false};
    int fd = -1;
    settle_error fault = {.status = SETTLE_OK};
    settle_status status = file_open_at(journal_fd, WATERMARK_NAME, FILE_READ, &fd, &fault);
    if (status == SETTLE_E_NOT_FOUND)
        return SETTLE_OK;
    if (status != SETTLE_OK && error != NULL)
        *error = fault;
    if (status != SETTLE_OK)
        return fail_in(error, status, "journal");
    /* A reader may catch the halves of different writes: look again. */
    for (int attempt = 0; attempt < 100 && status == SETTLE_OK; attempt++) {
        uint8_t bytes[WATERMARK_BYTES];
        status = file_read_zeros(fd, WATERMARK_FILE, 0, bytes, sizeof bytes, error);
        if (status == SETTLE_OK && get_u64(bytes) == ~get_u64(bytes + 8) && get_u64(bytes + 16) <= 1) {
            *ret_watermark = (struct watermark){true, get_u64(bytes), get_u64(bytes + 16) == 1};
            break;
        }
    }
    file_close(fd);
    return status;
}

settle_status watermark_pause(int data_fd, struct watermark *ret_before, settle_error *error)
{
    int journal_fd = -1, fd = -1;
    settle_status status = dir_open_at(data_fd, "journal", true, &journal_fd, error);
    if (status == SETTLE_OK)
        status = watermark_read(journal_fd, ret_before, error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, WATERMARK_NAME, FILE_CREATE_OR_WRITE, &fd, error);
    if (status == SETTLE_OK)
        status = watermark_write(fd, ret_before->position, false, error);
    file_close(fd);
    file_close(journal_fd);
    return fail_in(error, status, "journal");
}

settle_status watermark_lower(int data_fd, uint64_t position, settle_error *error)
{
    int journal_fd = -1, fd = -1;
    settle_status status = dir_open_at(data_fd, "journal", false, &journal_fd, error);
    if (status == SETTLE_OK)
        status = file_open_at(journal_fd, WATERMARK_NAME, FILE_WRITE, &fd, error);
    if (status == SETTLE_OK)
        status = watermark_write(fd, position, false, error);
    if (status == SETTLE_OK)
        status = file_sync_data(fd, WATERMARK_FILE, error);
    file_close(fd);
    file_close(journal_fd);
    return fail_in(error, status, "journal");
}
