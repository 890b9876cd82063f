/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/file.h"

#include "proto/alloc.h"
#include "proto/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much of a file that will be synced may lie in memory alone. A sync of hundreds of
 * megabytes keeps the disk from everybody else's, which commits wait for. */
enum { PACE_BYTES = 8 << 20 };

struct hl_file {
    int fd;
    char *path;
    bool is_paced;
    uint64_t n_written, n_begun; /* bytes; the disk was told to begin with the second */
};

/* An armed failpoint looks to the caller like the disk's own refusal. */
static bool refused(enum hl_failpoint point)
{
    if (!hl_failpoint_hit(point))
        return false;
    errno = point == HL_FAIL_FILE_WRITE ? ENOSPC : EIO;
    return true;
}

static int open_retrying(const char *path, int flags)
{
    int fd;

    if (refused(HL_FAIL_FILE_OPEN))
        return -1;
    do
        /* Non-blocking, so that opening a pipe by mistake is an error and not a wait. */
        fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0640);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static enum hl_code fail_to_open(const char *path, struct hl_err *err)
{
    if (errno == ENOENT)
        return hl_fail(err, HL_NOT_FOUND, "could not open \"%s\": it does not exist", path);
    if (errno == EEXIST)
        return hl_fail(err, HL_EXISTS, "could not make \"%s\": it exists", path);
    return hl_fail_errno(err, errno, "could not open \"%s\"", path);
}

static enum hl_code check_regular(int fd, const char *path, struct hl_err *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return hl_fail_errno(err, errno, "could not open \"%s\"", path);
    if (!S_ISREG(info.st_mode))
        return hl_fail(err, HL_IO, "cannot open \"%s\": it is not a regular file", path);
    return HL_OK;
}

static int flags_of(enum hl_file_mode mode)
{
    switch (mode) {
    case HL_FILE_CREATE:
        return O_WRONLY | O_CREAT | O_EXCL;
    case HL_FILE_APPEND:
        return O_WRONLY | O_CREAT | O_APPEND;
    case HL_FILE_READ:
    default:
        return O_RDONLY;
    }
}

enum hl_code hl_file_open(const char *path, enum hl_file_mode mode,
                          struct hl_file **ret_file, struct hl_err *err)
{
    struct hl_file *file = hl_alloc_zeroed(1, sizeof *file);
    enum hl_code code = HL_OK;

    if (!file)
        return hl_fail(err, HL_NO_MEMORY, "no memory to open \"%s\"", path);
    file->fd = -1;
    file->path = hl_strdup(path);
    if (!file->path) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to open \"%s\"", path);
        goto out;
    }
    file->fd = open_retrying(path, flags_of(mode));
    code = file->fd < 0 ? fail_to_open(path, err) : check_regular(file->fd, path, err);
    if (code != HL_OK)
        goto out;
    *ret_file = file;
    file = NULL;
out:
    hl_file_close(file);
    return code;
}

void hl_file_close(struct hl_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        (void)close(file->fd);
    hl_free(file->path);
    hl_free(file);
}

const char *hl_file_path(const struct hl_file *file)
{
    return file->path;
}

enum hl_code hl_file_size(const struct hl_file *file, uint64_t *ret_size,
                          struct hl_err *err)
{
    struct stat info;

    if (fstat(file->fd, &info) != 0)
        return hl_fail_errno(err, errno, "could not tell the size of \"%s\"", file->path);
    *ret_size = (uint64_t)info.st_size;
    return HL_OK;
}

