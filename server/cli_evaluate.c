/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_evaluate.h"

#include "proto/model_name.h"
#include "server/cli_learn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum flag { FROM, TO, LABELS, HEAD, OWN_HEAD, BRIDGE, THEN, AGAINST, SEED, JSON, N_FLAGS };

static const struct hl_tool_flag flags[N_FLAGS] = {
    [FROM] = {"--from", "NAME",
              "the new model: a tensor of the data set; of .npy what its file is called, "
              "unless this or the bridge says otherwise",
              false},
    [TO] = {"--to", "NAME", "the old model, in the same way", false},
    [LABELS] = {"--labels", "FILE",
                ".npy: a whole number for each row, below 0 where it is not known", false},
    [HEAD] = {"--head", "FILE", "the classifier head of the old model, .safetensors",
              false},
    [OWN_HEAD] = {"--own-head", "FILE", "that of the new model", false},
    [BRIDGE] = {"--bridge", "FILE",
                "the bridge, .safetensors; without one the two models are compared as they "
                "are",
                false},
    [THEN] = {"--then", "FILE", "a second bridge behind it: the report is of the chain",
              false},
    [AGAINST] = {"--against", "FILE",
                 "another bridge between the same models, judged beside it: such as the "
                 "direct one beside a chain",
                 false},
    [SEED] = {"--seed", "N", "which rows, where there are more than 10000 (1)", false},
    [JSON] = {"--json", "FILE", "the report as JSON", false},
};

enum { BRIDGES = 3 };
static const size_t most_json = (size_t)8 << 20;

struct evaluation {
    const struct hl_tool_words *words;
    char from[HL_CLI_MODEL], to[HL_CLI_MODEL];
    struct hl_bridge *bridges[BRIDGES]; /* by flag - BRIDGE */
    struct hl_lesson_files *data;
    struct hl_cli_heads heads;
    struct hl_judging judging;
};

static enum hl_code load_bridges(struct evaluation *e, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (!e->words->values[BRIDGE] && (e->words->values[THEN] || e->words->values[AGAINST]))
        return hl_fail(err, HL_INVALID, "\"%s\" goes with \"--bridge FILE\"",
                       e->words->values[THEN] ? "--then" : "--against");
    for (size_t i = 0; i < BRIDGES && code == HL_OK; i++)
        code = hl_cli_load_bridge(e->words->values[BRIDGE + i], &e->bridges[i], err);
    return code;
}

static void name_models(struct evaluation *e)
{
    const struct hl_tool_words *words = e->words;
    const struct hl_bridge *first = e->bridges[0];
    const struct hl_bridge *last = e->bridges[1] ? e->bridges[1] : first;
    const char *from = words->values[FROM], *to = words->values[TO];

    if (first && !from)
        from = first->from;
    if (last && !to)
        to = last->to;
    hl_cli_model(from, words->files[0], e->from);
    hl_cli_model(to, words->n_files > 1 ? words->files[1] : "to", e->to);
}

static enum hl_code open_data(struct evaluation *e, struct hl_err *err)
{
    const struct hl_tool_words *words = e->words;
    struct hl_lesson_paths paths = {.from = words->files[0],
                                    .to = words->n_files > 1 ? words->files[1] : NULL,
                                    .labels = words->values[LABELS]};

    if (hl_lesson_is_dataset(words->files[0])) {
        if (words->n_files > 1 || words->values[LABELS])
            return hl_fail(err, HL_INVALID,
                           "a data set comes alone: both models and the labels are in it");
        if (!e->bridges[0] && (!words->values[FROM] || !words->values[TO]))
            return hl_fail(err, HL_INVALID,
                           "of a data set \"--from NAME\" and \"--to NAME\" say which two "
                           "models are meant");
        paths = (struct hl_lesson_paths){
            .dataset = words->files[0], .from_name = e->from, .to_name = e->to};
    } else if (words->n_files < 2) {
        return hl_fail(err, HL_INVALID,
                       "two files are wanted, FROM.npy and TO.npy, or one data set");
    }
    return hl_lesson_files_open(&paths, e->heads.labels, &e->data, err);
}

static enum hl_code open_all(struct evaluation *e, struct hl_err *err)
{
    enum hl_code code = load_bridges(e, err);

    name_models(e);
    if (code == HL_OK)
        code = hl_cli_heads_load(&e->heads, e->words->values[HEAD],
                                 e->words->values[OWN_HEAD], err);
    if (code == HL_OK)
        code = open_data(e, err);
    if (code == HL_OK)
        code = hl_tool_number(&hl_cli_evaluate, e->words, SEED, 1, &e->judging.seed, err);
    return code;
}

static enum hl_code judge(struct evaluation *e, const struct hl_bridge *bridge,
                          const struct hl_bridge *then, struct hl_report **ret_report,
                          struct hl_buf *json, struct hl_err *err)
{
    struct hl_cli_teller teller;
    enum hl_code code;

