/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_remote.h"

#include "proto/field.h"
#include "proto/number.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PATIENCE_S = 120,
    PEEK_S = 3,
    TRIES = 16,
    LONGEST_PAUSE_S = 4,
    PATH_SIZE = 64 << 10
};

const char *hl_remote_key(const char *typed)
{
    return typed ? typed : getenv("HEIRLOOM_API_KEY"); /* NOLINT(concurrency-mt-unsafe) */
}

enum hl_code hl_remote_init(struct hl_remote *remote, const char *url, const char *key,
                            const char *collection, struct hl_err *err)
{
    *remote = (struct hl_remote){.collection = collection};
    hl_buf_init(&remote->path, PATH_SIZE);
    return hl_caller_new(url ? url : HL_REMOTE_URL, hl_remote_key(key), &remote->caller,
                         err);
}

void hl_remote_done(struct hl_remote *remote)
{
    hl_caller_free(remote->caller);
    hl_buf_done(&remote->path);
}

/* Asking again may help: nobody answered, or whoever did said so. Every call of ours may be
 * done twice. */
static bool may_try_again(enum hl_code code, const struct hl_called *called)
{
    return code == HL_UNAVAILABLE ||
           (code == HL_OK && (called->status == 429 || called->status == 503));
}

static void rest(int seconds)
{
    struct timespec pause = {.tv_sec = seconds > 0 ? seconds : 1};

    while (nanosleep(&pause, &pause) != 0)
        continue;
}

static enum hl_code ask_patiently(struct hl_remote *remote, const struct hl_call *call,
                                  struct hl_called *called, struct hl_err *err)
{
    int pause_s = 1;

    for (int i = 0;; i++) {
        enum hl_code code = hl_caller_ask(remote->caller, call, called, err);

        if (i == TRIES || !may_try_again(code, called))
            return code;
        rest(code == HL_OK && called->retry_after_s > 0 ? called->retry_after_s : pause_s);
        pause_s = pause_s < LONGEST_PAUSE_S ? pause_s * 2 : pause_s;
    }
}

static enum hl_code print_path(struct hl_remote *remote, const char *behind,
                               struct hl_err *err)
{
    hl_buf_clear(&remote->path, PATH_SIZE);
    hl_buf_add_text(&remote->path, "/collections/");
    hl_caller_escape(remote->collection, &remote->path);
    hl_buf_add_text(&remote->path, behind);
    return hl_buf_check(&remote->path, "the path", err);
}

static enum hl_code call_it(struct hl_remote *remote, const char *method,
                            const char *behind, const struct hl_buf *body,
                            struct hl_called *called, struct hl_err *err)
{
    struct hl_call call = {.method = method, .patience_s = PATIENCE_S};
    enum hl_code code = print_path(remote, behind, err);

    if (code != HL_OK)
        return code;
    call.path = remote->path.data;
    if (body)
        call.body = (struct hl_span){body->data, body->len};
    return ask_patiently(remote, &call, called, err);
}

enum hl_code hl_remote_ask(struct hl_remote *remote, const char *method, const char *behind,
                           const struct hl_buf *body, struct hl_span *ret_body,
                           struct hl_err *err)
{
    struct hl_called called = {0};
    enum hl_code code = call_it(remote, method, behind, body, &called, err);

    if (code == HL_OK)
        code = hl_called_check(&called, err);
    if (code == HL_OK)
        *ret_body = called.body;
    return code;
}

enum hl_code hl_remote_peek(struct hl_remote *remote, const char *behind,
                            struct hl_span *ret_body, struct hl_err *err)
{
    struct hl_call call = {.method = "GET", .patience_s = PEEK_S};
    struct hl_called called = {0};
    enum hl_code code = print_path(remote, behind, err);

    call.path = remote->path.data;
    if (code == HL_OK)
        code = hl_caller_ask(remote->caller, &call, &called, err);
    if (code == HL_OK)
        code = hl_called_check(&called, err);
    if (code == HL_OK)
        *ret_body = called.body;
    return code;
}

enum hl_code hl_remote_exists(struct hl_remote *remote, bool *ret_exists,
                              struct hl_err *err)
{
    struct hl_called called = {0};
    enum hl_code code = call_it(remote, "GET", "", NULL, &called, err);

    if (code == HL_OK && called.status != 404)
        code = hl_called_check(&called, err);
    if (code == HL_OK)
        *ret_exists = called.status != 404;
    return code;
}

enum { DEEPEST_REPLY = 8 };

enum hl_code hl_reply_find(const struct hl_span *body, const char *const *path, size_t n,
                           struct hl_arena *arena, struct hl_span *ret_text,
                           struct hl_err *err)
{
    struct hl_object objects[DEEPEST_REPLY];
    struct hl_tokens tokens;
    struct hl_span text = {0};
    struct hl_field root;
    const struct hl_field *field = &root;
    enum hl_code code = HL_OK;

    assert(n <= DEEPEST_REPLY);
    hl_tokens_init(&tokens, body->data, body->len, arena);
    tokens.what = "the reply";
    tokens.code = HL_BAD_FILE;
    root = hl_field_root(&tokens);
    for (size_t i = 0; code == HL_OK && field && i < n; i++) {
        code = hl_object_begin(field, &path[i], 1, &objects[i], err);
        do
            code = code == HL_OK ? hl_object_next(&objects[i], &field, err) : code;
        while (code == HL_OK && field && objects[i].which != 0);
    }
    if (code == HL_OK && field)
        code = hl_field_span(field, &text.data, &text.len, err);
    if (code == HL_OK)
        *ret_text = text;
    return code;
}

static enum hl_code read_count(const struct hl_span *body, struct hl_arena *arena,
                               uint64_t *ret_count, struct hl_err *err)
{
    static const char *const path[] = {"result", "count"};
    struct hl_span text = {0};
    enum hl_code code = hl_reply_find(body, path, 2, arena, &text, err);

    if (code == HL_OK && (!text.data || !hl_number_u64(text.data, text.len, ret_count)))
        return hl_fail(err, HL_BAD_FILE, "the reply has no count");
    return code;
}

enum hl_code hl_remote_count(struct hl_remote *remote, const char *filter,
                             uint64_t *ret_count, struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new((size_t)1 << 20);
    struct hl_buf body;
    struct hl_span reply;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a count");
    hl_buf_init(&body, PATH_SIZE);
    hl_buf_print(&body, "{\"exact\":true%s%s}", filter ? ",\"filter\":" : "",
                 filter ? filter : "");
    code = hl_buf_check(&body, "the request", err);
    if (code == HL_OK)
        code = hl_remote_ask(remote, "POST", "/points/count", &body, &reply, err);
    if (code == HL_OK)
        code = read_count(&reply, arena, ret_count, err);
    hl_buf_done(&body);
    hl_arena_free(arena);
    return code;
}
