/* SPDX-License-Identifier: Apache-2.0 */
/* The program: reads the command line, does what it says, and says how it went. */

#include "compat/compat.h"
#include "index/index.h"
#include "proto/fail.h"
#include "server/cli.h"
#include "server/config.h"
#include "server/log.h"
#include "server/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, LARGEST_TEXT = 16 << 20 };

static int print_text(const struct hl_buf *text)
{
    struct hl_err err;

    if (hl_buf_check(text, "the text", &err) != HL_OK) {
        fprintf(stderr, "heirloom: %s\n", err.msg);
        return EXIT_FAILURE;
    }
    if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0) {
        fprintf(stderr, "heirloom: could not write to standard output\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int fail(const struct hl_err *err)
{
    fprintf(stderr, "heirloom: %s\n", err->msg);
    return EXIT_FAILURE;
}

static int run_help(const struct hl_cli *cli)
{
    struct hl_buf text;
    int status;

    hl_buf_init(&text, LARGEST_TEXT);
    hl_cli_help(cli, &text);
    status = print_text(&text);
    hl_buf_done(&text);
    return status;
}

static int run_version(void)
{
    const struct hl_config_sources sources = {.environment = (const char *const *)environ};
    struct hl_config *config = NULL;
    struct hl_buf text;
    struct hl_err err;
    int status;

    if (hl_config_load(&sources, &config, &err) != HL_OK)
        return fail(&err);
    hl_buf_init(&text, LARGEST_TEXT);
    if (hl_index_choose_kernels(config->search.kernels, &err) != HL_OK) {
        status = fail(&err);
    } else {
        hl_cli_version(&text);
        status = print_text(&text);
    }
    hl_buf_done(&text);
    hl_config_free(config);
    return status;
}

static int print_config(const struct hl_config *config)
{
    struct hl_buf text;
    int status;

    hl_buf_init(&text, LARGEST_TEXT);
    hl_config_print(config, &text);
    status = print_text(&text);
    hl_buf_done(&text);
    return status;
}

/* All that serve would refuse before it touches a port or a folder. */
static int check_config(const struct hl_config *config)
{
    struct hl_err err;

    if (hl_config_check(config, &err) != HL_OK ||
        hl_index_choose_kernels(config->search.kernels, &err) != HL_OK)
        return fail(&err);
    if (puts("the configuration is sound") < 0 || fflush(stdout) != 0) {
        fprintf(stderr, "heirloom: could not write to standard output\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static enum hl_code arm_failpoints(struct hl_log *log, struct hl_err *err)
{
    const char *rules = getenv("HEIRLOOM_FAILPOINTS"); /* NOLINT(concurrency-mt-unsafe) */
    enum hl_code code;

    if (!rules || !*rules)
        return HL_OK;
    code = hl_failpoint_arm(rules, err);
    if (code != HL_OK)
        return hl_fail_in(err, "HEIRLOOM_FAILPOINTS");
    hl_log(log, HL_LOG_WARN, hl_log_event("failpoints_armed"), hl_log_text("rules", rules));
    return HL_OK;
}

/* Everything that must be settled while there is one thread only. */
static enum hl_code settle(const struct hl_config *config, struct hl_log *log,
                           struct hl_err *err)
{
    hl_compat_hold_to_one_thread();
    if (hl_index_choose_kernels(config->search.kernels, err) != HL_OK)
        return hl_err_code(err);
    return arm_failpoints(log, err);
}

static int serve(const struct hl_config *config, const struct hl_config_sources *sources)
{
    struct hl_log *log = hl_log_new(STDERR_FILENO, hl_log_level_of(config->log.level),
                                    hl_log_format_of(config->log.format));
    const struct hl_serve_options options = {
        .config = config,
        .sources = sources,
        .notify_socket = getenv("NOTIFY_SOCKET"), /* NOLINT(concurrency-mt-unsafe) */
        .log = log};
    struct hl_err err;
    enum hl_code code;

    if (!log) {
        fprintf(stderr, "heirloom: no memory for the log\n");
        return EXIT_FAILURE;
    }
    code = settle(config, log, &err);
    if (code == HL_OK)
        code = hl_serve(&options, &err);
    if (code != HL_OK)
        hl_log(log, HL_LOG_ERROR, hl_log_event("not_serving"), hl_log_error(&err));
    hl_log_free(log);
    return code == HL_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* OpenMP reads OMP_NUM_THREADS before main begins, and FAISS uses OpenMP: a request would
 * take every processor. Setting it here is too late for this process, so the program begins
 * again, once, with the same arguments and the same process id. */
static void hold_libraries_to_one_thread(char **argv)
{
    const char *given = getenv("OMP_NUM_THREADS"); /* NOLINT(concurrency-mt-unsafe) */

    if (given && strcmp(given, "1") == 0)
        return;
    /* There is one thread yet. */
    if (setenv("OMP_NUM_THREADS", "1", 1) != 0 ||      /* NOLINT(concurrency-mt-unsafe) */
        setenv("OPENBLAS_NUM_THREADS", "1", 1) != 0) { /* NOLINT(concurrency-mt-unsafe) */
        perror("heirloom: could not set OMP_NUM_THREADS");
        return;
    }
    (void)execv("/proc/self/exe", argv);
    perror("heirloom: could not begin again with OMP_NUM_THREADS=1");
}

static int run_serve(const struct hl_cli *cli, char **argv)
{
    const struct hl_config_sources sources = {.file = cli->config_file,
                                              .environment = (const char *const *)environ,
                                              .flags = cli->flags,
                                              .n_flags = cli->n_flags};
    struct hl_config *config = NULL;
    struct hl_err err;
    int status;

    if (!cli->check_config && !cli->print_config)
        hold_libraries_to_one_thread(argv);
    if (hl_config_load(&sources, &config, &err) != HL_OK)
        return fail(&err);
    if (cli->print_config) {
        status = print_config(config);
    } else if (cli->check_config) {
        status = check_config(config);
    } else {
        status = serve(config, &sources);
    }
    hl_config_free(config);
    return status;
}

static int run_tool(const struct hl_cli *cli, char **argv)
{
    struct hl_err err;

    if (cli->tool->has_signals)
        hold_libraries_to_one_thread(argv);

    (void)signal(SIGPIPE, SIG_IGN);
    hl_compat_hold_to_one_thread(); /* what a server learns is the same to the last bit */
    if (cli->tool->run(&cli->words, &err) != HL_OK)
        return fail(&err);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "heirloom: could not write to standard output\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct hl_cli cli;
    struct hl_err err;

    if (hl_cli_parse(argc > 0 ? (size_t)argc - 1 : 0, (const char *const *)argv + 1, &cli,
                     &err) != HL_OK) {
        fprintf(stderr, "heirloom: %s\nTry \"heirloom help\".\n", err.msg);
        return EXIT_USAGE;
    }
    switch (cli.command) {
    case HL_COMMAND_SERVE:
        return run_serve(&cli, argv);
    case HL_COMMAND_VERSION:
        return run_version();
    case HL_COMMAND_TOOL:
        return run_tool(&cli, argv);
    case HL_COMMAND_HELP:
    default:
        return run_help(&cli);
    }
}
