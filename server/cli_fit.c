/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_fit.h"

#include "compat/bridge_file.h"
#include "proto/model_name.h"
#include "proto/number.h"
#include "server/cli_learn.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum flag {
    FROM,
    TO,
    LABELS,
    HEAD,
    OWN_HEAD,
    ITEMS,
    CHOOSE,
    REPORT,
    KIND,
    TASK,
    SEED,
    HIDDEN,
    RANK,
    FOCAL,
    PRINTS,
    OUT,
    JSON,
    N_FLAGS
};

static const struct hl_tool_flag flags[N_FLAGS] = {
    [FROM] =
        {"--from", "NAME",
         "the model that the bridge comes from: a tensor of the data set; of .npy what "
         "its file is called, unless this says otherwise",
         false},
    [TO] = {"--to", "NAME", "the model that it leads to, in the same way", false},
    [LABELS] = {"--labels", "FILE",
                ".npy: a whole number for each row, below 0 where it is not known", false},
    [HEAD] = {"--head", "FILE",
              "the classifier head of the model it leads to, .safetensors", false},
    [OWN_HEAD] = {"--own-head", "FILE",
                  "that of the model it comes from; the report compares with it", false},
    [ITEMS] =
        {"--items", "TO,LABELS",
         "labelled vectors of the model it leads to, which the other one has not seen: "
         "for data that are no pairs",
         false},
    [CHOOSE] = {"--choose", "FROM,TO,LABELS",
                "rows to choose by, or a data set; else a tenth of the data", false},
    [REPORT] = {"--report", "FROM,TO,LABELS",
                "rows to report on, or a data set; else a tenth of the data", false},
    [KIND] =
        {"--kind", "KIND",
         "auto, residual, anchored, influence, procrustes, ridge, lowrank, faithful or "
         "lsq (auto: all that the data allow, and the best is kept)",
         false},
    [TASK] = {"--task", "TASK",
              "similar: of the same kind; same: the very photograph (similar)", false},
    [SEED] = {"--seed", "N", "the same seed and data make the same bridge (1)", false},
    [HIDDEN] = {"--hidden", "N", "the width of a residual (chosen)", false},
    [RANK] = {"--rank", "N", "of lowrank (chosen)", false},
    [FOCAL] = {"--focal", "A,B",
               "focal distillation: weight of the old logits, and more where the old model "
               "was right",
               false},
    [PRINTS] =
        {"--fingerprints", "FROM,TO",
         "those of the server's two models, as GET …/models says them: a server takes "
         "a bridge only for its own",
         false},
    [OUT] = {"--out", "FILE", "the bridge, .safetensors; without it nothing is kept",
             false},
    [JSON] = {"--json", "FILE", "the report as JSON", false},
};

struct fit {
    const struct hl_tool_words *words;
    char from[HL_CLI_MODEL], to[HL_CLI_MODEL];
    char rooms[3][HL_LESSON_ROOM]; /* of --items, --choose, --report */
    char from_print[HL_SHA256_TEXT_SIZE], to_print[HL_SHA256_TEXT_SIZE];
    struct hl_lesson_files *data, *items, *choose, *report;
    struct hl_cli_heads heads;
    struct hl_learn learn;
};

/* ---- what was typed ---- */

static enum hl_code read_kind(struct fit *fit, struct hl_err *err)
{
    const char *kind = fit->words->values[KIND], *task = fit->words->values[TASK];
    char names[160] = "";

    fit->learn.kind = HL_KIND_AUTO;
    for (int i = 0; i < HL_N_KINDS; i++) {
        size_t len = strlen(names);

        snprintf(names + len, sizeof names - len, "%s%s", i ? ", " : "",
                 hl_kind_name((enum hl_kind)i));
    }
    if (kind && !hl_kind_find(kind, strlen(kind), &fit->learn.kind))
        return hl_fail(err, HL_INVALID, "\"--kind\" is one of %s, not \"%.32s\"", names,
                       kind);
    if (task && !hl_task_find(task, strlen(task), &fit->learn.task))
        return hl_fail(err, HL_INVALID,
                       "\"--task\" is \"similar\" or \"same\", not \"%.32s\"", task);
    return HL_OK;
}

