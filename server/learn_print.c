/* SPDX-License-Identifier: Apache-2.0 */
#include "server/learn_part.h"

#include "proto/encode.h"

static void print_text(struct hl_buf *json, const char *key, const char *text)
{
    hl_encode_key(json, key);
    if (text)
        hl_encode_string(json, text);
    else
        hl_encode_null(json);
}

static void print_number(struct hl_buf *json, const char *key, double value)
{
    hl_encode_key(json, key);
    hl_encode_double(json, value);
}

void hl_learn_print_inputs(const struct hl_learn_source *source, struct hl_buf *json)
{
    hl_encode_key(json, "inputs");
    hl_buf_add_char(json, '[');
    for (size_t i = 0; i < source->n_inputs; i++) {
        hl_buf_add_text(json, i ? ",{" : "{");
        print_text(json, "name", source->inputs[i].name);
        hl_buf_add_char(json, ',');
        print_text(json, "sha256", source->inputs[i].sha256);
        hl_buf_add_char(json, '}');
    }
    hl_buf_add_char(json, ']');
}

static void print_trial(const struct hl_fit_trial *trial, struct hl_buf *json)
{
    const struct {
        const char *key;
        double value;
    } figures[] = {{"top1", trial->top1},
                   {"map", trial->map},
                   {"self1", trial->self1},
                   {"self10", trial->self10}};

    hl_buf_add_char(json, '{');
    print_text(json, "kind", hl_kind_name(trial->kind));
    hl_buf_print(json, ",\"hidden\":%zu,\"rank\":%zu", trial->n_hidden, trial->rank);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        hl_buf_add_char(json, ',');
        print_number(json, figures[i].key, figures[i].value);
    }
    hl_buf_print(json, ",\"passes\":%s,\"best\":%s,", trial->passes ? "true" : "false",
                 trial->is_best ? "true" : "false");
    print_text(json, "why", trial->why);
    hl_buf_add_char(json, '}');
}

static void print_story(const struct hl_learn *learn, const struct hl_fit_story *story,
                        struct hl_buf *json)
{
    const char *head = learn->source.head ? "given" : NULL;

    print_text(json, "case", story->what);
    hl_buf_add_char(json, ',');
    print_text(json, "cannot_say", story->cannot_say);
    hl_buf_add_char(json, ',');
    print_text(json, "head", story->is_head_learnt ? "learnt" : head);
    hl_buf_print(json, ",\"classes_learnt\":%zu,\"trials\":[", story->n_extended);
    for (size_t i = 0; i < story->n_trials; i++) {
        hl_buf_add_text(json, i ? "," : "");
        print_trial(&story->trials[i], json);
    }
    hl_buf_add_text(json, "],");
}

static void print_choice(const struct hl_bridge *bridge, struct hl_buf *json)
{
    print_text(json, "kind", hl_kind_name(bridge->kind));
    hl_buf_add_char(json, ',');
    print_text(json, "task", hl_task_name(bridge->task));
    hl_buf_add_char(json, ',');
    hl_encode_key(json, "fidelity");
    hl_encode_float(json, bridge->fidelity);
    hl_buf_add_char(json, ',');
    hl_encode_key(json, "old_weight");
    hl_encode_float(json, bridge->old_weight);
    hl_buf_add_char(json, ',');
    hl_encode_key(json, "seed");
    hl_encode_u64(json, bridge->seed);
    hl_buf_add_char(json, ',');
}

void hl_learn_print(const struct hl_learn *learn, const struct hl_learnt *learnt,
                    const char *split_by, struct hl_buf *json)
{
    hl_buf_add_char(json, '{');
    print_story(learn, &learnt->story, json);
    print_choice(learnt->bridge, json);
    hl_encode_key(json, "strategies");
    hl_report_print_mixes(&learnt->mixes, json);
    hl_buf_add_char(json, ',');
    print_number(json, "seconds", learnt->seconds);
    hl_buf_print(json, ",\"rows\":{\"fit\":%zu,\"choose\":%zu,\"report\":%zu,",
                 learnt->n_fit, learnt->n_choose, learnt->n_report);
    print_text(json, "split_by", split_by);
    hl_buf_add_text(json, "},");
    hl_learn_print_inputs(&learn->source, json);
    hl_buf_add_char(json, ',');
    hl_encode_key(json, "measured");
    if (learnt->report)
        hl_report_print(learnt->report, json);
    else
        hl_encode_null(json);
    hl_buf_add_char(json, '}');
}
