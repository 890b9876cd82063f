/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/archive.h"
#include "proto/dir.h"
#include "proto/file.h"
#include "server/collections.h"
#include "server/server.h"
#include "server/snapshots.h"
#include "server/upload.h"
#include "tests/support/still.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 2048 };

/* A data folder with the collection "cats", and one request at a time. */
struct rig {
    char folder[48];
    struct hl_config config;
    struct hl_engine *engine;
    struct hl_server server;
    struct hl_request request;
    struct hl_reply reply;
    struct hl_err err;
    struct hl_target_pair pair;
    char name[TEXT]; /* of the last snapshot */
};

static enum hl_code leave_empty(void *self, struct hl_collection *collection,
                                struct hl_err *err)
{
    (void)self;
    (void)collection;
    (void)err;
    return HL_OK;
}

static int set_up(void **state)
{
    static const struct hl_span cats = {"cats", 4};
    const struct hl_collections_filler filler = {leave_empty, NULL};
    struct rig *rig = calloc(1, sizeof *rig);
    struct hl_engine_options options = {.clock = &hl_still,
                                        .n_writers = 1,
                                        .seal_rows = 64,
                                        .max_unindexed_bytes = 64 << 20,
                                        .n_links = 8,
                                        .ef_construction = 40,
                                        .beam = 64};
    struct hl_collections_options collections = {.folder = rig->folder, .clock = &hl_still};

    *state = rig;
    snprintf(rig->folder, sizeof rig->folder, "/tmp/heirloom-snapshots-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->config.storage.path, sizeof rig->config.storage.path, "%s", rig->folder);
    rig->server.config = &rig->config;
    rig->request.arena = hl_arena_new(16 << 20);
    rig->request.deadline = never;
    hl_buf_init(&rig->reply.body, 1 << 20);
    assert_int_equal(hl_engine_new(&options, &rig->engine, &rig->err), HL_OK);
    collections.engine = rig->engine;
    assert_int_equal(hl_collections_open(&collections, &rig->server.collections, &rig->err),
                     HL_OK);
    assert_int_equal(
        hl_collections_create(rig->server.collections, &cats, &filler, &rig->err), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    hl_file_close(rig->reply.file);
    hl_buf_done(&rig->reply.body);
    hl_arena_free(rig->request.arena);
    hl_engine_stop(rig->engine);
    hl_collections_close(rig->server.collections);
    hl_engine_free(rig->engine);
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
    free(rig);
    return 0;
}

static enum hl_code ask(struct rig *rig,
                        enum hl_code (*handler)(struct hl_server *server,
                                                struct hl_request *request,
                                                struct hl_reply *reply, struct hl_err *err),
                        const char *collection, const char *more)
{
    rig->request.params[0] = (struct hl_span){collection, strlen(collection)};
    rig->request.params[1] = (struct hl_span){more, strlen(more)};
    rig->request.body = (struct hl_span){more, strlen(more)};
    hl_file_close(rig->reply.file);
    rig->reply.file = NULL;
    hl_buf_done(&rig->reply.body);
    return handler(&rig->server, &rig->request, &rig->reply, &rig->err);
}

static void must(struct rig *rig, enum hl_code code)
{
    if (code != HL_OK)
        fail_msg("%s", rig->err.msg);
}

static void assert_refused(struct rig *rig, enum hl_code code, enum hl_code wanted,
                           const char *sentence)
{
    assert_int_equal(code, wanted);
    assert_string_equal(rig->err.msg, sentence);
}

static void create(struct rig *rig)
{
    const char *begin;

    must(rig, ask(rig, hl_snapshots_create, "cats", ""));
    begin = strstr(rig->reply.body.data, "\"name\":\"");
    assert_non_null(begin);
    snprintf(rig->name, sizeof rig->name, "%.*s", (int)strcspn(begin + 8, "\""), begin + 8);
}

/* How many snapshots the reply names. */
static size_t count_listed(struct rig *rig)
{
    size_t n = 0;

    must(rig, ask(rig, hl_snapshots_list, "cats", ""));
    for (const char *at = rig->reply.body.data; (at = strstr(at, "\"name\":")); at++)
        n++;
    return n;
}

static void a_snapshot_is_made_listed_and_deleted(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(count_listed(rig), 0);
    create(rig);
    assert_int_equal(strncmp(rig->name, "cats-", 5), 0);
    assert_non_null(strstr(rig->reply.body.data, "\"creation_time\":\"20"));
    assert_non_null(strstr(rig->reply.body.data, "\"checksum\":\""));
    assert_int_equal(count_listed(rig), 1);
    assert_non_null(strstr(rig->reply.body.data, rig->name));
    must(rig, ask(rig, hl_snapshots_delete, "cats", rig->name));
    assert_int_equal(strncmp(rig->reply.body.data, "{\"result\":true,", 15), 0);
    assert_int_equal(count_listed(rig), 0);
    assert_int_equal(ask(rig, hl_snapshots_delete, "cats", rig->name), HL_NOT_FOUND);
}

static void a_download_is_the_file_to_its_last_byte(void **state)
{
    struct rig *rig = *state;
    char block[512];
    size_t n = 0;

    create(rig);
    must(rig, ask(rig, hl_snapshots_download, "cats", rig->name));
    assert_int_equal(rig->reply.status, 200);
    assert_string_equal(rig->reply.content_type, "application/octet-stream");
    assert_non_null(rig->reply.file);
    assert_int_equal(hl_reply_size(&rig->reply), rig->reply.file_size);
    must(rig, hl_file_read_at(rig->reply.file, block, sizeof block, 0, &n, &rig->err));
    assert_string_equal(block, "heirloom.json");
    must(rig, hl_file_read_at(rig->reply.file, block, sizeof block, rig->reply.file_size,
                              &n, &rig->err));
    assert_int_equal(n, 0);
    hl_reply_error(&rig->reply, &(struct hl_err){HL_IO, "it broke"}, 0);
    assert_null(rig->reply.file);
    assert_int_equal(hl_reply_size(&rig->reply), rig->reply.body.len);
}

static void names_that_are_no_snapshots_are_not_found(void **state)
{
    static const char *const names[] = {"",
                                        "..",
                                        "nothing.snapshot",
                                        "../../catalog.db",
                                        "../cats/x.snapshot",
                                        ".snapshot",
                                        "x.checksum"};
    struct rig *rig = *state;
    char sentence[TEXT];

    create(rig);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(sentence, sizeof sentence, "Not found: Snapshot %s not found", names[i]);
        assert_refused(rig, ask(rig, hl_snapshots_download, "cats", names[i]), HL_NOT_FOUND,
                       sentence);
        assert_refused(rig, ask(rig, hl_snapshots_delete, "cats", names[i]), HL_NOT_FOUND,
                       sentence);
    }
}

static void a_collection_that_there_is_not_has_no_snapshots(void **state)
{
    static const struct hl_route calls[] = {{.handler = hl_snapshots_list},
                                            {.handler = hl_snapshots_create},
                                            {.handler = hl_snapshots_download},
                                            {.handler = hl_snapshots_delete}};
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        assert_int_equal(ask(rig, calls[i].handler, "dogs", "a.snapshot"), HL_NOT_FOUND);
        assert_int_equal(ask(rig, calls[i].handler, "..", "a.snapshot"), HL_NOT_FOUND);
    }
}