enum hl_code hl_file_read_at(const struct hl_file *file, void *bytes, size_t size,
                             uint64_t offset, size_t *ret_n_read, struct hl_err *err)
{
    size_t n_read = 0;

    if (size > INT64_MAX || offset > INT64_MAX - (uint64_t)size)
        return hl_fail(err, HL_IO, "could not read \"%s\": offset %llu is out of range",
                       file->path, (unsigned long long)offset);
    while (n_read < size) {
        size_t wanted = size - n_read;
        ssize_t got;

        /* A short read is what the kernel may always do; asked for, it does. */
        if (wanted > 1 && hl_failpoint_hit(HL_FAIL_FILE_SHORT))
            wanted = 1;
        got = refused(HL_FAIL_FILE_READ) ? -1
                                         : pread(file->fd, (char *)bytes + n_read, wanted,
                                                 (off_t)(offset + n_read));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return hl_fail_errno(err, errno, "could not read \"%s\"", file->path);
        if (got == 0)
            break;
        n_read += (size_t)got;
    }
    *ret_n_read = n_read;
    return HL_OK;
}

enum hl_code hl_file_map(const struct hl_file *file, void **ret_bytes, size_t *ret_size,
                         struct hl_err *err)
{
    uint64_t size;
    void *bytes;
    enum hl_code code = hl_file_size(file, &size, err);

    if (code != HL_OK)
        return code;
    if (size == 0)
        return hl_fail(err, HL_BAD_FILE, "\"%s\" is empty", file->path);
    bytes = refused(HL_FAIL_FILE_MAP)
                ? MAP_FAILED
                : mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (bytes == MAP_FAILED)
        return hl_fail_errno(err, errno, "could not map \"%s\"", file->path);
    *ret_bytes = bytes;
    *ret_size = (size_t)size;
    return HL_OK;
}

void hl_file_unmap(void *bytes, size_t size)
{
    if (bytes)
        (void)munmap(bytes, size);
}

/* That nobody takes advice is no fault; that the disk fails is. */
static bool advise(int fd, off_t from, off_t n, unsigned flags)
{
    return sync_file_range(fd, from, n, flags) == 0 || (errno != EIO && errno != ENOSPC);
}

/* The disk begins with the newest piece, behind the end of those before. */
static enum hl_code keep_pace(struct hl_file *file, struct hl_err *err)
{
    const off_t begun = (off_t)file->n_begun, n = (off_t)file->n_written - begun;
    if (!file->is_paced || n < PACE_BYTES)
        return HL_OK;
    /* What the disk refuses is told here alone. A length of 0 would mean the whole file. */
    if (refused(HL_FAIL_FILE_SYNC) ||
        (begun > 0 && !advise(file->fd, 0, begun, SYNC_FILE_RANGE_WAIT_BEFORE)) ||
        !advise(file->fd, begun, n, SYNC_FILE_RANGE_WRITE))
        return hl_fail_errno(err, errno, "could not write \"%s\"", file->path);
    file->n_begun = file->n_written;
    return HL_OK;
}

/* `offset` -1: behind what was written. */
static enum hl_code write_some(struct hl_file *file, const void *bytes, size_t wanted,
                               int64_t offset, size_t *ret_n, struct hl_err *err)
{
    ssize_t done;

    if (file->is_paced && wanted > PACE_BYTES)
        wanted = PACE_BYTES;
    if (wanted > 1 && hl_failpoint_hit(HL_FAIL_FILE_SHORT))
        wanted = 1;
    do
        done = refused(HL_FAIL_FILE_WRITE) ? -1
               : offset < 0                ? write(file->fd, bytes, wanted)
                                           : pwrite(file->fd, bytes, wanted, offset);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return hl_fail_errno(err, errno, "could not write \"%s\"", file->path);
    *ret_n = (size_t)done;
    return HL_OK;
}

static enum hl_code write_all(struct hl_file *file, const void *bytes, size_t size,
                              int64_t offset, struct hl_err *err)
{
    size_t n_written = 0, n = 0;
    enum hl_code code = HL_OK;

    for (; code == HL_OK && n_written < size; n_written += n) {
        code = write_some(file, (const char *)bytes + n_written, size - n_written,
                          offset < 0 ? offset : offset + (int64_t)n_written, &n, err);
        if (code != HL_OK || offset >= 0)
            continue;
        file->n_written += n;
        code = keep_pace(file, err);
    }
    return code;
}

