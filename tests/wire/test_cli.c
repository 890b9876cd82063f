/* SPDX-License-Identifier: Apache-2.0 */
/* The program as somebody types it: what it prints, where, and with which status it ends.
 * 0 is success, 1 a failure, 2 words that were not understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_MS = 60000, MAX_WORDS = 8 };

struct run {
    struct hl_process process;
    int status;
    char *out;
    char *err;
};

/* `words` is the command line behind the program's name; `env` one variable or NULL. */
static struct run run(void **state, const char *const *words, const char *env)
{
    const char *argv[MAX_WORDS + 2] = {*state};
    const char *const envs[] = {env, NULL};
    struct run run;

    for (size_t i = 0; i < MAX_WORDS && words[i]; i++)
        argv[i + 1] = words[i];
    assert_true(hl_process_init(&run.process));
    assert_true(hl_process_start(&run.process, argv, envs));
    assert_true(hl_process_wait(&run.process, LIMIT_MS));
    run.status = run.process.status;
    run.out = hl_process_read(&run.process, "out");
    run.err = hl_process_read(&run.process, "err");
    return run;
}

static void done(struct run *run)
{
    free(run->out);
    free(run->err);
    hl_process_done(&run->process);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_says(const char *text, const char *wanted)
{
    if (!strstr(text, wanted)) {
        printf("# \"%s\" is not in: ", wanted);
        for (const char *c = text; *c; c++)
            fputs(*c == '\n' ? "\n# " : (const char[]){*c, '\0'}, stdout);
        printf("\n");
    }
    assert_non_null(strstr(text, wanted));
}

static void assert_misunderstood(void **state, const char *const *words, const char *what)
{
    struct run refused = run(state, words, NULL);

    assert_int_equal(refused.status, 2);
    assert_says(refused.err, what);
    assert_string_equal(refused.out, "");
    done(&refused);
}

static void version_names_itself_every_library_and_the_kernels(void **state)
{
    static const char *const libraries[] = {"heirloom", "libmicrohttpd", "FAISS",
                                            "OpenBLAS", "cJSON",         "kernels"};
    struct run version = run(state, WORDS("version"), NULL);

    assert_int_equal(version.status, 0);
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++)
        assert_says(version.out, libraries[i]);
    assert_string_equal(version.err, "");
    done(&version);
}

static void version_obeys_the_environment_in_its_kernels(void **state)
{
    struct run version = run(state, WORDS("version"), "HEIRLOOM__SEARCH__KERNELS=portable");

    assert_int_equal(version.status, 0);
    assert_says(version.out, "portable");
    done(&version);
}

static void help_goes_to_stdout_and_names_every_command(void **state)
{
    static const char *const asked[] = {"help", "--help", "-h"};

    for (size_t i = 0; i < 3; i++) {
        struct run help = run(state, WORDS(asked[i]), NULL);

        assert_int_equal(help.status, 0);
        assert_says(help.out, "serve");
        assert_says(help.out, "version");
        assert_string_equal(help.err, "");
        done(&help);
    }
}

static void help_of_a_command_names_its_flags(void **state)
{
    static const char *const flags[] = {"--config", "--data",         "--host",
                                        "--port",   "--check-config", "--print-config"};
    struct run help = run(state, WORDS("help", "serve"), NULL);
    struct run same = run(state, WORDS("serve", "--help"), NULL);

    assert_int_equal(help.status, 0);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        assert_says(help.out, flags[i]);
    assert_int_equal(same.status, 0);
    assert_string_equal(same.out, help.out);
    done(&help);
    done(&same);
}

static void words_nobody_knows_are_named_and_end_with_2(void **state)
{
    assert_misunderstood(state, WORDS("srve"), "\"srve\"");
    assert_misunderstood(state, WORDS("serve", "--prot", "1"), "--prot");
    assert_misunderstood(state, WORDS("serve", "--port"), "--port");
    assert_misunderstood(state, WORDS("serve", "extra"), "\"extra\"");
    assert_misunderstood(state, WORDS("help", "nothing"), "\"nothing\"");
}

static void a_port_that_is_none_is_named(void **state)
{
    static const char *const ports[] = {"http", "-1", "65536", "80x", ""};

    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        struct run refused =
            run(state, WORDS("serve", "--check-config", "--port", ports[i]), NULL);

        assert_in_range(refused.status, 1, 2);
        assert_says(refused.err, "port");
        done(&refused);
    }
}

/* Runs `serve --check-config` on that text. */
static struct run check_config(void **state, const char *config)
{
    struct hl_process dir; /* only for its directory */
    char path[HL_PROCESS_PATH_SIZE];
    struct run checked;

    assert_true(hl_process_init(&dir));
    assert_true(hl_process_write(&dir, "heirloom.ini", config));
    hl_process_path(&dir, "heirloom.ini", path);
    checked = run(state, WORDS("serve", "--config", path, "--check-config"), NULL);
    hl_process_done(&dir);
    return checked;
}

