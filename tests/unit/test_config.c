/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/file.h"
#include "server/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "a-secret-of-23-letters-"

struct fixture {
    char folder[64];
    char path[96];
    char secret_path[96];
    struct hl_config *config;
    struct hl_err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-config-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/heirloom.ini", f->folder);
    snprintf(f->secret_path, sizeof f->secret_path, "%s/secret", f->folder);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_config_free(f->config);
    unlink(f->path);
    unlink(f->secret_path);
    rmdir(f->folder);
    free(f);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    struct hl_replacement *replacement;
    struct hl_err err;

    assert_int_equal(hl_replacement_open(path, &replacement, &err), HL_OK);
    assert_int_equal(
        hl_file_write(hl_replacement_file(replacement), text, strlen(text), &err), HL_OK);
    assert_int_equal(hl_replacement_commit(replacement, &err), HL_OK);
}

/* What the text says as a file called "f". */
static enum hl_code read_text(struct fixture *f, const char *text)
{
    hl_config_free(f->config);
    f->config = NULL;
    return hl_config_read("f", text, strlen(text), &f->config, &f->err);
}

static enum hl_code load(struct fixture *f, const char *text,
                         const char *const *environment, const struct hl_config_flag *flags,
                         size_t n_flags)
{
    const struct hl_config_sources sources = {f->path, environment, flags, n_flags};

    write_file(f->path, text);
    hl_config_free(f->config);
    f->config = NULL;
    return hl_config_load(&sources, &f->config, &f->err);
}

/* What one variable says over the defaults. */
static enum hl_code load_variable(struct fixture *f, const char *variable)
{
    const char *const environment[] = {"PATH=/bin", variable, NULL};
    const struct hl_config_sources sources = {.environment = environment};

    hl_config_free(f->config);
    f->config = NULL;
    return hl_config_load(&sources, &f->config, &f->err);
}

static void assert_refused(struct fixture *f, const char *text, const char *sentence)
{
    assert_int_equal(read_text(f, text), HL_INVALID);
    assert_string_equal(f->err.msg, sentence);
    assert_null(f->config);
}

static void assert_variable_refused(struct fixture *f, const char *variable,
                                    const char *sentence)
{
    assert_int_equal(load_variable(f, variable), HL_INVALID);
    assert_string_equal(f->err.msg, sentence);
}

static void without_sources_everything_is_the_default(void **state)
{
    struct fixture *f = *state;
    const struct hl_config_sources sources = {0};

    assert_int_equal(hl_config_load(&sources, &f->config, &f->err), HL_OK);
    assert_string_equal(f->config->service.host, "127.0.0.1");
    assert_int_equal(f->config->service.http_port, 6333);
    assert_int_equal(f->config->service.max_request_size_mb, 32);
    assert_false(f->config->service.allow_remote_without_key);
    assert_string_equal(f->config->storage.path, "./data");
    assert_string_equal(f->config->search.kernels, "auto");
    assert_string_equal(f->config->log.level, "info");
    assert_int_equal(f->config->n_keys, 0);
    assert_string_equal(f->config->origins[HL_SETTING_HOST].name, "");
}

static void a_file_is_read_line_by_line(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_text(f, "# comment\n; another\n\n[service]\r\n"
                                  "  http_port =\t7000  \nallow_remote_without_key=true\n"
                                  "[storage]\npath = /a b/c#d;e=f\n[log]\nformat=json"),
                     HL_OK);
    assert_int_equal(f->config->service.http_port, 7000);
    assert_true(f->config->service.allow_remote_without_key);
    assert_string_equal(f->config->storage.path, "/a b/c#d;e=f");
    assert_string_equal(f->config->log.format, "json");
    assert_string_equal(f->config->origins[HL_SETTING_HTTP_PORT].name, "f:5");
}

