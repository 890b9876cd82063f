/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/collections.h"
#include "server/points_read.h"
#include "server/server.h"
#include "tests/unit/looking.h"

/* Pages and lists over a collection as it is in service. What each call answers is played
 * over the wire; here is what a wire cannot time. */

/* There is one collection, whatever its name. */
static struct hl_collection *the_one;

enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err)
{
    (void)collections, (void)name, (void)err;
    *ret_collection = hl_collection_ref(the_one);
    return HL_OK;
}

/* A microsecond passes whenever somebody looks. */
static int64_t tick(void *self)
{
    return ++*(int64_t *)self;
}

#define HANDLER(name)                                                                      \
    enum hl_code (*(name))(struct hl_server *, struct hl_request *, struct hl_reply *,     \
                           struct hl_err *)

/* Asks with so many looks at the clock to spare. */
static enum hl_code ask(struct stand *s, HANDLER(handler), const char *body, int64_t at_us)
{
    int64_t now = 0;
    const struct hl_clock clock = {tick, &now};
    struct hl_config config = {.limits.request_memory_mb = 64};
    struct hl_server server = {.config = &config, .clock = clock};
    struct hl_reply reply = {0};
    struct hl_request request = {.params = {{"c", 1}},
                                 .body = {body, strlen(body)},
                                 .content_type = "",
                                 .arena = s->arena,
                                 .deadline = {.clock = &clock, .at_us = at_us}};
    enum hl_code code;

    the_one = s->collection;
    hl_buf_init(&reply.body, 1 << 20);
    code = handler(&server, &request, &reply, &s->err);
    if (request.release)
        request.release(&request);
    hl_buf_done(&reply.body);
    return code;
}

static void a_long_answer_ends_when_its_time_is_over(void **state)
{
    static const struct {
        HANDLER(handler);
        const char *body;
    } cases[] = {
        {hl_points_retrieve, "{\"ids\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,"
                             "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}"},
        {hl_points_scroll, "{\"limit\":40,\"with_vector\":true}"},
    };
    struct stand *s = *state;

    fill(s, 1, 40);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ask(s, cases[i].handler, cases[i].body, 30), HL_TIMEOUT);
        assert_string_equal(s->err.msg, "reading points took longer than it was given");
        assert_int_equal(ask(s, cases[i].handler, cases[i].body, HL_DEADLINE_NEVER), HL_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_long_answer_ends_when_its_time_is_over, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("points_read", tests, NULL, NULL);
}
