/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_send.h"

#include "proto/encode.h"

/* Bodies end at whichever comes first. */
enum { BODY_BYTES = 8 << 20, LARGEST_BODY = 512 << 20 };

static void print_creation(const struct hl_feed *feed, const char *distance,
                           const char *members, struct hl_buf *buf)
{
    size_t n = hl_feed_n_vectors(feed), dim = 0;
    const char *name = hl_feed_vector(feed, 0, &dim);
    bool is_bare = n == 1 && *name == '\0';

    hl_buf_add_text(buf, is_bare ? "{\"vectors\":" : "{\"vectors\":{");
    for (size_t i = 0; i < n; i++) {
        name = hl_feed_vector(feed, i, &dim);
        hl_buf_add_text(buf, i > 0 ? "," : "");
        if (!is_bare)
            hl_encode_key(buf, name);
        hl_buf_print(buf, "{\"size\":%zu,\"distance\":", dim);
        hl_encode_string(buf, distance);
        hl_buf_add_char(buf, '}');
    }
    hl_buf_print(buf, "%s%s%s}", is_bare ? "" : "}", members ? "," : "",
                 members ? members : "");
}

enum hl_code hl_send_create(const struct hl_send *send, const char *distance,
                            const char *members, struct hl_err *err)
{
    struct hl_span reply;
    struct hl_buf body;
    enum hl_code code;

    if (hl_feed_n_vectors(send->feed) == 0)
        return hl_fail(err, HL_INVALID,
                       "--create needs a file that says its sizes: .npy or .safetensors");
    hl_buf_init(&body, BODY_BYTES);
    print_creation(send->feed, distance, members, &body);
    code = hl_buf_check(&body, "the request", err);
    if (code == HL_OK)
        code = hl_remote_ask(send->remote, "PUT", "", &body, &reply, err);
    hl_buf_done(&body);
    return code;
}

static enum hl_code fill_body(const struct hl_send *send, struct hl_buf *body,
                              uint64_t *ret_n, struct hl_err *err)
{
    enum hl_code code = HL_OK;
    bool has = true;
    uint64_t n = 0;

    hl_buf_clear(body, (size_t)BODY_BYTES * 2);
    hl_buf_add_text(body, "{\"points\":[");
    while (code == HL_OK && n < send->batch && body->len < BODY_BYTES) {
        const size_t before = body->len;

        hl_buf_add_text(body, n > 0 ? "," : "");
        code = hl_feed_next(send->feed, body, &has, err);
        if (code == HL_OK && !has) {
            body->len = before;
            body->data[before] = '\0';
            break;
        }
        n++;
    }
    hl_buf_add_text(body, "]}");
    if (code == HL_OK)
        code = hl_buf_check(body, "a request of points", err);
    if (code == HL_OK)
        *ret_n = n;
    return code;
}

enum hl_code hl_send_points(struct hl_send *send, struct hl_err *err)
{
    struct hl_progress progress;
    struct hl_span reply;
    struct hl_buf body;
    uint64_t n = 1;
    enum hl_code code = hl_feed_skip(send->feed, send->done, err);

    hl_buf_init(&body, LARGEST_BODY);
    hl_progress_init(&progress, send->what, hl_feed_count(send->feed), send->done);
    while (code == HL_OK) {
        code = fill_body(send, &body, &n, err);
        if (code != HL_OK || n == 0)
            break;
        code = hl_remote_ask(send->remote, "PUT", "/points?wait=true", &body, &reply, err);
        if (code != HL_OK)
            break;
        send->done += n;
        if (send->note)
            code = send->note(send->self, send->done, err);
        hl_progress_show(&progress, send->done);
    }
    hl_progress_end(&progress, send->done);
    hl_buf_done(&body);
    return code;
}
