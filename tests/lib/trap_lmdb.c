/*
 * trap_lmdb.c — LMDB's functions for trap.h: what our objects call goes through here, what LMDB calls itself is not meant.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <lmdb.h>

#include "tests/lib/trap.h"

#define ANSWER(name, parameters, arguments)                                                                            \
    int name parameters                                                                                                \
    {                                                                                                                  \
        TRAP_REAL(int, name, parameters)                                                                               \
        int error = trap_judge(TRAP_LMDB, #name, TRAP_CALLER);                                                         \
        return error != 0 ? error : real arguments;                                                                    \
    }

ANSWER(mdb_env_create, (MDB_env * *env), (env))
ANSWER(mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode), (env, path, flags, mode))
ANSWER(mdb_env_set_mapsize, (MDB_env * env, size_t bytes), (env, bytes))
ANSWER(mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi count), (env, count))
ANSWER(mdb_env_set_maxreaders, (MDB_env * env, unsigned count), (env, count))
ANSWER(mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t *fd), (env, fd))
ANSWER(mdb_env_info, (MDB_env * env, MDB_envinfo *info), (env, info))
ANSWER(mdb_env_stat, (MDB_env * env, MDB_stat *stat), (env, stat))
ANSWER(mdb_reader_check, (MDB_env * env, int *dead), (env, dead))
ANSWER(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn), (env, parent, flags, txn))
ANSWER(mdb_txn_renew, (MDB_txn * txn), (txn))
ANSWER(mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *dbi), (txn, name, flags, dbi))
ANSWER(mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags),
       (txn, dbi, key, value, flags))
ANSWER(mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **cursor), (txn, dbi, cursor))
ANSWER(mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op operation),
       (cursor, key, value, operation))
ANSWER(mdb_cursor_put, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, unsigned flags), (cursor, key, value, flags))

/* One that fails has ended the transaction all the same. */
int mdb_txn_commit(MDB_txn *txn)
{
    TRAP_REAL(int, mdb_txn_commit, (MDB_txn *))
    int error = trap_judge(TRAP_LMDB, "mdb_txn_commit", TRAP_CALLER);
    if (error == 0)
        return real(txn);
    mdb_txn_abort(txn);
    return error;
}