enum hl_code hl_file_write(struct hl_file *file, const void *bytes, size_t size,
                           struct hl_err *err)
{
    return write_all(file, bytes, size, -1, err);
}

enum hl_code hl_file_rewrite(struct hl_file *file, const void *bytes, size_t size,
                             uint64_t offset, struct hl_err *err)
{
    return write_all(file, bytes, size, (int64_t)offset, err);
}

enum hl_code hl_file_sync(struct hl_file *file, struct hl_err *err)
{
    /* Not retried: after a failed sync the kernel may have dropped the pages it could not
     * write, and a second sync would succeed without them. */
    if (refused(HL_FAIL_FILE_SYNC) || fsync(file->fd) != 0)
        return hl_fail_errno(err, errno, "could not sync \"%s\"", file->path);
    return HL_OK;
}

enum hl_code hl_file_load(const char *path, struct hl_buf *buf, struct hl_err *err)
{
    struct hl_file *file;
    uint64_t size;
    size_t n_read = 0;
    char *room;
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &file, err);

    if (code != HL_OK)
        return code;
    code = hl_file_size(file, &size, err);
    if (code != HL_OK)
        goto out;
    room = hl_buf_reserve(buf, size <= buf->ceiling ? (size_t)size : SIZE_MAX);
    if (!room) {
        code = hl_buf_check(buf, "it", err);
        hl_fail_in(err, "could not load \"%s\"", path);
        goto out;
    }
    code = hl_file_read_at(file, room, (size_t)size, 0, &n_read, err);
    if (code != HL_OK)
        goto out;
    buf->len += n_read;
    buf->data[buf->len] = '\0';
out:
    hl_file_close(file);
    return code;
}

struct hl_replacement {
    char *path;
    char *aside;
    char *folder; /* made ahead: nothing but the disk may fail after the rename */
    struct hl_file *file;
};

static void free_replacement(struct hl_replacement *replacement)
{
    if (!replacement)
        return;
    hl_file_close(replacement->file);
    hl_free(replacement->path);
    hl_free(replacement->aside);
    hl_free(replacement->folder);
    hl_free(replacement);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    char *folder = hl_strdup(slash ? path : ".");

    if (folder && slash)
        folder[len ? len : 1] = '\0';
    return folder;
}

static enum hl_code open_aside(struct hl_replacement *replacement, const char *path,
                               struct hl_err *err)
{
    size_t size = strlen(path) + sizeof ".new";
    enum hl_code code;

    replacement->path = hl_strdup(path);
    replacement->aside = hl_alloc(size);
    replacement->folder = folder_of(path);
    if (!replacement->path || !replacement->aside || !replacement->folder)
        return hl_fail(err, HL_NO_MEMORY, "no memory to write \"%s\"", path);
    snprintf(replacement->aside, size, "%s.new", path);
    /* One left by a crash is of no use to anybody. */
    if (unlink(replacement->aside) != 0 && errno != ENOENT)
        return hl_fail_errno(err, errno, "could not remove \"%s\"", replacement->aside);
    code = hl_file_open(replacement->aside, HL_FILE_CREATE, &replacement->file, err);
    if (code == HL_OK)
        replacement->file->is_paced = true;
    return code;
}

enum hl_code hl_replacement_open(const char *path, struct hl_replacement **ret_replacement,
                                 struct hl_err *err)
{
    struct hl_replacement *replacement = hl_alloc_zeroed(1, sizeof *replacement);
    enum hl_code code;

    if (!replacement)
        return hl_fail(err, HL_NO_MEMORY, "no memory to write \"%s\"", path);
    code = open_aside(replacement, path, err);
    if (code != HL_OK) {
        free_replacement(replacement);
        return code;
    }
    *ret_replacement = replacement;
    return HL_OK;
}

struct hl_file *hl_replacement_file(struct hl_replacement *replacement)
{
    return replacement->file;
}

