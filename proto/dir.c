/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/dir.h"

#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 8 };

static bool refused(enum hl_failpoint point)
{
    if (!hl_failpoint_hit(point))
        return false;
    errno = EIO;
    return true;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static const struct dirent *next_entry(DIR *dir)
{
    const struct dirent *entry;

    errno = 0;
    do
        /* One thread walks a stream of its own, which readdir allows. */
        entry = readdir(dir); /* NOLINT(concurrency-mt-unsafe) */
    while (entry && is_dots(entry->d_name));
    return entry;
}

enum hl_code hl_dir_walk(const char *path, hl_dir_entry_fn *each, void *self,
                         struct hl_err *err)
{
    DIR *dir = refused(HL_FAIL_FILE_OPEN) ? NULL : opendir(path);
    const struct dirent *entry;
    enum hl_code code = HL_OK;

    if (!dir && errno == ENOENT)
        return hl_fail(err, HL_NOT_FOUND, "there is no folder \"%s\"", path);
    if (!dir)
        return hl_fail_errno(err, errno, "could not open folder \"%s\"", path);
    while ((entry = next_entry(dir)) != NULL && each(self, entry->d_name))
        continue;
    if (!entry && errno != 0)
        code = hl_fail_errno(err, errno, "could not read folder \"%s\"", path);
    (void)closedir(dir);
    return code;
}

static bool count_entry(void *self, const char *name)
{
    (void)name;
    (*(size_t *)self)++;
    return true;
}

enum hl_code hl_dir_count(const char *path, size_t *ret_n, struct hl_err *err)
{
    size_t n = 0;
    enum hl_code code = hl_dir_walk(path, count_entry, &n, err);

    if (code == HL_OK)
        *ret_n = n;
    return code;
}

enum hl_code hl_file_remove(const char *path, struct hl_err *err)
{
    if (refused(HL_FAIL_FILE_RENAME) || (unlink(path) != 0 && errno != ENOENT))
        return hl_fail_errno(err, errno, "could not remove \"%s\"", path);
    return HL_OK;
}

/* The folders open now, from the one to be removed to the deepest. */
struct descent {
    DIR *dirs[MAX_DEPTH];
    char names[MAX_DEPTH][NAME_MAX + 1];
    int depth;
};

static bool descend(struct descent *at, int folder, const char *name)
{
    const size_t size = strlen(name) + 1;
    int fd;

    if (at->depth == MAX_DEPTH || (at->depth > 0 && size > sizeof at->names[0])) {
        errno = ELOOP;
        return false;
    }
    fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    at->dirs[at->depth] = fdopendir(fd);
    if (!at->dirs[at->depth]) {
        (void)close(fd);
        return false;
    }
    if (at->depth > 0) /* the first is known by its whole path */
        memcpy(at->names[at->depth], name, size);
    at->depth++;
    return true;
}

/* One entry less, or one folder deeper, or one back up. */
static bool step(struct descent *at)
{
    DIR *dir = at->dirs[at->depth - 1];
    const struct dirent *entry = next_entry(dir);

    if (!entry) {
        if (errno != 0)
            return false;
        (void)closedir(dir);
        at->depth--;
        return at->depth == 0 || unlinkat(dirfd(at->dirs[at->depth - 1]),
                                          at->names[at->depth], AT_REMOVEDIR) == 0;
    }
    if (unlinkat(dirfd(dir), entry->d_name, 0) == 0)
        return true;
    return errno == EISDIR && descend(at, dirfd(dir), entry->d_name);
}

enum hl_code hl_dir_remove(const char *path, struct hl_err *err)
{
    struct descent at = {0};
    bool is_going = !refused(HL_FAIL_FILE_RENAME) && descend(&at, AT_FDCWD, path);
    enum hl_code code = HL_OK;

    if (!is_going && errno == ENOENT)
        return HL_OK;
    while (is_going && at.depth > 0)
        is_going = step(&at);
    if (!is_going || rmdir(path) != 0)
        code = hl_fail_errno(err, errno, "could not remove folder \"%s\"", path);
    while (at.depth > 0)
        (void)closedir(at.dirs[--at.depth]);
    return code;
}

enum hl_code hl_file_move(const char *from, const char *to, struct hl_err *err)
{
    if (refused(HL_FAIL_FILE_RENAME) || rename(from, to) != 0)
        return hl_fail_errno(err, errno, "could not rename \"%s\" to \"%s\"", from, to);
    return hl_dir_sync_above(to, err);
}

enum hl_code hl_dir_sync_above(const char *path, struct hl_err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    enum hl_code code;

    if (!slash)
        return hl_dir_sync(".", err);
    folder = hl_strdup(path);
    if (!folder)
        return hl_fail(err, HL_NO_MEMORY, "no memory to sync the folder of \"%s\"", path);
    folder[slash == path ? 1 : slash - path] = '\0';
    code = hl_dir_sync(folder, err);
    hl_free(folder);
    return code;
}

size_t hl_dir_glance(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}
