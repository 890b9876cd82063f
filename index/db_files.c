/* SPDX-License-Identifier: Apache-2.0 */
#include "index/db_files.h"

#include "index/db.h"
#include "proto/alloc.h"
#include "proto/fail.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory: SQLite's comes from where ours does ---- */

/* SQLite asks for the size of what it has, so it stands in front. */
union block {
    size_t size;
    max_align_t align;
};

static void *take(int size)
{
    union block *block = hl_alloc(sizeof *block + (size_t)size);

    if (!block)
        return NULL;
    block->size = (size_t)size;
    return block + 1;
}

static void give(void *memory)
{
    if (memory)
        hl_free((union block *)memory - 1);
}

static void *retake(void *memory, int size)
{
    union block *block =
        hl_realloc((union block *)memory - 1, sizeof *block + (size_t)size);

    if (!block)
        return NULL;
    block->size = (size_t)size;
    return block + 1;
}

static int size_of(void *memory)
{
    return memory ? (int)((union block *)memory - 1)->size : 0;
}

static int round_up(int size)
{
    return (size + 7) & ~7;
}

static int start_memory(void *self)
{
    (void)self;
    return SQLITE_OK;
}

static void stop_memory(void *self)
{
    (void)self;
}

/* ---- files: the default ones, which also pass our failpoints ---- */

/* Behind each of SQLite's own file objects: its methods, and a copy with some of ours. */
struct passage {
    const sqlite3_io_methods *theirs;
    sqlite3_io_methods ours;
};

static sqlite3_vfs *shipped_files(void)
{
    return sqlite3_vfs_find("unix");
}

static size_t passage_offset(const sqlite3_vfs *shipped)
{
    const size_t align = _Alignof(struct passage);

    return ((size_t)shipped->szOsFile + align - 1) / align * align;
}

static const struct passage *passage_of(const sqlite3_file *file)
{
    /* pMethods points to `ours`, wherever in the object that is. */
    return (const struct passage *)(const void *)((const char *)file->pMethods -
                                                  offsetof(struct passage, ours));
}

static bool refused(enum hl_failpoint point)
{
    if (!hl_failpoint_hit(point))
        return false;
    errno = EIO;
    return true;
}

static int read_passing(sqlite3_file *file, void *bytes, int n, sqlite3_int64 offset)
{
    if (refused(HL_FAIL_FILE_READ))
        return SQLITE_IOERR_READ;
    return passage_of(file)->theirs->xRead(file, bytes, n, offset);
}

static int write_passing(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    if (refused(HL_FAIL_FILE_WRITE))
        return SQLITE_FULL;
    return passage_of(file)->theirs->xWrite(file, bytes, n, offset);
}

static int truncate_passing(sqlite3_file *file, sqlite3_int64 size)
{
    if (refused(HL_FAIL_FILE_WRITE))
        return SQLITE_IOERR_TRUNCATE;
    return passage_of(file)->theirs->xTruncate(file, size);
}

static int sync_passing(sqlite3_file *file, int flags)
{
    if (refused(HL_FAIL_FILE_SYNC))
        return SQLITE_IOERR_FSYNC;
    return passage_of(file)->theirs->xSync(file, flags);
}

static int open_passing(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                        int *ret_flags)
{
    sqlite3_vfs *shipped = shipped_files();
    struct passage *passage =
        (struct passage *)(void *)((char *)file + passage_offset(shipped));
    int rc;

    (void)vfs;
    file->pMethods = NULL;
    if (refused(HL_FAIL_FILE_OPEN))
        return SQLITE_CANTOPEN;
    rc = shipped->xOpen(shipped, name, file, flags, ret_flags);
    if (rc != SQLITE_OK || !file->pMethods)
        return rc;
    passage->theirs = file->pMethods;
    passage->ours = *passage->theirs;
    passage->ours.xRead = read_passing;
    passage->ours.xWrite = write_passing;
    passage->ours.xTruncate = truncate_passing;
    passage->ours.xSync = sync_passing;
    file->pMethods = &passage->ours;
    return SQLITE_OK;
}

/* SQLite keeps its memory functions and its list of file systems in the process, hence the
 * mutable statics. A start that found no memory is tried again by the next. */
enum hl_code hl_db_start(struct hl_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below */
    static sqlite3_vfs files;
    static bool is_started;
    static const sqlite3_mem_methods memory = {take,     give,         retake,      size_of,
                                               round_up, start_memory, stop_memory, NULL};
    int rc = SQLITE_OK;

    pthread_mutex_lock(&lock);
    if (!is_started) {
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
        /* Nobody asks how much it holds, and counting takes a lock for every allocation. */
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        rc = sqlite3_initialize();
        if (rc == SQLITE_OK) {
            files = *shipped_files();
            files.szOsFile =
                (int)(passage_offset(shipped_files()) + sizeof(struct passage));
            files.zName = HL_DB_FILES;
            files.xOpen = open_passing;
            files.pNext = NULL;
            rc = sqlite3_vfs_register(&files, 0);
        }
        is_started = rc == SQLITE_OK;
    }
    pthread_mutex_unlock(&lock);
    return rc == SQLITE_OK ? HL_OK
                           : hl_fail(err, HL_NO_MEMORY, "could not start SQLite: %s",
                                     sqlite3_errstr(rc));
}

const char *hl_db_version(void)
{
    return sqlite3_libversion();
}
