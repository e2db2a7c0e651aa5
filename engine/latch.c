/* latch.c — what stops an engine for good, and what it has to say on the way. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "journal/base/status.h"

settle_status engine_latch(settle *engine, const settle_error *cause)
{
    assert(cause->status != SETTLE_OK);
    if (engine->latch.status == SETTLE_OK) {
        engine->latch = *cause;
        engine->latch_is_untold = true; /* the mutex is held: engine_tell_latch() is for later */
    }
    pthread_cond_broadcast(&engine->progress);
    pthread_cond_signal(&engine->commit_wanted);
    pthread_cond_signal(&engine->checkpoint_wanted);
    return SETTLE_E_LATCHED;
}

void engine_tell_latch(settle *engine)
{
    if (!engine->latch_is_untold)
        return;
    settle_error latch = engine->latch;
    engine->latch_is_untold = false;
    pthread_mutex_unlock(&engine->mutex);
    engine_log(engine, SETTLE_LOG_ERROR, "the engine has stopped: %s", latch.text);
    pthread_mutex_lock(&engine->mutex);
}

settle_status engine_check(const settle *engine, settle_error *error)
{
    if (engine->latch.status == SETTLE_OK)
        return SETTLE_OK;
    if (error != NULL) {
        *error = engine->latch;
        error->status = SETTLE_E_LATCHED;
    }
    return SETTLE_E_LATCHED;
}

settle_status thread_failed(settle_error *error, int result, const char *what)
{
    settle_status status = fail_errno(error, result, NULL, what);
    if (result != EAGAIN)
        return status;
    if (error != NULL)
        error->status = SETTLE_E_NO_MEMORY;
    return SETTLE_E_NO_MEMORY;
}

void engine_log(const settle *engine, settle_log_level level, const char *format, ...)
{
    if (engine->options.log == NULL)
        return;
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    engine->options.log(engine->options.context, level, message);
}