static void flags_overrule_the_environment_and_that_the_file(void **state)
{
    struct fixture *f = *state;
    const char *const environment[] = {"HEIRLOOM__SERVICE__HTTP_PORT=2",
                                       "HEIRLOOM__SERVICE__HOST=127.0.0.2",
                                       "HEIRLOOM_FAILPOINTS=", NULL};
    const struct hl_config_flag flags[] = {{HL_SETTING_HTTP_PORT, "--port", "3"}};

    assert_int_equal(load(f, "[service]\nhttp_port=1\nhost=127.0.0.1\nworkers=1\n",
                          environment, flags, 1),
                     HL_OK);
    assert_int_equal(f->config->service.http_port, 3);
    assert_string_equal(f->config->origins[HL_SETTING_HTTP_PORT].name, "--port");
    assert_string_equal(f->config->service.host, "127.0.0.2");
    assert_string_equal(f->config->origins[HL_SETTING_HOST].name,
                        "HEIRLOOM__SERVICE__HOST");
    assert_int_equal(f->config->service.workers, 1);
    assert_non_null(strstr(f->config->origins[HL_SETTING_WORKERS].name, "heirloom.ini:4"));
}

static void names_nobody_knows_are_refused_with_the_nearest_one(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[service]\nhtp_port=1\n",
                   "f:2: there is no setting \"htp_port\" in section \"service\"; did you "
                   "mean \"http_port\"?");
    assert_refused(f, "[servce]\n",
                   "f:1: there is no section \"servce\"; did you mean \"service\"?");
    assert_refused(f, "[service]\nfavourite_colour=blue\n",
                   "f:2: there is no setting \"favourite_colour\" in section \"service\"");
    assert_refused(f, "[keys.a]\nsecrt=" SECRET "\n",
                   "f:2: there is no setting \"secrt\" of key \"a\"; did you mean "
                   "\"secret\"?");
    assert_variable_refused(f, "HEIRLOOM__SERVICE__HTTPPORT=1",
                            "HEIRLOOM__SERVICE__HTTPPORT: there is no setting \"httpport\" "
                            "in section \"service\"; did you mean \"http_port\"?");
    assert_variable_refused(f, "HEIRLOOM__PORT=1",
                            "variable \"HEIRLOOM__PORT\": must be "
                            "HEIRLOOM__SECTION__SETTING");
    assert_variable_refused(f, "HEIRLOOM__=1",
                            "variable \"HEIRLOOM__\": must be HEIRLOOM__SECTION__SETTING");
}

static void values_out_of_range_say_what_was_wanted(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[service]\nhttp_port=65536\n",
                   "f:2: service.http_port is \"65536\", must be a whole number from 0 to "
                   "65535");
    assert_refused(
        f, "[service]\nmax_connections=0\n",
        "f:2: service.max_connections is \"0\", must be a whole number from 1 to "
        "1000000");
    assert_refused(f, "[service]\nworkers=99999999999999999999999\n",
                   "f:2: service.workers is \"99999999999999999999999\", must be a whole "
                   "number from 0 to 1024");
    assert_refused(f, "[service]\nworkers=\n",
                   "f:2: service.workers is \"\", must be a whole number from 0 to 1024");
    assert_refused(f, "[service]\nworkers=-1\n",
                   "f:2: service.workers is \"-1\", must be a whole number from 0 to 1024");
    assert_refused(
        f, "[service]\nallow_remote_without_key=yes\n",
        "f:2: service.allow_remote_without_key is \"yes\", must be true or false");
    assert_refused(f, "[log]\nlevel=loud\n",
                   "f:2: log.level is \"loud\", must be one of error, warn, info, debug");
    assert_refused(f, "[storage]\npath=\n",
                   "f:2: storage.path is \"\", must be text of at most 1023 bytes");
}