static enum hl_code read_focal(struct fit *fit, struct hl_err *err)
{
    const char *text = fit->words->values[FOCAL];
    const char *comma = text ? strchr(text, ',') : NULL;
    struct hl_focal *focal = &fit->learn.focal;

    if (text &&
        (!comma || !hl_tool_read_decimal(text, (size_t)(comma - text), &focal->alpha) ||
         !hl_tool_read_decimal(comma + 1, strlen(comma + 1), &focal->beta)))
        return hl_fail(err, HL_INVALID,
                       "\"--focal\" wants two numbers such as 0.1,0.5, not \"%.32s\"",
                       text);
    return HL_OK;
}

static enum hl_code read_prints(struct fit *fit, struct hl_err *err)
{
    const char *text = fit->words->values[PRINTS];
    const size_t len = HL_SHA256_TEXT_SIZE - 1;
    static const char digits[] = "0123456789abcdef";

    if (!text)
        return HL_OK;
    if (strlen(text) != 2 * len + 1 || text[len] != ',' || strspn(text, digits) != len ||
        strspn(text + len + 1, digits) != len)
        return hl_fail(err, HL_INVALID,
                       "\"--fingerprints\" wants two of 64 digits 0-9a-f, with a comma "
                       "between");
    memcpy(fit->from_print, text, len);
    memcpy(fit->to_print, text + len + 1, len);
    return HL_OK;
}

static enum hl_code read_numbers(struct fit *fit, struct hl_err *err)
{
    uint64_t hidden = 0, rank = 0;
    enum hl_code code =
        hl_tool_number(&hl_cli_fit, fit->words, SEED, 1, &fit->learn.seed, err);

    if (code == HL_OK)
        code = hl_tool_number(&hl_cli_fit, fit->words, HIDDEN, 0, &hidden, err);
    if (code == HL_OK)
        code = hl_tool_number(&hl_cli_fit, fit->words, RANK, 0, &rank, err);
    if (code == HL_OK && (hidden > UINT16_MAX || rank > UINT16_MAX))
        return hl_fail(err, HL_INVALID, "\"--hidden\" and \"--rank\" are at most %d",
                       UINT16_MAX);
    fit->learn.n_hidden = (size_t)hidden;
    fit->learn.rank = (size_t)rank;
    return code;
}

static enum hl_code read_words(struct fit *fit, struct hl_err *err)
{
    enum hl_code code = read_kind(fit, err);

    if (code == HL_OK)
        code = read_numbers(fit, err);
    if (code == HL_OK)
        code = read_focal(fit, err);
    return code == HL_OK ? read_prints(fit, err) : code;
}

/* ---- files ---- */

static enum hl_code open_data(struct fit *fit, struct hl_err *err)
{
    const struct hl_tool_words *words = fit->words;
    const char *second = words->n_files > 1 ? words->files[1] : NULL;
    struct hl_lesson_paths paths = {
        .from = words->files[0], .to = second, .labels = words->values[LABELS]};

    if (hl_lesson_is_dataset(words->files[0])) {
        if (second || words->values[LABELS] || !words->values[FROM])
            return hl_fail(err, HL_INVALID,
                           "a data set comes alone, with \"--from NAME\" and \"--to NAME\" "
                           "of the models in it: its labels are in it");
        paths = (struct hl_lesson_paths){
            .dataset = words->files[0],
            .from_name = fit->from,
            .to_name = words->values[ITEMS] || !words->values[TO] ? NULL : fit->to};
    }
    return hl_lesson_files_open(&paths, fit->heads.labels, &fit->data, err);
}