    e->judging.bridge = bridge;
    e->judging.then = then;
    hl_cli_teller_init(&teller, "evaluate", &e->judging.errand);
    code = hl_learn_judge(&e->judging, ret_report, json, err);
    hl_cli_teller_end(&teller);
    return code;
}

static void print_heading(const struct evaluation *e, bool is_against)
{
    const char *from = hl_model_shown(e->from);
    const char *to = hl_model_shown(e->to);
    const char *const *values = e->words->values;

    if (is_against)
        printf("\n%s > %s by %s\n\n", from, to, values[AGAINST]);
    else if (values[THEN])
        printf("%s > %s by %s and then %s\n\n", from, to, values[BRIDGE], values[THEN]);
    else if (values[BRIDGE])
        printf("%s > %s by %s\n\n", from, to, values[BRIDGE]);
    else
        printf("%s (new) and %s (old) as they are, without a bridge\n\n", from, to);
}

/* What the second one would change. Both saw the same rows. */
static void print_differences(const struct hl_report *report,
                              const struct hl_report *against)
{
    const struct hl_report_group *a = &report->groups[0], *b = &against->groups[0];
    const struct {
        const char *name;
        double first, second;
    } rows[] = {
        {"top1", a->new_old.top1.value, b->new_old.top1.value},
        {"recall@10", a->new_old.recall10.value, b->new_old.recall10.value},
        {"mAP", a->new_old.map.value, b->new_old.map.value},
        {"negative flips", a->negative_flips.value, b->negative_flips.value},
        {"self@1", a->self1.value, b->self1.value},
        {"self@10", a->self10.value, b->self10.value},
    };

    printf("\n  all                first  against     more\n");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (isfinite(rows[i].first) && isfinite(rows[i].second))
            printf("  %-14s %9.4f %8.4f %+8.4f\n", rows[i].name, rows[i].first,
                   rows[i].second, rows[i].second - rows[i].first);
}

static enum hl_code judge_all(struct evaluation *e, struct hl_buf *json, struct hl_err *err)
{
    struct hl_report *report = NULL, *against = NULL;
    enum hl_code code = judge(e, e->bridges[0], e->bridges[1], &report, json, err);

    if (code == HL_OK) {
        print_heading(e, false);
        code = hl_cli_print_report(report, err);
    }
    if (code == HL_OK && e->bridges[2]) {
        json->len--; /* the brace: the other report is a member */
        hl_buf_add_text(json, ",\"against\":");
        code = judge(e, e->bridges[2], NULL, &against, json, err);
        hl_buf_add_char(json, '}');
    }
    if (code == HL_OK && against) {
        print_heading(e, true);
        code = hl_cli_print_report(against, err);
        print_differences(report, against);
    }
    hl_report_free(report);
    hl_report_free(against);
    return code;
}

static enum hl_code run_evaluate(const struct hl_tool_words *words, struct hl_err *err)
{
    struct evaluation e = {.words = words};
    struct hl_buf json;
    enum hl_code code;

    hl_buf_init(&json, most_json);
    code = hl_cli_check_path(words->values[JSON], err);
    if (code == HL_OK)
        code = open_all(&e, err);
    if (code == HL_OK) {
        e.judging.from = e.from;
        e.judging.to = e.to;
        e.judging.data = hl_lesson_files_lesson(e.data);
        e.judging.source = (struct hl_learn_source){
            .labels = e.heads.labels, .head = e.heads.old, .own_head = e.heads.own};
        hl_lesson_files_note(e.data, &e.judging.source);
        code = judge_all(&e, &json, err);
    }
    if (code == HL_OK)
        code = hl_buf_check(&json, "the report", err);
    if (code == HL_OK)
        code = hl_cli_save_text(words->values[JSON], json.data, err);
    hl_buf_done(&json);
    hl_lesson_files_close(e.data);
    for (size_t i = 0; i < BRIDGES; i++)
        hl_bridge_free(e.bridges[i]);
    hl_cli_heads_done(&e.heads);
    return code;
}

const struct hl_tool hl_cli_evaluate = {
    .name = "evaluate",
    .summary = "the report of a bridge, or of two models as they are, on files",
    .usage = "FROM.npy TO.npy [FLAG …]\n"
             "       heirloom evaluate DATA.safetensors --from NAME --to NAME [FLAG …]",
    .text =
        "Row i of both files is the same photograph, and none that the bridge was learnt\n"
        "from. The first half of the rows are queries, the second half is the gallery.\n"
        "\n"
        "examples:\n"
        "    heirloom evaluate v3.npy v1.npy --labels labels.npy --bridge "
        "v3-v1.safetensors\n"
        "    heirloom evaluate v3.npy v1.npy --labels labels.npy    should one upgrade at "
        "all?\n"
        "    heirloom evaluate v3.npy v1.npy --labels labels.npy --bridge "
        "v3-v2.safetensors "
        "\\\n"
        "        --then v2-v1.safetensors --against v3-v1.safetensors\n",
    .flags = flags,
    .n_flags = N_FLAGS,
    .min_files = 1,
    .max_files = 2,
    .run = run_evaluate};