static void broken_lines_are_refused_by_number(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "\n[service\n", "f:2: a section ends in \"]\"");
    assert_refused(f, "[]\n",
                   "f:1: the name of a section is letters, digits, \"_\", \"-\" and \".\"");
    assert_refused(f, "[service]\nhost\n",
                   "f:2: a line is \"[section]\", \"key = value\" or a comment");
    assert_refused(f, "host=a\n", "f:1: setting \"host\" stands before any section");
    assert_refused(f, "[service]\nhost=\"a\"\n", "f:2: a value is written without quotes");
    assert_refused(f, "[service]\nhost=a\x01\n",
                   "f:2: there is a control character in the line");
    assert_refused(f, "[service]\n =1\n",
                   "f:2: the name of a setting is letters, digits, \"_\", \"-\" and \".\"");
}

static void a_file_does_not_say_the_same_thing_twice(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[service]\nhost=a\n[service]\nhost=b\n",
                   "f:4: \"host\" is set already, by f:2");
    assert_refused(f, "[keys.a]\nsecret=" SECRET "\nsecret=" SECRET "\n",
                   "f:3: \"secret\" of key \"a\" is set already, by f:2");
}

static void an_origin_keeps_its_line_however_long_the_path(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "[service]\nhttp_port=7\n";
    char name[400] = "";

    memset(name, 'x', sizeof name - 1);
    assert_int_equal(hl_config_read(name, text, strlen(text), &f->config, &f->err), HL_OK);
    assert_non_null(strstr(f->config->origins[HL_SETTING_HTTP_PORT].name, "x:2"));
}

static void variables_do_not_say_the_same_thing_twice(void **state)
{
    struct fixture *f = *state;
    const char *const ports[] = {"HEIRLOOM__SERVICE__HTTP_PORT=1",
                                 "HEIRLOOM__Service__http_port=2", NULL};
    const char *const secrets[] = {"HEIRLOOM__KEYS__A__SECRET=" SECRET "1",
                                   "HEIRLOOM__KEYS__a__SECRET=" SECRET "2", NULL};

    assert_int_equal(load(f, "[service]\nhttp_port=3\n", ports, NULL, 0), HL_INVALID);
    assert_string_equal(f->err.msg, "HEIRLOOM__Service__http_port: \"http_port\" is set "
                                    "already, by HEIRLOOM__SERVICE__HTTP_PORT");
    assert_int_equal(load(f, "", secrets, NULL, 0), HL_INVALID);
    assert_string_equal(f->err.msg, "HEIRLOOM__KEYS__a__SECRET: \"secret\" of key \"a\" is "
                                    "set already, by HEIRLOOM__KEYS__A__SECRET");
}

static void keys_are_read_from_files_variables_and_files_of_their_own(void **state)
{
    struct fixture *f = *state;
    const char *const environment[] = {"HEIRLOOM__KEYS__OUR_APP__SECRET=" SECRET "app",
                                       "HEIRLOOM__KEYS__OUR_APP__ACCESS=read_only",
                                       "HEIRLOOM__KEYS__PLAIN__SECRET=" SECRET "new", NULL};
    char text[512];

    write_file(f->secret_path, SECRET "file\n");
    snprintf(text, sizeof text,
             "[keys.plain]\nsecret=" SECRET "#;=\n[keys.own]\n"
             "secret_file=%s\n",
             f->secret_path);
    assert_int_equal(load(f, text, environment, NULL, 0), HL_OK);
    assert_int_equal(f->config->n_keys, 3);
    assert_string_equal(f->config->keys[0].id, "plain");
    assert_string_equal(f->config->keys[0].secret, SECRET "new");
    assert_int_equal(f->config->keys[0].access, HL_ACCESS_FULL);
    assert_string_equal(f->config->keys[1].id, "own");
    assert_string_equal(f->config->keys[1].secret, SECRET "file");
    assert_string_equal(f->config->keys[2].id, "our_app");
    assert_string_equal(f->config->keys[2].secret, SECRET "app");
    assert_int_equal(f->config->keys[2].access, HL_ACCESS_READ_ONLY);
}

