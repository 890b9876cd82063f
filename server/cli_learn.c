/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_learn.h"

#include "compat/bridge_file.h"
#include "proto/dir.h"
#include "proto/file.h"
#include "proto/model_name.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void hl_cli_model(const char *said, const char *path, char model[HL_CLI_MODEL])
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    const char *stem = slash ? slash + 1 : path;
    const char *dot = stem ? strrchr(stem, '.') : NULL;

    if (said)
        snprintf(model, HL_CLI_MODEL, "%s", hl_model_meant(said));
    else
        snprintf(model, HL_CLI_MODEL, "%.*s", dot ? (int)(dot - stem) : HL_CLI_MODEL,
                 stem ? stem : "");
}

static enum hl_code open_source(const char *path, struct hl_file **ret_file,
                                struct hl_source *ret_source, struct hl_err *err)
{
    struct hl_file *file = NULL;
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &file, err);

    if (code == HL_OK)
        code = hl_source_of_file(file, ret_source, err);
    if (code == HL_OK)
        *ret_file = file;
    else
        hl_file_close(file);
    return code;
}

static enum hl_code load_head(const char *path, struct hl_head **ret_head,
                              struct hl_err *err)
{
    struct hl_file *file;
    struct hl_source source;
    enum hl_code code;

    if (!path)
        return HL_OK;
    code = open_source(path, &file, &source, err);
    if (code != HL_OK)
        return code;
    code = hl_head_load(&source, 0, ret_head, err);
    hl_file_close(file);
    return code;
}

enum hl_code hl_cli_heads_load(struct hl_cli_heads *heads, const char *old_path,
                               const char *own_path, struct hl_err *err)
{
    enum hl_code code;

    *heads = (struct hl_cli_heads){0};
    code = hl_labels_new(&heads->labels, err);
    if (code == HL_OK)
        code = load_head(old_path, &heads->old, err);
    if (code == HL_OK)
        code = load_head(own_path, &heads->own, err);
    return code == HL_OK && heads->old ? hl_learn_add_head(heads->labels, heads->old, err)
                                       : code;
}

void hl_cli_heads_done(struct hl_cli_heads *heads)
{
    hl_head_free(heads->old);
    hl_head_free(heads->own);
    hl_labels_free(heads->labels);
}

enum hl_code hl_cli_load_bridge(const char *path, struct hl_bridge **ret_bridge,
                                struct hl_err *err)
{
    const struct hl_bridge_wanted any = {0};
    struct hl_file *file;
    struct hl_source source;
    enum hl_code code;

    if (!path)
        return HL_OK;
    code = open_source(path, &file, &source, err);
    if (code != HL_OK)
        return code;
    code = hl_bridge_load(&source, &any, ret_bridge, err);
    hl_file_close(file);
    return code;
}

enum hl_code hl_cli_print_report(const struct hl_report *report, struct hl_err *err)
{
    struct hl_buf text;
    enum hl_code code;

    if (!report)
        return HL_OK;
    hl_buf_init(&text, (size_t)1 << 20);
    hl_report_print_table(report, &text);
    code = hl_buf_check(&text, "the report", err);
    if (code == HL_OK)
        fputs(text.data, stdout);
    hl_buf_done(&text);
    return code;
}

enum hl_code hl_cli_save_text(const char *path, const char *text, struct hl_err *err)
{
    struct hl_replacement *replacement = NULL;
    enum hl_code code;

    if (!path)
        return HL_OK;
    code = hl_replacement_open(path, &replacement, err);
    if (code != HL_OK)
        return code;
    code = hl_file_write(hl_replacement_file(replacement), text, strlen(text), err);
    if (code == HL_OK)
        code = hl_file_write(hl_replacement_file(replacement), "\n", 1, err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, err);
    hl_replacement_abandon(replacement);
    return code;
}

enum hl_code hl_cli_check_path(const char *path, struct hl_err *err)
{
    struct hl_replacement *replacement = NULL;
    struct hl_err ignored;
    size_t n;
    enum hl_code code;

    if (!path)
        return HL_OK;
    if (hl_dir_count(path, &n, &ignored) == HL_OK)
        return hl_fail(err, HL_INVALID, "\"%s\" is a folder, a file was wanted", path);
    code = hl_replacement_open(path, &replacement, err);
    if (code != HL_OK)
        return hl_fail_in(err, "could not write \"%s\"", path);
    hl_replacement_abandon(replacement);
    return HL_OK;
}

/* ---- telling ---- */

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void tell(void *self, const char *phase, double progress)
{
    struct hl_cli_teller *teller = self;
    bool is_new = strncmp(teller->phase, phase, sizeof teller->phase - 1) != 0;
    int percent = (int)(100 * progress);

    if (!is_new && (!teller->is_terminal || percent == teller->percent))
        return;
    snprintf(teller->phase, sizeof teller->phase, "%s", phase);
    teller->percent = percent;
    if (teller->is_terminal)
        fprintf(stderr, "\r\033[K%s: %3d %% %s", teller->what, percent, phase);
    else
        fprintf(stderr, "%s: %3d %% %s\n", teller->what, percent, phase);
    fflush(stderr);
}

void hl_cli_teller_init(struct hl_cli_teller *teller, const char *what,
                        struct hl_errand *ret_errand)
{
    static const struct hl_clock clock = {.now_us = now_us};

    *teller =
        (struct hl_cli_teller){.deadline = {.clock = &clock, .at_us = HL_DEADLINE_NEVER},
                               .what = what,
                               .is_terminal = isatty(STDERR_FILENO) == 1};
    *ret_errand =
        (struct hl_errand){.deadline = &teller->deadline, .tell = tell, .self = teller};
}

void hl_cli_teller_end(struct hl_cli_teller *teller)
{
    if (teller->is_terminal && teller->phase[0])
        fputs("\r\033[K", stderr);
}
