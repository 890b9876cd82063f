/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/cli.h"

#include <stdio.h>
#include <string.h>

#define PARSE(cli, err, ...)                                                               \
    hl_cli_parse(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),              \
                 (const char *const[]){__VA_ARGS__}, (cli), (err))

#define ASSERT_REFUSED(sentence, ...)                                                      \
    do {                                                                                   \
        struct hl_cli cli_;                                                                \
        struct hl_err err_;                                                                \
        assert_int_equal(PARSE(&cli_, &err_, __VA_ARGS__), HL_INVALID);                    \
        assert_string_equal(err_.msg, sentence);                                           \
    } while (0)

static void assert_help(const struct hl_cli *cli, enum hl_command topic)
{
    assert_int_equal(cli->command, HL_COMMAND_HELP);
    assert_int_equal(cli->topic, topic);
}

static void help_is_found_however_it_is_asked_for(void **state)
{
    struct hl_cli cli;
    struct hl_err err;

    (void)state;
    assert_int_equal(PARSE(&cli, &err, "help"), HL_OK);
    assert_help(&cli, HL_COMMAND_HELP);
    assert_int_equal(PARSE(&cli, &err, "--help"), HL_OK);
    assert_help(&cli, HL_COMMAND_HELP);
    assert_int_equal(PARSE(&cli, &err, "-h"), HL_OK);
    assert_help(&cli, HL_COMMAND_HELP);
    assert_int_equal(PARSE(&cli, &err, "help", "serve"), HL_OK);
    assert_help(&cli, HL_COMMAND_SERVE);
    assert_int_equal(PARSE(&cli, &err, "serve", "--port", "1", "--help"), HL_OK);
    assert_help(&cli, HL_COMMAND_SERVE);
    assert_int_equal(PARSE(&cli, &err, "version", "-h"), HL_OK);
    assert_help(&cli, HL_COMMAND_VERSION);
}

static void the_version_is_a_command_and_a_flag(void **state)
{
    struct hl_cli cli;
    struct hl_err err;

    (void)state;
    assert_int_equal(PARSE(&cli, &err, "version"), HL_OK);
    assert_int_equal(cli.command, HL_COMMAND_VERSION);
    assert_int_equal(PARSE(&cli, &err, "--version"), HL_OK);
    assert_int_equal(cli.command, HL_COMMAND_VERSION);
}

static void serve_takes_its_flags_in_both_spellings(void **state)
{
    struct hl_cli cli;
    struct hl_err err;

    (void)state;
    assert_int_equal(PARSE(&cli, &err, "serve", "--port", "0", "--data=/x=y", "--config",
                           "f.ini", "--check-config", "--print-config", "--host="),
                     HL_OK);
    assert_int_equal(cli.command, HL_COMMAND_SERVE);
    assert_string_equal(cli.config_file, "f.ini");
    assert_true(cli.check_config);
    assert_true(cli.print_config);
    assert_int_equal(cli.n_flags, 3);
    assert_int_equal(cli.flags[0].setting, HL_SETTING_HTTP_PORT);
    assert_string_equal(cli.flags[0].name, "--port");
    assert_string_equal(cli.flags[0].value, "0");
    assert_int_equal(cli.flags[1].setting, HL_SETTING_STORAGE_PATH);
    assert_string_equal(cli.flags[1].value, "/x=y");
    assert_int_equal(cli.flags[2].setting, HL_SETTING_HOST);
    assert_string_equal(cli.flags[2].value, "");
}

static void what_nobody_knows_is_refused_with_the_nearest_name(void **state)
{
    struct hl_cli cli;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_cli_parse(0, NULL, &cli, &err), HL_INVALID);
    assert_string_equal(err.msg, "a command is wanted");
    ASSERT_REFUSED("there is no command \"serv\"; did you mean \"serve\"?", "serv");
    ASSERT_REFUSED("there is no command \"bake\"", "bake");
    ASSERT_REFUSED("there is no command \"vresion\"; did you mean \"version\"?", "help",
                   "vresion");
    ASSERT_REFUSED("serve has no flag \"--prot\"; did you mean \"--port\"?", "serve",
                   "--prot");
    ASSERT_REFUSED("serve has no flag \"--prot=1\"; did you mean \"--port\"?", "serve",
                   "--prot=1");
    ASSERT_REFUSED("serve has no flag \"--verbose\"", "serve", "--verbose");
    ASSERT_REFUSED("serve takes flags only, not \"6333\"", "serve", "6333");
    ASSERT_REFUSED("version takes nothing, not \"now\"", "version", "now");
    ASSERT_REFUSED("help takes one command, not 2", "help", "serve", "version");
}