static void keys_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "[keys.a]\nsecret=15-letters-only\n",
                   "f:2: the secret of key \"a\" has 15 bytes, must have 16 to 256");
    assert_refused(
        f, "[keys.a]\nsecret=sixteen letters!\n",
        "f:2: byte 8 of the secret of key \"a\" is not a visible ASCII character");
    assert_refused(f, "[keys.a]\n", "f:1: key \"a\" has no secret");
    assert_refused(f, "[keys.a]\nsecret=" SECRET "\naccess=writer\n",
                   "f:3: the access of key \"a\" is \"writer\", must be full or read_only");
    assert_refused(f, "[keys.a]\nsecret=" SECRET "\n[keys.b]\nsecret=" SECRET "\n",
                   "f:3: keys \"a\" and \"b\" have the same secret");
    assert_refused(f, "[keys.a]\nsecret=" SECRET "\nsecret_file=/x\n",
                   "f:3: key \"a\" has a secret_file as well as a secret, by f:2");
    assert_refused(
        f, "[keys.A]\n",
        "f:1: key id \"A\", must be at most 64 lower case letters, digits, \"-\" "
        "and single \"_\" between them");
    assert_refused(f, "[keys.a__b]\n",
                   "f:1: key id \"a__b\", must be at most 64 lower case letters, digits, "
                   "\"-\" and single \"_\" between them");
}

static void a_secret_is_never_printed(void **state)
{
    struct fixture *f = *state;
    struct hl_buf text;

    assert_int_equal(read_text(f, "[keys.a]\nsecret=" SECRET "\naccess=read_only\n"),
                     HL_OK);
    hl_buf_init(&text, 1 << 20);
    hl_config_print(f->config, &text);
    assert_null(strstr(text.data, SECRET));
    assert_non_null(
        strstr(text.data, "[keys.a]\n# secret = (hidden)\naccess = read_only\n"));
    hl_buf_done(&text);
    assert_refused(f, "[keys.a]\nsecret=short-secret\n",
                   "f:2: the secret of key \"a\" has 12 bytes, must have 16 to 256");
}

static void what_is_printed_reads_back(void **state)
{
    struct fixture *f = *state;
    struct hl_buf text, again;

    assert_int_equal(read_text(f, "[service]\nhost=::1\nhttp_port=0\n[log]\nlevel=debug\n"
                                  "[search]\nkernels=portable\n[storage]\npath=/x #y\n"),
                     HL_OK);
    hl_buf_init(&text, 1 << 20);
    hl_buf_init(&again, 1 << 20);
    hl_config_print(f->config, &text);
    assert_non_null(strstr(text.data, "# Set by f:2\nhost = ::1\n"));
    assert_int_equal(read_text(f, text.data), HL_OK);
    for (unsigned i = 0; i < HL_N_SETTINGS; i++)
        f->config->origins[i].name[0] = '\0';
    hl_config_print(f->config, &again);
    assert_null(strstr(again.data, "Set by"));
    assert_non_null(strstr(again.data, "\nhost = ::1\n"));
    assert_non_null(strstr(again.data, "\nhttp_port = 0\n"));
    assert_non_null(strstr(again.data, "\nlevel = debug\n"));
    assert_non_null(strstr(again.data, "\nkernels = portable\n"));
    assert_non_null(strstr(again.data, "\npath = /x #y\n"));
    hl_buf_done(&text);
    hl_buf_done(&again);
}

static void the_example_is_the_defaults(void **state)
{
    struct fixture *f = *state;
    struct hl_buf example, printed;
    const char *path = getenv("HEIRLOOM_EXAMPLE"); /* NOLINT(concurrency-mt-unsafe) */
    const char *licence = "# SPDX-License-Identifier: Apache-2.0\n";

    assert_non_null(path);
    hl_buf_init(&example, 1 << 20);
    hl_buf_init(&printed, 1 << 20);
    assert_int_equal(hl_file_load(path, &example, &f->err), HL_OK);
    assert_int_equal(read_text(f, ""), HL_OK);
    hl_config_print(f->config, &printed);
    assert_memory_equal(example.data, licence, strlen(licence));
    assert_string_equal(example.data + strlen(licence), printed.data);
    assert_int_equal(read_text(f, example.data), HL_OK);
    hl_buf_done(&example);
    hl_buf_done(&printed);
}

