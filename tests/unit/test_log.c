/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/token.h"
#include "server/log.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_WRITERS = 4, N_LINES = 200 };

struct fixture {
    int ends[2];
    struct hl_log *log;
    char text[1 << 16];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_int_equal(pipe(f->ends), 0);
    f->log = hl_log_new(f->ends[1], HL_LOG_INFO, HL_LOG_TEXT);
    assert_non_null(f->log);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hl_log_free(f->log);
    close(f->ends[0]);
    if (f->ends[1] >= 0)
        close(f->ends[1]);
    free(f);
    return 0;
}

/* What was written, which must be there already. */
static const char *heard(struct fixture *f)
{
    ssize_t len;

    /* A byte of our own, so that hearing nothing does not wait for ever. */
    assert_int_equal(write(f->ends[1], "$", 1), 1);
    len = read(f->ends[0], f->text, sizeof f->text - 1);
    assert_true(len >= 1);
    assert_int_equal(f->text[len - 1], '$');
    f->text[len - 1] = '\0';
    return f->text;
}

/* Whether the text looks like the pattern, where 0 stands for any digit. */
static bool looks_like(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++)
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return *text == '\0';
}

/* The line without its level and time, which must be sound. */
static const char *heard_fields(struct fixture *f)
{
    const char *line = heard(f);
    char *tail = f->text;
    const char *time;

    for (char *at = strstr(f->text, " level="); at; at = strstr(at + 1, " level="))
        tail = at;
    time = strstr(tail, " time=");
    assert_non_null(time);
    assert_true(looks_like(time, " time=0000-00-00T00:00:00.000Z\n"));
    *tail = '\0';
    return line;
}

static void an_event_is_one_line_with_its_name_first(void **state)
{
    struct fixture *f = *state;

    hl_log(f->log, HL_LOG_INFO, hl_log_event("swap"), hl_log_u64("view", 13),
           hl_log_i64("delta", -2), hl_log_real("took", 0.25), hl_log_bool("last", true),
           hl_log_word("host", "127.0.0.1"), hl_log_text("path", "/a"));
    assert_string_equal(
        heard_fields(f),
        "event=swap view=13 delta=-2 took=0.250000 last=true host=127.0.0.1 "
        "path=\"/a\"");
}

static void text_from_outside_cannot_write_a_line_of_its_own(void **state)
{
    struct fixture *f = *state;

    hl_log(f->log, HL_LOG_INFO, hl_log_event("request"),
           hl_log_text("id", "x\" level=error\nevent=fake\r\t\\\x01\x7f"));
    assert_string_equal(heard_fields(f), "event=request id=\"x\\\" level=error\\nevent=fake"
                                         "\\r\\t\\\\\\x01\\x7f\"");
}

static void a_word_that_is_none_is_quoted(void **state)
{
    struct fixture *f = *state;

    hl_log(f->log, HL_LOG_INFO, hl_log_event("e"), hl_log_word("a", "two words"),
           hl_log_word("b", ""), hl_log_word("c", "k=v"));
    assert_string_equal(heard_fields(f), "event=e a=\"two words\" b=\"\" c=\"k=v\"");
}

static void characters_pass_and_broken_bytes_are_shown(void **state)
{
    struct fixture *f = *state;
    const char bytes[] = "é€😀\xff\xc3(\xed\xa0\x80\xe2\x80\xa8\0z";

    hl_log(f->log, HL_LOG_INFO, hl_log_event("e"),
           hl_log_bytes("a", bytes, sizeof bytes - 1));
    assert_string_equal(heard_fields(f),
                        "event=e a=\"é€😀\\xff\\xc3(\\xed\\xa0\\x80\\xe2\\x80\\xa8\\x00z\"");
}

static int64_t count_up(int *n)
{
    return ++*n;
}

static void what_is_below_the_level_is_not_even_evaluated(void **state)
{
    struct fixture *f = *state;
    int n_evaluated = 0;

    hl_log(f->log, HL_LOG_DEBUG, hl_log_event("e"),
           hl_log_i64("n", count_up(&n_evaluated)));
    hl_log(NULL, HL_LOG_ERROR, hl_log_event("e"), hl_log_i64("n", count_up(&n_evaluated)));
    assert_int_equal(n_evaluated, 0);
    assert_string_equal(heard(f), "");
    hl_log_set(f->log, HL_LOG_DEBUG, HL_LOG_TEXT);
    hl_log(f->log, HL_LOG_DEBUG, hl_log_event("e"));
    assert_string_equal(heard_fields(f), "event=e");
    hl_log_set(f->log, HL_LOG_ERROR, HL_LOG_TEXT);
    hl_log(f->log, HL_LOG_WARN, hl_log_event("e"));
    assert_string_equal(heard(f), "");
}