static void a_flag_wants_one_value_once(void **state)
{
    (void)state;
    ASSERT_REFUSED("\"--port\" wants a value", "serve", "--port");
    ASSERT_REFUSED("\"--config\" wants a value", "serve", "--config");
    ASSERT_REFUSED("\"--port\" is there twice", "serve", "--port", "1", "--port=2");
    ASSERT_REFUSED("\"--config\" is there twice", "serve", "--config=a", "--config=b");
}

static void the_help_of_serve_names_every_setting_and_flag(void **state)
{
    struct hl_buf text;

    (void)state;
    hl_buf_init(&text, 1 << 20);
    hl_cli_help(&(struct hl_cli){.topic = HL_COMMAND_SERVE}, &text);
    assert_int_equal(text.failed, HL_OK);
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);
        char line[256];

        snprintf(line, sizeof line, "    %s = %s ", row->key, row->standard);
        assert_non_null(strstr(text.data, line));
        snprintf(line, sizeof line, "\n[%s]\n", row->section);
        assert_non_null(strstr(text.data, line));
        if (row->flag)
            assert_non_null(strstr(text.data, row->flag));
    }
    hl_buf_done(&text);
}

static void no_help_is_wider_than_a_terminal(void **state)
{
    (void)state;
    for (unsigned topic = 0; topic < HL_N_COMMANDS; topic++) {
        struct hl_buf text;

        hl_buf_init(&text, 1 << 20);
        hl_cli_help(&(struct hl_cli){.topic = (enum hl_command)topic}, &text);
        assert_true(text.len > 100);
        for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
            if (strcspn(line, "\n") > 96)
                fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
        hl_buf_done(&text);
    }
}

static void assert_narrow(const struct hl_tool *tool)
{
    const struct hl_cli cli = {.topic = HL_COMMAND_TOOL, .tool = tool};
    struct hl_buf text;

    hl_buf_init(&text, 1 << 20);
    hl_cli_help(&cli, &text);
    for (size_t i = 0; i < tool->n_flags; i++)
        assert_non_null(strstr(text.data, tool->flags[i].name));
    for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 96)
            fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
    hl_buf_done(&text);
}

static void the_help_of_every_tool_names_its_flags(void **state)
{
    (void)state;
    for (size_t i = 0; i < hl_n_tools; i++)
        assert_narrow(hl_tools[i]);
}

static void a_tool_takes_flags_and_files_in_any_order(void **state)
{
    struct hl_cli cli;
    struct hl_err err;

    (void)state;
    assert_int_equal(
        PARSE(&cli, &err, "import", "a.npy", "--collection", "c", "--batch=7", "--restart"),
        HL_OK);
    assert_int_equal(cli.command, HL_COMMAND_TOOL);
    assert_string_equal(cli.tool->name, "import");
    assert_int_equal(cli.words.n_files, 1);
    assert_string_equal(cli.words.files[0], "a.npy");
    assert_int_equal(PARSE(&cli, &err, "import", "--help"), HL_OK);
    assert_int_equal(cli.command, HL_COMMAND_HELP);
    assert_int_equal(PARSE(&cli, &err, "help", "export"), HL_OK);
    assert_string_equal(cli.tool->name, "export");
}

static void a_tool_refuses_what_it_does_not_take(void **state)
{
    (void)state;
    ASSERT_REFUSED("import wants \"--collection NAME\"", "import", "a.npy");
    ASSERT_REFUSED("import wants a file", "import", "--collection", "c");
    ASSERT_REFUSED("import takes at most 1 file, \"b\" is more", "import", "a", "b",
                   "--collection", "c");
    ASSERT_REFUSED("import has no flag \"--colection\"; did you mean \"--collection\"?",
                   "import", "--colection", "c");
    ASSERT_REFUSED("\"--collection\" wants a value: NAME", "import", "a", "--collection");
    ASSERT_REFUSED("\"--restart\" takes no value", "import", "a", "--restart=1");
    ASSERT_REFUSED("\"--batch\" is there twice", "import", "--batch=1", "--batch=2");
    ASSERT_REFUSED("there is no command \"exprot\"; did you mean \"export\"?", "exprot");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_found_however_it_is_asked_for),
        cmocka_unit_test(the_version_is_a_command_and_a_flag),
        cmocka_unit_test(serve_takes_its_flags_in_both_spellings),
        cmocka_unit_test(what_nobody_knows_is_refused_with_the_nearest_name),
        cmocka_unit_test(a_flag_wants_one_value_once),
        cmocka_unit_test(the_help_of_serve_names_every_setting_and_flag),
        cmocka_unit_test(no_help_is_wider_than_a_terminal),
        cmocka_unit_test(the_help_of_every_tool_names_its_flags),
        cmocka_unit_test(a_tool_takes_flags_and_files_in_any_order),
        cmocka_unit_test(a_tool_refuses_what_it_does_not_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