enum hl_code hl_replacement_commit(struct hl_replacement *replacement, struct hl_err *err)
{
    enum hl_code code = hl_file_sync(replacement->file, err);

    if (code == HL_OK && (refused(HL_FAIL_FILE_RENAME) ||
                          rename(replacement->aside, replacement->path) != 0))
        code = hl_fail_errno(err, errno, "could not rename \"%s\" to \"%s\"",
                             replacement->aside, replacement->path);
    if (code != HL_OK) {
        hl_replacement_abandon(replacement);
        return code;
    }
    code = hl_dir_sync(replacement->folder, err);
    free_replacement(replacement);
    return code;
}

void hl_replacement_abandon(struct hl_replacement *replacement)
{
    if (!replacement)
        return;
    (void)unlink(replacement->aside);
    free_replacement(replacement);
}

enum hl_code hl_dir_make(const char *path, struct hl_err *err)
{
    struct stat info;

    if (mkdir(path, 0750) == 0)
        return HL_OK;
    if (errno != EEXIST)
        return hl_fail_errno(err, errno, "could not make folder \"%s\"", path);
    if (stat(path, &info) != 0)
        return hl_fail_errno(err, errno, "could not look at \"%s\"", path);
    if (!S_ISDIR(info.st_mode))
        return hl_fail(err, HL_IO, "cannot use \"%s\": it is not a folder", path);
    return HL_OK;
}

enum hl_code hl_dir_sync(const char *path, struct hl_err *err)
{
    int fd = open_retrying(path, O_RDONLY | O_DIRECTORY);
    enum hl_code code = HL_OK;

    if (fd < 0)
        return hl_fail_errno(err, errno, "could not open folder \"%s\"", path);
    if (refused(HL_FAIL_FILE_SYNC) || fsync(fd) != 0)
        code = hl_fail_errno(err, errno, "could not sync folder \"%s\"", path);
    (void)close(fd);
    return code;
}

struct hl_lock {
    int fd;
};

static enum hl_code fail_to_lock(int fd, const char *path, struct hl_err *err)
{
    char holder[32] = "";
    ssize_t len;

    if (errno != EWOULDBLOCK)
        return hl_fail_errno(err, errno, "could not lock \"%s\"", path);
    len = pread(fd, holder, sizeof holder - 1, 0);
    holder[len > 0 ? strcspn(holder, "\n") : 0] = '\0';
    return hl_fail(err, HL_CONFLICT, "could not lock \"%s\": process %s holds it", path,
                   *holder ? holder : "(unknown)");
}

/* The holder's process id, for the sentence another process prints. The lock itself is the
 * kernel's, so a number that could not be written, or is stale, costs no more than that
 * sentence: a full disk does not keep a server from starting. */
static void write_holder(int fd)
{
    char holder[32];
    int len = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());

    if (pwrite(fd, holder, (size_t)len, 0) != len || ftruncate(fd, len) != 0)
        return;
}

enum hl_code hl_lock_open(const char *path, struct hl_lock **ret_lock, struct hl_err *err)
{
    struct hl_lock *lock = hl_alloc(sizeof *lock);
    enum hl_code code;

    if (!lock)
        return hl_fail(err, HL_NO_MEMORY, "no memory to lock \"%s\"", path);
    lock->fd = open_retrying(path, O_RDWR | O_CREAT);
    if (lock->fd < 0)
        code = fail_to_open(path, err);
    else
        code = check_regular(lock->fd, path, err);
    if (code == HL_OK && flock(lock->fd, LOCK_EX | LOCK_NB) != 0)
        code = fail_to_lock(lock->fd, path, err);
    if (code != HL_OK) {
        hl_lock_close(lock);
        return code;
    }
    write_holder(lock->fd);
    *ret_lock = lock;
    return HL_OK;
}

void hl_lock_close(struct hl_lock *lock)
{
    if (!lock)
        return;
    if (lock->fd >= 0)
        (void)close(lock->fd);
    hl_free(lock);
}