static void names_of_levels_and_formats_are_those_of_the_settings(void **state)
{
    (void)state;
    assert_int_equal(hl_log_level_of("error"), HL_LOG_ERROR);
    assert_int_equal(hl_log_level_of("warn"), HL_LOG_WARN);
    assert_int_equal(hl_log_level_of("info"), HL_LOG_INFO);
    assert_int_equal(hl_log_level_of("debug"), HL_LOG_DEBUG);
    assert_int_equal(hl_log_format_of("text"), HL_LOG_TEXT);
    assert_int_equal(hl_log_format_of("json"), HL_LOG_JSON);
}

static void assert_is_json(const char *text)
{
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_tokens tokens;
    struct hl_err err;

    assert_non_null(arena);
    hl_tokens_init(&tokens, text, strlen(text), arena);
    assert_int_equal(hl_tokens_skip(&tokens, &err), HL_OK);
    assert_int_equal(hl_tokens_finish(&tokens, &err), HL_OK);
    hl_arena_free(arena);
}

static void as_json_every_line_is_an_object(void **state)
{
    struct fixture *f = *state;
    const char *line;

    hl_log_set(f->log, HL_LOG_INFO, HL_LOG_JSON);
    hl_log(f->log, HL_LOG_ERROR, hl_log_event("e"), hl_log_text("a", "\"\\\n\x01\xffé"),
           hl_log_word("b", "x"), hl_log_u64("n", UINT64_MAX), hl_log_real("r", 1.0 / 0.0),
           hl_log_bool("t", false));
    line = heard(f);
    assert_is_json(line);
    assert_non_null(strstr(line, "{\"event\":\"e\",\"a\":\"\\\"\\\\\\n\\u0001\\u00ffé\","
                                 "\"b\":\"x\",\"n\":18446744073709551615,\"r\":null,"
                                 "\"t\":false,\"level\":\"error\",\"time\":\"20"));
}

/* Whatever is said, a line fits into what a pipe takes at once, and says that it was cut.
 */
static void a_long_line_is_cut_and_says_so(void **state)
{
    struct fixture *f = *state;
    static char huge[20000];
    const char *line;

    memset(huge, 'x', sizeof huge - 1);
    for (int format = HL_LOG_TEXT; format <= HL_LOG_JSON; format++) {
        hl_log_set(f->log, HL_LOG_INFO, (enum hl_log_format)format);
        hl_log(f->log, HL_LOG_INFO, hl_log_event("e"), hl_log_text("a", huge),
               hl_log_text("b", huge), hl_log_text("c", huge), hl_log_text("d", huge),
               hl_log_u64("n", 7));
        line = heard(f);
        assert_true(strlen(line) <= PIPE_BUF);
        assert_non_null(strstr(line, "x…\""));
        assert_non_null(strstr(line, format == HL_LOG_JSON ? "\"n\":7" : " n=7"));
        assert_non_null(strstr(line, format == HL_LOG_JSON ? "\"cut\":true" : " cut=true"));
        if (format == HL_LOG_JSON)
            assert_is_json(line);
    }
}

struct writer {
    struct hl_log *log;
    int mark;
};

static void *write_lines(void *argument)
{
    const struct writer *writer = argument;
    char text[512];

    memset(text, 'a' + writer->mark, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < N_LINES; i++)
        hl_log(writer->log, HL_LOG_INFO, hl_log_event("e"), hl_log_text("a", text));
    return NULL;
}

static void lines_of_many_threads_never_mix(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[N_WRITERS];
    struct writer writers[N_WRITERS];
    FILE *lines = fdopen(dup(f->ends[0]), "r");
    char line[PIPE_BUF + 1];
    int n_lines = 0;

    assert_non_null(lines);
    for (int i = 0; i < N_WRITERS; i++) {
        writers[i] = (struct writer){f->log, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &writers[i]), 0);
    }
    while (n_lines < N_WRITERS * N_LINES && fgets(line, sizeof line, lines)) {
        size_t n_same = 0;

        assert_memory_equal(line, "event=e a=\"", 11);
        n_same = strspn(line + 11, (const char[]){line[11], '\0'});
        assert_int_equal(n_same, 511);
        assert_memory_equal(line + 11 + n_same, "\" level=info time=", 18);
        n_lines++;
    }
    assert_int_equal(n_lines, N_WRITERS * N_LINES);
    for (int i = 0; i < N_WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    fclose(lines);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_one_line_with_its_name_first),
        TEST(text_from_outside_cannot_write_a_line_of_its_own),
        TEST(a_word_that_is_none_is_quoted),
        TEST(characters_pass_and_broken_bytes_are_shown),
        TEST(what_is_below_the_level_is_not_even_evaluated),
        TEST(names_of_levels_and_formats_are_those_of_the_settings),
        TEST(as_json_every_line_is_an_object),
        TEST(a_long_line_is_cut_and_says_so),
        TEST(lines_of_many_threads_never_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