static void check_config_accepts_what_serve_would(void **state)
{
    struct run good = check_config(state, "[service]\nhttp_port = 0\nworkers = 3\n");

    if (good.status != 0)
        print_message("# it said: %s\n", good.err);
    assert_int_equal(good.status, 0);
    done(&good);
}

static void check_config_names_the_line_and_what_is_wrong_with_it(void **state)
{
    static const struct {
        const char *config;
        const char *line;
        const char *what;
    } wrongs[] = {
        {"[service]\nworkres = 3\n", ":2", "workres"},
        {"[servce]\nworkers = 3\n", ":1", "servce"},
        {"[service]\nworkers = many\n", ":2", "many"},
        {"[service]\n\nhttp_port = 70000\n", ":3", "70000"},
        {"[search]\nkernels = fastest\n", ":2", "fastest"},
        {"[log]\nlevel = loud\n", ":2", "loud"},
        {"[keys.a]\nsecret = short\n", "", "a"},
        {"[keys.a]\naccess = full\n", "", "secret"},
        {"workers = 3\n", ":1", "workers"},
        {"[service]\nworkers\n", ":2", "key = value"},
    };

    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct run refused = check_config(state, wrongs[i].config);

        assert_int_equal(refused.status, 1);
        assert_says(refused.err, wrongs[i].line);
        assert_says(refused.err, wrongs[i].what);
        done(&refused);
    }
}

static void a_config_that_is_not_there_is_named(void **state)
{
    struct run refused = run(
        state, WORDS("serve", "--config", "/nowhere/at-all.ini", "--check-config"), NULL);

    assert_int_equal(refused.status, 1);
    assert_says(refused.err, "/nowhere/at-all.ini");
    done(&refused);
}

static void a_variable_nobody_knows_is_refused(void **state)
{
    struct run refused =
        run(state, WORDS("serve", "--check-config"), "HEIRLOOM__SERVICE__WORKRES=3");

    assert_int_equal(refused.status, 1);
    assert_says(refused.err, "HEIRLOOM__SERVICE__WORKRES");
    done(&refused);
}

static void print_config_masks_secrets_and_shows_the_rest(void **state)
{
    struct run printed = run(state, WORDS("serve", "--print-config", "--port", "7777"),
                             "HEIRLOOM__KEYS__MAIN__SECRET=sixteen-characters-or-more");

    assert_int_equal(printed.status, 0);
    assert_says(printed.out, "[service]");
    assert_says(printed.out, "7777");
    assert_null(strstr(printed.out, "sixteen-characters"));
    assert_null(strstr(printed.err, "sixteen-characters"));
    done(&printed);
}

static void flags_go_before_the_environment_and_that_before_the_file(void **state)
{
    struct run printed = run(state, WORDS("serve", "--print-config", "--port", "7777"),
                             "HEIRLOOM__SERVICE__HTTP_PORT=8888");
    struct run without =
        run(state, WORDS("serve", "--print-config"), "HEIRLOOM__SERVICE__HTTP_PORT=8888");

    assert_says(printed.out, "http_port = 7777");
    assert_says(without.out, "http_port = 8888");
    done(&printed);
    done(&without);
}

static void it_does_not_listen_beyond_loopback_without_a_key(void **state)
{
    struct hl_process dir; /* only for its directory */
    struct run refused;

    assert_true(hl_process_init(&dir));
    refused = run(
        state, WORDS("serve", "--host", "0.0.0.0", "--port", "0", "--data", dir.dir), NULL);
    assert_int_equal(refused.status, 1);
    assert_says(refused.err, "allow_remote_without_key");
    done(&refused);
    hl_process_done(&dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(version_names_itself_every_library_and_the_kernels,
                                  argv[1]),
        cmocka_unit_test_prestate(version_obeys_the_environment_in_its_kernels, argv[1]),
        cmocka_unit_test_prestate(help_goes_to_stdout_and_names_every_command, argv[1]),
        cmocka_unit_test_prestate(help_of_a_command_names_its_flags, argv[1]),
        cmocka_unit_test_prestate(words_nobody_knows_are_named_and_end_with_2, argv[1]),
        cmocka_unit_test_prestate(a_port_that_is_none_is_named, argv[1]),
        cmocka_unit_test_prestate(check_config_accepts_what_serve_would, argv[1]),
        cmocka_unit_test_prestate(check_config_names_the_line_and_what_is_wrong_with_it,
                                  argv[1]),
        cmocka_unit_test_prestate(a_config_that_is_not_there_is_named, argv[1]),
        cmocka_unit_test_prestate(a_variable_nobody_knows_is_refused, argv[1]),
        cmocka_unit_test_prestate(print_config_masks_secrets_and_shows_the_rest, argv[1]),
        cmocka_unit_test_prestate(flags_go_before_the_environment_and_that_before_the_file,
                                  argv[1]),
        cmocka_unit_test_prestate(it_does_not_listen_beyond_loopback_without_a_key,
                                  argv[1]),
    };

    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