static void only_loopback_is_listened_on_without_a_key(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *text;
        enum hl_code code;
    } cases[] = {
        {"[service]\nhost=127.0.0.1\n", HL_OK},
        {"[service]\nhost=127.9.9.9\n", HL_OK},
        {"[service]\nhost=::1\n", HL_OK},
        {"[service]\nhost=localhost\n", HL_OK},
        {"[service]\nhost=0.0.0.0\n", HL_INVALID},
        {"[service]\nhost=::\n", HL_INVALID},
        {"[service]\nhost=::ffff:10.0.0.1\n", HL_INVALID},
        {"[service]\nhost=127.example.org\n", HL_INVALID},
        {"[service]\nhost=0.0.0.0\nallow_remote_without_key=true\n", HL_OK},
        {"[service]\nhost=0.0.0.0\n[keys.a]\nsecret=" SECRET "\n", HL_OK},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(read_text(f, cases[i].text), HL_OK);
        assert_int_equal(hl_config_check(f->config, &f->err), cases[i].code);
    }
}

static void a_body_that_is_taken_fits_into_the_memory_of_a_request(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_text(f, "[limits]\nrequest_memory_mb=33\n"), HL_OK);
    assert_int_equal(hl_config_check(f->config, &f->err), HL_OK);
    assert_int_equal(read_text(f, "[limits]\nrequest_memory_mb=32\n"), HL_OK);
    assert_int_equal(hl_config_check(f->config, &f->err), HL_INVALID);
    assert_string_equal(f->err.msg, "a body of max_request_size_mb = 32 does not fit into "
                                    "request_memory_mb = 32");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct fixture *f = *state;
    const struct hl_config_sources sources = {.file = "/nowhere/heirloom.ini"};
    char text[] = "[keys.a]\nsecret_file=/nowhere/secret\n";

    assert_int_equal(hl_config_load(&sources, &f->config, &f->err), HL_NOT_FOUND);
    assert_non_null(strstr(f->err.msg, "\"/nowhere/heirloom.ini\""));
    assert_int_equal(read_text(f, text), HL_NOT_FOUND);
    assert_string_equal(f->err.msg, "f:2: could not open \"/nowhere/secret\": it does not "
                                    "exist");
}

static void every_failed_allocation_is_reported_and_leaks_nothing(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char text[512];
    int n = 0;

    write_file(f->secret_path, SECRET "file\n");
    snprintf(text, sizeof text,
             "[service]\nhost=::1\n[keys.a]\nsecret=" SECRET "\n[keys.b]\n"
             "secret_file=%s\n",
             f->secret_path);
    while (code != HL_OK && n < 100) {
        char rule[32];

        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = read_text(f, text);
        hl_failpoint_disarm();
        if (code != HL_OK) {
            assert_int_equal(code, HL_NO_MEMORY);
            assert_null(f->config);
        }
    }
    assert_int_equal(code, HL_OK);
    assert_true(n > 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_sources_everything_is_the_default),
        TEST(a_file_is_read_line_by_line),
        TEST(flags_overrule_the_environment_and_that_the_file),
        TEST(names_nobody_knows_are_refused_with_the_nearest_one),
        TEST(values_out_of_range_say_what_was_wanted),
        TEST(broken_lines_are_refused_by_number),
        TEST(a_file_does_not_say_the_same_thing_twice),
        TEST(an_origin_keeps_its_line_however_long_the_path),
        TEST(variables_do_not_say_the_same_thing_twice),
        TEST(keys_are_read_from_files_variables_and_files_of_their_own),
        TEST(keys_that_make_no_sense_are_refused),
        TEST(a_secret_is_never_printed),
        TEST(what_is_printed_reads_back),
        TEST(the_example_is_the_defaults),
        TEST(only_loopback_is_listened_on_without_a_key),
        TEST(a_body_that_is_taken_fits_into_the_memory_of_a_request),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(every_failed_allocation_is_reported_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
