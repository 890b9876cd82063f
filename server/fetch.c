/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fetch.h"

#include "proto/file.h"
#include "server/caller.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_S = 30, BASE_SIZE = 320, SHOWN = 200 };

static const char scheme[] = "http://";

struct fetching {
    const struct hl_fetch *fetch;
    struct hl_file *file;
    uint64_t size;
};

/* What goes into the head of a request says nothing else there. */
static bool is_one_word(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

/* `http://HOST:PORT`, and where the path begins. */
static enum hl_code take_apart(const char *url, char base[BASE_SIZE], const char **ret_path,
                               struct hl_err *err)
{
    const char *host = url + sizeof scheme - 1, *end, *port;
    int len;

    if (strncmp(url, "https://", 8) == 0)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "a snapshot is fetched over http:// alone, not over https://: fetch "
                       "it by other means and upload it, or name it as file:///PATH");
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "a snapshot is recovered from file:///PATH or http://HOST/PATH, not "
                       "from \"%.*s\"",
                       SHOWN, url);
    end = host + strcspn(host, "/?#");
    port = memchr(host, ']', (size_t)(end - host));
    port = memchr(port ? port : host, ':', (size_t)(end - (port ? port : host)));
    len = snprintf(base, BASE_SIZE, "%.*s%s", (int)(end - url < SHOWN ? end - url : SHOWN),
                   url, port ? "" : ":80");
    if (end - url > SHOWN || len < 0 || *end != '/' || !is_one_word(url) ||
        strchr(url, '#'))
        return hl_fail(err, HL_INVALID,
                       "\"%.*s\" is no address of a snapshot, it must be "
                       "http://HOST[:PORT]/PATH",
                       SHOWN, url);
    *ret_path = end;
    return HL_OK;
}

static enum hl_code keep_piece(void *self, const void *bytes, size_t n, struct hl_err *err)
{
    struct fetching *fetching = self;
    enum hl_code code = hl_deadline_check(fetching->fetch->deadline, "the recovery", err);

    if (code != HL_OK)
        return code;
    fetching->size += n;
    if (fetching->size > fetching->fetch->max_bytes)
        return hl_fail(err, HL_TOO_LARGE,
                       "it is larger than %" PRIu64 " bytes, the most that is taken",
                       fetching->fetch->max_bytes);
    return hl_file_write(fetching->file, bytes, n, err);
}

static enum hl_code ask(struct fetching *fetching, struct hl_caller *caller,
                        const char *path, struct hl_err *err)
{
    const struct hl_call call = {.method = "GET",
                                 .path = path,
                                 .patience_s = PATIENCE_S,
                                 .take = keep_piece,
                                 .self = fetching};
    struct hl_called called;
    enum hl_code code = hl_caller_ask(caller, &call, &called, err);

    if (code != HL_OK)
        return code;
    /* Its 401 or 404 is none of ours: the caller of ours has named a wrong place. */
    if (hl_called_check(&called, err) != HL_OK)
        err->code = HL_WRONG_INPUT;
    else if (fetching->size == 0)
        return hl_fail(err, HL_WRONG_INPUT, "the server sent nothing");
    return called.status / 100 == 2 ? HL_OK : HL_WRONG_INPUT;
}

static enum hl_code save(const struct hl_fetch *fetch, struct hl_caller *caller,
                         const char *path, struct hl_err *err)
{
    struct fetching fetching = {.fetch = fetch};
    struct hl_replacement *replacement;
    enum hl_code code = hl_replacement_open(fetch->path, &replacement, err);

    if (code != HL_OK)
        return code;
    fetching.file = hl_replacement_file(replacement);
    code = ask(&fetching, caller, path, err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    return hl_fail_in(err, "could not fetch \"%.*s\"", SHOWN, fetch->url);
}

enum hl_code hl_fetch_save(const struct hl_fetch *fetch, struct hl_err *err)
{
    struct hl_caller *caller = NULL;
    const char *path;
    char base[BASE_SIZE];
    enum hl_code code = take_apart(fetch->url, base, &path, err);

    if (code == HL_OK && fetch->key && !is_one_word(fetch->key))
        code = hl_fail(err, HL_INVALID, "the api_key of a snapshot has blanks in it");
    if (code == HL_OK)
        code = hl_caller_new(base, fetch->key, &caller, err);
    if (code == HL_OK)
        code = save(fetch, caller, path, err);
    hl_caller_free(caller);
    return code;
}
