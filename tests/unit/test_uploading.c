/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that go to the disk while they come, as an exchange takes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/file.h"
#include "server/routes.h"
#include "server/upload.h"

#include <stdlib.h>

/* Says how large the file is, and how many of its bytes are what was sent. */
static enum hl_code measure(struct hl_server *server, struct hl_request *request,
                            struct hl_reply *reply, struct hl_err *err)
{
    struct hl_buf bytes;
    size_t n_right = 0;
    enum hl_code code = hl_upload_finish(request->upload, err);

    (void)server;
    hl_buf_init(&bytes, 64 << 20);
    if (code == HL_OK)
        code = hl_file_load(hl_upload_path(request->upload), &bytes, err);
    for (size_t i = 0; i < bytes.len; i++)
        n_right += (unsigned char)bytes.data[i] == (i * 7 + i / 4096) % 256;
    reply->status = 200;
    hl_buf_print(&reply->body, "%zu of %zu, %d", n_right, bytes.len,
                 (int)(hl_upload_size(request->upload) == bytes.len));
    hl_buf_done(&bytes);
    return code;
}

static const struct hl_route table[] = {
    {HL_METHOD_PUT, HL_PLACE_UPLOAD, HL_DOOR_READ, "/kept/{name}", measure},
};

#include "tests/unit/exchanging.h"

static void await_resume(struct fixture *f)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int ms = 0; ms < 10000 && !atomic_load(&f->is_resumed); ms++)
        nanosleep(&pause, NULL);
    atomic_store(&f->is_resumed, false);
}

/* As HTTP does it: a piece at a time, a rest whenever one is asked for. */
static enum hl_step send_piece(struct fixture *f, const char *bytes, size_t n,
                               size_t *n_spills)
{
    enum hl_step step = hl_exchange_body(f->exchange, bytes, n);

    if (step != HL_STEP_SPILL)
        return step;
    assert_int_equal(hl_exchange_body(f->exchange, bytes, n), HL_STEP_LATER);
    assert_int_equal(hl_exchange_end(f->exchange), HL_STEP_LATER);
    hl_exchange_spill(f->exchange);
    await_resume(f);
    (*n_spills)++;
    return HL_STEP_MORE;
}

static const char *upload(struct fixture *f, size_t size, size_t *ret_n_spills)
{
    enum { PIECE = 50000 };
    static char piece[PIECE];
    const struct hl_head put = {.method = "PUT", .n_hosts = 1, .is_chunked = true};
    enum hl_step step;

    *ret_n_spills = 0;
    atomic_store(&f->is_resumed, false);
    hl_exchange_begin(f->exchange, "/kept/a");
    step = hl_exchange_head(f->exchange, &put);
    for (size_t at = 0; step == HL_STEP_MORE && at < size;) {
        const size_t n = size - at < PIECE ? size - at : PIECE;

        for (size_t i = 0; i < n; i++)
            piece[i] = (char)(((at + i) * 7 + (at + i) / 4096) % 256);
        step = send_piece(f, piece, n, ret_n_spills);
        at += n;
    }
    if (step == HL_STEP_MORE)
        step = hl_exchange_end(f->exchange);
    if (step == HL_STEP_LONG) {
        hl_exchange_submit(f->exchange);
        await_resume(f);
        step = hl_exchange_end(f->exchange);
    }
    return step == HL_STEP_ANSWER ? seen(f) : "no answer";
}

static void set_folder(struct fixture *f, const char *folder)
{
    snprintf(f->config->storage.path, sizeof f->config->storage.path, "%s", folder);
}

static void an_upload_goes_to_the_disk_by_the_block_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/heirloom-exchange-XXXXXX", uploads[64];
    struct hl_err err;
    size_t n_spills, n;

    assert_non_null(mkdtemp(folder));
    set_folder(f, folder);
    assert_string_equal(upload(f, 0, &n_spills), "200 0 of 0, 1");
    assert_string_equal(upload(f, 20, &n_spills), "200 20 of 20, 1");
    assert_int_equal(n_spills, 0);
    assert_string_equal(upload(f, 5000000, &n_spills), "200 5000000 of 5000000, 1");
    assert_int_equal(n_spills, 4);
    snprintf(uploads, sizeof uploads, "%s/uploads", folder);
    assert_int_equal(hl_dir_count(uploads, &n, &err), HL_OK);
    assert_int_equal(n, 0);
    assert_int_equal(hl_dir_remove(folder, &err), HL_OK);
}

static void an_upload_that_cannot_be_kept_is_answered_and_the_next_one_taken(void **state)
{
    struct fixture *f = *state;
    const struct hl_head put = {.method = "PUT",
                                .content_length = "1073741825",
                                .n_lengths = 1,
                                .has_expect = true};
    size_t n_spills;

    set_folder(f, "/no/where");
    assert_begins(upload(f, 1500000, &n_spills), "500 {\"status\":{\"error\":\"could not ");
    assert_begins(upload(f, 10, &n_spills), "500 {\"status\":{\"error\":\"could not ");
    f->config->service.max_upload_gb = 1;
    assert_begins(ask(f, "/kept/a", put, ""),
                  "413 {\"status\":{\"error\":\"the upload is larger than 1 GB, the most "
                  "that is taken\"");
}

static void who_leaves_amid_an_upload_leaves_no_file(void **state)
{
    struct fixture *f = *state;
    char folder[] = "/tmp/heirloom-exchange-XXXXXX", uploads[64];
    static char piece[3 << 20];
    const struct hl_head put = {.method = "PUT", .n_hosts = 1, .is_chunked = true};
    struct hl_err err;
    size_t n = 0;

    assert_non_null(mkdtemp(folder));
    set_folder(f, folder);
    hl_exchange_begin(f->exchange, "/kept/a");
    assert_int_equal(hl_exchange_head(f->exchange, &put), HL_STEP_MORE);
    assert_int_equal(send_piece(f, piece, sizeof piece, &n), HL_STEP_MORE);
    snprintf(uploads, sizeof uploads, "%s/uploads", folder);
    assert_int_equal(hl_dir_count(uploads, &n, &err), HL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(hl_bodies_held(&f->server.bodies), HL_UPLOAD_BLOCK);
    hl_exchange_done(f->exchange, false);
    assert_int_equal(hl_bodies_held(&f->server.bodies), 0);
    assert_int_equal(hl_dir_count(uploads, &n, &err), HL_OK);
    assert_int_equal(n, 0);
    assert_int_equal(hl_dir_remove(folder, &err), HL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_goes_to_the_disk_by_the_block_and_leaves_nothing),
        cmocka_unit_test(an_upload_that_cannot_be_kept_is_answered_and_the_next_one_taken),
        cmocka_unit_test(who_leaves_amid_an_upload_leaves_no_file),
    };

    return cmocka_run_group_tests_name("uploading", tests, start, stop);
}