static enum hl_code recover(struct rig *rig, const char *collection, const char *sum)
{
    char body[TEXT + 256];

    snprintf(body, sizeof body,
             "{\"location\":\"file://%s/%%73napshots/cats/%.200s\"%s%s%s}", rig->folder,
             rig->name, sum ? ",\"checksum\":\"" : "", sum ? sum : "", sum ? "\"" : "");
    return ask(rig, hl_snapshots_recover, collection, body);
}

static void a_snapshot_is_recovered_under_any_name(void **state)
{
    static const char other[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct rig *rig = *state;

    create(rig);
    must(rig, recover(rig, "cats", NULL));
    must(rig, recover(rig, "more", NULL));
    must(rig, ask(rig, hl_snapshots_list, "more", ""));
    assert_int_equal(recover(rig, "more", other), HL_BAD_FILE);
    assert_int_equal(recover(rig, "..", NULL), HL_INVALID);
}

static void the_time_that_requests_have_does_not_end_a_snapshot(void **state)
{
    struct rig *rig = *state;
    atomic_bool cancelled = false;

    rig->request.deadline = (struct hl_deadline){&hl_still, -1, &cancelled}; /* is over */
    create(rig);
    must(rig, recover(rig, "cats", NULL));
    atomic_store(&cancelled, true);
    assert_int_equal(ask(rig, hl_snapshots_create, "cats", ""), HL_CANCELLED);
    assert_int_equal(recover(rig, "cats", NULL), HL_CANCELLED);
    assert_int_equal(count_listed(rig), 1);
}

static void a_location_that_is_neither_a_file_nor_an_address_is_refused(void **state)
{
    static const char *const wrong[][2] = {
        {"{\"location\":\"s3://o/a\"}", "a snapshot is recovered from file:///PATH or "
                                        "http://HOST/PATH, not from \"s3://o/a\""},
        {"{\"location\":\"http://a/b\",\"api_key\":\"k\\r\\nx: y\"}",
         "the api_key of a snapshot has blanks in it"},
        {"{\"location\":\"http://a/b c\"}",
         "\"http://a/b c\" is no address of a snapshot, it must be "
         "http://HOST[:PORT]/PATH"},
        {"{\"location\":\"file://a\"}", "the path of a snapshot begins with a slash"},
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(rig, ask(rig, hl_snapshots_recover, "cats", wrong[i][0]),
                       i == 0 ? HL_NOT_SUPPORTED : HL_INVALID, wrong[i][1]);
    assert_int_equal(
        ask(rig, hl_snapshots_recover, "cats", "{\"location\":\"file:///no/where\"}"),
        HL_NOT_FOUND);
}

/* The call with such a body. */
static enum hl_code send_upload(struct rig *rig, const char *body, size_t len)
{
    char folder[TEXT];
    bool is_full;
    enum hl_code code;

    snprintf(folder, sizeof folder, "%s/uploads", rig->folder);
    must(rig, hl_upload_new(folder, "1", &rig->request.upload, &rig->err));
    must(rig, hl_upload_add(rig->request.upload, body, len, &is_full, &rig->err));
    hl_buf_done(&rig->reply.body);
    code = hl_snapshots_upload(&rig->server, &rig->request, &rig->reply, &rig->err);
    hl_upload_free(rig->request.upload);
    rig->request.upload = NULL;
    return code;
}

/* The last snapshot as a form. */
static enum hl_code upload(struct rig *rig, const char *collection, size_t n_cut)
{
    static const char begin[] = "--B\r\nContent-Disposition: form-data; "
                                "name=\"snapshot\"\r\n\r\n";
    static const char end[] = "\r\n--B--\r\n";
    struct hl_buf form;
    char path[TEXT];
    enum hl_code code;

    snprintf(path, sizeof path, "%s/snapshots/cats/%.200s", rig->folder, rig->name);
    hl_buf_init(&form, 16 << 20);
    hl_buf_add_text(&form, begin);
    must(rig, hl_file_load(path, &form, &rig->err));
    form.len -= n_cut;
    hl_buf_add_text(&form, end);
    rig->request.params[0] = (struct hl_span){collection, strlen(collection)};
    rig->request.content_type = "multipart/form-data; boundary=B";
    code = send_upload(rig, form.data, form.len);
    hl_buf_done(&form);
    return code;
}

static void set_query(struct rig *rig, const char *name, const char *value)
{
    rig->pair.name = (struct hl_span){name, strlen(name)};
    rig->pair.value = (struct hl_span){value, strlen(value)};
    rig->request.target.query = &rig->pair;
    rig->request.target.n_query = 1;
}

static void an_uploaded_snapshot_is_recovered(void **state)
{
    struct rig *rig = *state;

    create(rig);
    must(rig, upload(rig, "cats", 0));
    must(rig, upload(rig, "more", 0));
    must(rig, ask(rig, hl_snapshots_list, "more", ""));
    assert_int_equal(upload(rig, "less", 1), HL_BAD_FILE);
    assert_int_equal(ask(rig, hl_snapshots_list, "less", ""), HL_NOT_FOUND);
    rig->request.content_type = "application/json";
    assert_int_equal(send_upload(rig, "{}", 2), HL_WRONG_INPUT);
    assert_refused(rig, send_upload(rig, "", 0), HL_WRONG_INPUT,
                   "the body is empty, a form was wanted");
}

static void what_an_upload_says_in_its_url_is_checked(void **state)
{
    struct rig *rig = *state;

    create(rig);
    set_query(rig, "checksum",
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(upload(rig, "more", 0), HL_BAD_FILE);
    set_query(rig, "checksum", "e3b0");
    assert_refused(rig, upload(rig, "more", 0), HL_MALFORMED,
                   "Format error in query parameters: checksum is \"e3b0\", 64 hexadecimal "
                   "digits of a SHA-256 were wanted");
    set_query(rig, "priority", "mine");
    assert_refused(rig, upload(rig, "more", 0), HL_MALFORMED,
                   "Format error in query parameters: priority is \"mine\", no_sync, "
                   "snapshot or replica was wanted");
    set_query(rig, "priority", "replica");
    must(rig, upload(rig, "more", 0));
}

static struct hl_span span(const char *text)
{
    return (struct hl_span){text, strlen(text)};
}

static void add_collection(struct rig *rig, const char *name)
{
    const struct hl_collections_filler filler = {leave_empty, NULL};
    const struct hl_span as = span(name);

    must(rig, hl_collections_create(rig->server.collections, &as, &filler, &rig->err));
}

static void add_alias(struct rig *rig, const char *alias, const char *collection)
{
    struct hl_alias_action action = {.kind = HL_ALIAS_CREATE,
                                     .alias = {alias, strlen(alias)},
                                     .collection = {collection, strlen(collection)}};
    const struct hl_alias_actions actions = {.items = &action, .n = 1};

    must(rig, hl_collections_change_aliases(rig->server.collections, &actions, &rig->err));
}

static void create_full(struct rig *rig)
{
    must(rig, ask(rig, hl_snapshots_full_create, "", ""));
    snprintf(rig->name, sizeof rig->name, "%.*s",
             (int)strcspn(strstr(rig->reply.body.data, "full-snapshot-"), "\""),
             strstr(rig->reply.body.data, "full-snapshot-"));
}

static void a_full_snapshot_has_every_collection_and_the_aliases(void **state)
{
    struct rig *rig = *state;
    struct hl_archive_head head = {0};
    struct hl_source source;
    char text[TEXT] = "", out[TEXT];

    add_collection(rig, "dogs");
    add_alias(rig, "pets", "dogs");
    create_full(rig);
    assert_non_null(strstr(rig->reply.body.data, "\"checksum\":\""));
    must(rig, ask(rig, hl_snapshots_full_download, rig->name, ""));
    must(rig, hl_source_of_file(rig->reply.file, &source, &rig->err));
    must(rig, hl_archive_look(&source, rig->request.arena, &head, &rig->err));
    assert_string_equal(head.kind, "full");
    assert_int_equal(head.n_files, 2);
    snprintf(text, sizeof text, "%.*s", (int)head.config.len, head.config.text);
    assert_non_null(strstr(text, "\"cats\":\"collections/1.snapshot\""));
    assert_non_null(strstr(text, "\"dogs\":\"collections/2.snapshot\""));
    assert_non_null(strstr(text, "\"pets\":\"dogs\""));
    snprintf(out, sizeof out, "%s/out", rig->folder);
    must(rig, hl_dir_make(out, &rig->err));
    must(rig, hl_archive_load(&source, &head, out, NULL, &rig->err));
    snprintf(text, sizeof text, "{\"location\":\"file://%s/out/collections/2.snapshot\"}",
             rig->folder);
    must(rig, ask(rig, hl_snapshots_recover, "birds", text));
}

static void a_full_snapshot_is_listed_deleted_and_no_snapshot_of_one(void **state)
{
    struct rig *rig = *state;
    char body[TEXT + 256], folder[TEXT];
    struct hl_file *file = NULL;

    must(rig, ask(rig, hl_snapshots_full_list, "", ""));
    assert_int_equal(strncmp(rig->reply.body.data, "{\"result\":[],", 13), 0);
    create_full(rig);
    must(rig, ask(rig, hl_snapshots_full_list, "", ""));
    assert_non_null(strstr(rig->reply.body.data, rig->name));
    assert_int_equal(count_listed(rig), 0); /* of "cats" */
    snprintf(body, sizeof body, "{\"location\":\"file://%s/full-snapshots/%.200s\"}",
             rig->folder, rig->name);
    assert_int_equal(ask(rig, hl_snapshots_recover, "cats", body), HL_BAD_FILE);
    snprintf(folder, sizeof folder, "%s/full-snapshots/%.200s.parts", rig->folder,
             rig->name);
    assert_int_equal(hl_file_open(folder, HL_FILE_READ, &file, &rig->err), HL_NOT_FOUND);
    must(rig, ask(rig, hl_snapshots_full_delete, rig->name, ""));
    assert_int_equal(ask(rig, hl_snapshots_full_delete, rig->name, ""), HL_NOT_FOUND);
    assert_int_equal(ask(rig, hl_snapshots_full_download, rig->name, ""), HL_NOT_FOUND);
    assert_int_equal(ask(rig, hl_snapshots_full_download, "../catalog.db", ""),
                     HL_NOT_FOUND);
}

static bool count_entry(void *self, const char *name)
{
    (void)name;
    ++*(size_t *)self;
    return true;
}

static void a_full_snapshot_that_fails_leaves_nothing(void **state)
{
    struct rig *rig = *state;
    atomic_bool cancelled = true;
    char folder[TEXT];
    size_t n = 0;

    rig->request.deadline = (struct hl_deadline){&hl_still, -1, &cancelled};
    assert_int_equal(ask(rig, hl_snapshots_full_create, "", ""), HL_CANCELLED);
    assert_string_equal(rig->err.msg,
                        "could not save collection \"cats\": the snapshot was cancelled");
    snprintf(folder, sizeof folder, "%s/full-snapshots", rig->folder);
    must(rig, hl_dir_walk(folder, count_entry, &n, &rig->err));
    assert_int_equal(n, 0);
    atomic_store(&cancelled, false);
    create_full(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_snapshot_is_made_listed_and_deleted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_download_is_the_file_to_its_last_byte, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_no_snapshots_are_not_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_collection_that_there_is_not_has_no_snapshots,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_snapshot_is_recovered_under_any_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_time_that_requests_have_does_not_end_a_snapshot,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_full_snapshot_has_every_collection_and_the_aliases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_full_snapshot_is_listed_deleted_and_no_snapshot_of_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_snapshot_that_fails_leaves_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_uploaded_snapshot_is_recovered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_an_upload_says_in_its_url_is_checked, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            a_location_that_is_neither_a_file_nor_an_address_is_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