/* --items, --choose or --report. Of items the first file is the model's it leads to. */
static enum hl_code open_more(struct fit *fit, enum flag flag,
                              struct hl_lesson_files **ret_files, struct hl_err *err)
{
    const char *text = fit->words->values[flag];
    struct hl_lesson_paths paths;
    enum hl_code code;

    if (!text)
        return HL_OK;
    code = hl_lesson_paths_read(text, fit->rooms[flag - ITEMS], &paths, err);
    if (code == HL_OK && flag == ITEMS && !paths.dataset) {
        if (!paths.from || !paths.to || paths.labels)
            return hl_fail(err, HL_INVALID,
                           "\"--items\" wants two files, TO,LABELS, or a data set");
        paths.labels = paths.to;
        paths.to = paths.from;
        paths.from = NULL;
    }
    if (code == HL_OK && paths.dataset) {
        paths.from_name = flag == ITEMS ? NULL : fit->from;
        paths.to_name = fit->to;
    }
    if (code == HL_OK)
        code = hl_lesson_files_open(&paths, fit->heads.labels, ret_files, err);
    return code == HL_OK ? HL_OK : hl_fail_in(err, "%s", flags[flag].name);
}

static void name_models(struct fit *fit)
{
    const struct hl_tool_words *words = fit->words;
    bool is_dataset = hl_lesson_is_dataset(words->files[0]);

    hl_cli_model(words->values[FROM], is_dataset ? NULL : words->files[0], fit->from);
    hl_cli_model(words->values[TO],
                 is_dataset             ? "to"
                 : words->n_files > 1   ? words->files[1]
                 : words->values[ITEMS] ? "items"
                 : words->values[HEAD]  ? words->values[HEAD]
                                        : "to",
                 fit->to);
}

static enum hl_code open_all(struct fit *fit, struct hl_err *err)
{
    enum hl_code code = hl_cli_heads_load(&fit->heads, fit->words->values[HEAD],
                                          fit->words->values[OWN_HEAD], err);

    if (code == HL_OK)
        code = open_data(fit, err);
    if (code == HL_OK)
        code = open_more(fit, ITEMS, &fit->items, err);
    if (code == HL_OK)
        code = open_more(fit, CHOOSE, &fit->choose, err);
    return code == HL_OK ? open_more(fit, REPORT, &fit->report, err) : code;
}

static void fill_learn(struct fit *fit)
{
    struct hl_learn *learn = &fit->learn;

    learn->from = fit->from;
    learn->to = fit->to;
    learn->from_print = fit->from_print;
    learn->to_print = fit->to_print;
    learn->data = hl_lesson_files_lesson(fit->data);
    learn->items = hl_lesson_files_lesson(fit->items);
    learn->choose = hl_lesson_files_lesson(fit->choose);
    learn->report = hl_lesson_files_lesson(fit->report);
    learn->source.labels = fit->heads.labels;
    learn->source.head = fit->heads.old;
    learn->source.own_head = fit->heads.own;
    hl_lesson_files_note(fit->data, &learn->source);
    hl_lesson_files_note(fit->items, &learn->source);
    hl_lesson_files_note(fit->choose, &learn->source);
    hl_lesson_files_note(fit->report, &learn->source);
}

/* ---- what is said ---- */

static void print_figure(double value)
{
    if (isnan(value))
        fputs("      -", stdout);
    else
        printf(" %6.3f", value);
}

static void print_trials(const struct hl_fit_story *story)
{
    if (story->n_trials > 1)
        printf("\n  tried              top1    mAP  self@1 self@10\n");
    for (size_t i = 0; i < story->n_trials && story->n_trials > 1; i++) {
        const struct hl_fit_trial *trial = &story->trials[i];
        size_t n = trial->rank > 0 ? trial->rank : trial->n_hidden;
        char name[48];

        snprintf(name, sizeof name, n > 0 ? "%s %zu" : "%s", hl_kind_name(trial->kind), n);
        printf("%s %-14s", trial->is_best ? "*" : " ", name);
        print_figure(trial->top1);
        print_figure(trial->map);
        print_figure(trial->self1);
        print_figure(trial->self10);
        printf("%s%s\n", *trial->why ? "  " : "", trial->why);
    }
}

static void print_learnt(const struct fit *fit, const struct hl_learnt *learnt)
{
    const struct hl_fit_story *story = &learnt->story;
    const struct hl_bridge *bridge = learnt->bridge;

    printf("%s > %s: %s\n", hl_model_shown(fit->from), hl_model_shown(fit->to),
           story->what);
    if (*story->cannot_say)
        printf("cannot be said: %s\n", story->cannot_say);
    if (story->n_extended > 0)
        printf("%zu classes that the head does not know were learnt on old vectors\n",
               story->n_extended);
    printf("%zu rows to learn from, %zu to choose by, %zu to report on\n", learnt->n_fit,
           learnt->n_choose, learnt->n_report);
    print_trials(story);
    printf("\nkind %s, fidelity %.1f, seed %" PRIu64 ", %.1f s\n\n",
           hl_kind_name(bridge->kind), (double)bridge->fidelity, bridge->seed,
           learnt->seconds);
}

static enum hl_code learn_and_save(struct fit *fit, struct hl_err *err)
{
    const char *out = fit->words->values[OUT];
    struct hl_cli_teller teller;
    struct hl_learnt learnt = {0};
    enum hl_code code;

    hl_cli_teller_init(&teller, "fit", &fit->learn.errand);
    code = hl_learn_bridge(&fit->learn, &learnt, err);
    hl_cli_teller_end(&teller);
    if (code != HL_OK)
        return code;
    print_learnt(fit, &learnt);
    code = hl_cli_print_report(learnt.report, err);
    if (code == HL_OK && out)
        code = hl_bridge_save(learnt.bridge, out, err);
    if (code == HL_OK)
        code = hl_cli_save_text(fit->words->values[JSON], learnt.bridge->report, err);
    if (code == HL_OK && out)
        printf("\nthe bridge is in %s\n", out);
    else if (code == HL_OK)
        printf("\nthe bridge was not kept: --out FILE does that\n");
    hl_learnt_done(&learnt);
    return code;
}

static enum hl_code run_fit(const struct hl_tool_words *words, struct hl_err *err)
{
    struct fit fit = {.words = words};
    enum hl_code code;

    name_models(&fit);
    code = read_words(&fit, err);
    if (code == HL_OK)
        code = hl_cli_check_path(words->values[OUT], err);
    if (code == HL_OK)
        code = hl_cli_check_path(words->values[JSON], err);
    if (code == HL_OK)
        code = open_all(&fit, err);
    if (code == HL_OK) {
        fill_learn(&fit);
        code = learn_and_save(&fit, err);
    }
    hl_lesson_files_close(fit.data);
    hl_lesson_files_close(fit.items);
    hl_lesson_files_close(fit.choose);
    hl_lesson_files_close(fit.report);
    hl_cli_heads_done(&fit.heads);
    return code;
}

const struct hl_tool hl_cli_fit = {
    .name = "fit",
    .summary = "a bridge between two models, learnt from files",
    .usage = "FROM.npy [TO.npy] [FLAG …]\n"
             "       heirloom fit DATA.safetensors --from NAME --to NAME [FLAG …]",
    .text =
        "FROM.npy and TO.npy hold vectors, one a row; row i of both is the same "
        "photograph.\n"
        "A data set holds a tensor of rows for each model, and labels if there are any.\n"
        "What is there decides how the bridge is learnt: pairs alone will do; labels and "
        "the\n"
        "old model's head make it better. The report is on rows that it did not see.\n"
        "\n"
        "examples:\n"
        "    heirloom fit v3.npy v1.npy --labels labels.npy --head v1_head.safetensors \\\n"
        "        --out v3-v1.safetensors\n"
        "    heirloom fit photos.safetensors --from v2 --to @default --kind ridge\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .min_files = 1,
    .max_files = 2,
    .run = run_fit};
