/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/head.h"

#include "compat/labels.h"
#include "compat/linalg.h"
#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/field.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    MIN_ROWS = 2,
    MAX_ROWS = 100000,
    MAX_DIM = 65535,
    /* What a header may take: labels are in it, and with quotes inside of a string their
     * escapes are escaped again. */
    MAX_HEADER = 32 << 20,
    ROOM = 1 << 20
};

enum hl_code hl_head_new(size_t n_rows, size_t dim, bool has_bias,
                         struct hl_head **ret_head, struct hl_err *err)
{
    struct hl_head *head = hl_alloc_zeroed(1, sizeof *head);
    size_t n_values = 0;

    if (head && hl_size_mul(n_rows, dim, &n_values)) {
        head->n_rows = n_rows;
        head->dim = dim;
        head->weight = hl_alloc_zeroed(n_values, sizeof *head->weight);
        head->classes = hl_alloc_zeroed(n_rows, sizeof *head->classes);
        head->bias = has_bias ? hl_alloc_zeroed(n_rows, sizeof *head->bias) : NULL;
    }
    if (!head || !head->weight || !head->classes || (has_bias && !head->bias)) {
        hl_head_free(head);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a head of %zu x %zu", n_rows, dim);
    }
    *ret_head = head;
    return HL_OK;
}

void hl_head_free(struct hl_head *head)
{
    if (!head)
        return;
    for (size_t i = 0; head->classes && i < head->n_rows; i++)
        hl_free(head->classes[i]);
    hl_free(head->classes);
    hl_free(head->weight);
    hl_free(head->bias);
    hl_free(head);
}

double hl_head_mean_norm(const struct hl_head *head)
{
    double sum = 0;

    for (size_t row = 0; row < head->n_rows; row++) {
        const float *weight = head->weight + row * head->dim;

        sum += sqrt((double)hl_linalg_dot(weight, weight, head->dim));
    }
    return sum / (double)head->n_rows;
}

/* ---- the labels of its rows ---- */

/* One item of `classes`, which comes next: its text, or the whole number's decimals. */
static enum hl_code read_class(const struct hl_field *item, struct hl_labels *labels,
                               int32_t *ret_class, struct hl_err *err)
{
    const char *text;
    size_t len;
    int64_t number;
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(item, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_NUMBER) {
        code = hl_field_i64(item, INT64_MIN, INT64_MAX, &number, err);
        return code == HL_OK ? hl_labels_add_number(labels, number, ret_class, err) : code;
    }
    if (code == HL_OK)
        code = hl_field_string(item, &text, &len, err);
    return code == HL_OK ? hl_labels_add(labels, text, len, ret_class, err) : code;
}

static enum hl_code fail_count(const struct hl_head *head, struct hl_err *err)
{
    return hl_fail(err, HL_INVALID,
                   "the list has another length than the head, whose weight has %zu rows",
                   head->n_rows);
}

static enum hl_code read_item(const struct hl_field *item, struct hl_labels *labels,
                              const struct hl_head *head, struct hl_err *err)
{
    size_t n = hl_labels_count(labels);
    int32_t label;
    enum hl_code code;

    if (n == head->n_rows)
        return fail_count(head, err);
    code = read_class(item, labels, &label, err);
    if (code == HL_OK && (size_t)label != n)
        return hl_fail(err, HL_INVALID,
                       "label \"%s\" stands for rows %" PRId32
                       " and %zu, one row is wanted for each",
                       hl_labels_name(labels, label), label, n);
    return code;
}

static enum hl_code read_list(const struct hl_field *root, struct hl_labels *labels,
                              const struct hl_head *head, struct hl_err *err)
{
    const struct hl_field *item = NULL;
    struct hl_items items;
    enum hl_code code = hl_items_begin(root, &items, err);

    while (code == HL_OK) {
        code = hl_items_next(&items, &item, err);
        if (code != HL_OK || !item)
            break;
        code = read_item(item, labels, head, err);
    }
    if (code == HL_OK)
        code = hl_tokens_finish(root->tokens, err);
    return code == HL_OK && hl_labels_count(labels) < head->n_rows ? fail_count(head, err)
                                                                   : code;
}

static enum hl_code keep_names(const struct hl_labels *labels, struct hl_head *head,
                               struct hl_err *err)
{
    for (size_t i = 0; i < head->n_rows; i++) {
        head->classes[i] = hl_strdup(hl_labels_name(labels, (int32_t)i));
        if (!head->classes[i])
            return hl_fail(err, HL_NO_MEMORY, "no memory for labels");
    }
    return HL_OK;
}

static enum hl_code read_classes(const char *text, struct hl_head *head, struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new(strlen(text) + ROOM);
    struct hl_labels *labels = NULL;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for labels");
    hl_tokens_init(&tokens, text, strlen(text), arena);
    tokens.what = "the list";
    tokens.code = HL_BAD_FILE;
    root = hl_field_root(&tokens);
    code = hl_labels_new(&labels, err);
    if (code == HL_OK)
        code = read_list(&root, labels, head, err);
    if (code == HL_OK)
        code = keep_names(labels, head, err);
    hl_labels_free(labels);
    hl_arena_free(arena);
    return code == HL_OK ? HL_OK : hl_fail_in(err, "metadata \"classes\"");
}

/* ---- its numbers ---- */

static enum hl_code check_weight(const struct hl_tensor *weight, size_t dim,
                                 struct hl_err *err)
{
    if (!weight)
        return hl_fail(err, HL_INVALID,
                       "there is no tensor \"weight\" of classes x size, a row for each "
                       "class");
    if (weight->n_dims != 2)
        return hl_fail(err, HL_INVALID,
                       "\"weight\" has %u dimensions, it must have 2: "
                       "classes x size",
                       weight->n_dims);
    if (weight->shape[0] < MIN_ROWS || weight->shape[0] > MAX_ROWS)
        return hl_fail(err, HL_INVALID,
                       "\"weight\" has %" PRIu64
                       " rows, a head has %d to %d, one for each class",
                       weight->shape[0], MIN_ROWS, MAX_ROWS);
    if (weight->shape[1] < 1 || weight->shape[1] > MAX_DIM)
        return hl_fail(err, HL_INVALID,
                       "\"weight\" has rows of %" PRIu64 " numbers, 1 to %d are possible",
                       weight->shape[1], MAX_DIM);
    if (dim && weight->shape[1] != dim)
        return hl_fail(err, HL_INVALID,
                       "\"weight\" has rows of %" PRIu64
                       " numbers, the model's vectors have %zu: is it the head of another "
                       "model, or turned over?",
                       weight->shape[1], dim);
    return HL_OK;
}

static enum hl_code check_bias(const struct hl_tensor *bias, size_t n_rows,
                               struct hl_err *err)
{
    if (bias && (bias->n_dims != 1 || bias->shape[0] != n_rows))
        return hl_fail(err, HL_INVALID,
                       "\"bias\" must have 1 dimension of %zu numbers, as "
                       "many as \"weight\" has rows",
                       n_rows);
    return HL_OK;
}

/* Beyond these, squares of lengths are no floats any more, and a fit makes nothing of them.
 */
static enum hl_code check_scale(const struct hl_head *head, struct hl_err *err)
{
    double norm = hl_head_mean_norm(head);

    if (norm > 1e-9 && norm < 1e9)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "rows of \"weight\" have a length of %g in the mean, 1e-9 to 1e9 was "
                   "wanted: scale them",
                   norm);
}

static enum hl_code check_values(const struct hl_head *head, struct hl_err *err)
{
    for (size_t row = 0; row < head->n_rows; row++) {
        const float *values = head->weight + row * head->dim;
        bool is_zero = true;

        for (size_t i = 0; i < head->dim; i++) {
            if (!isfinite(values[i]))
                return hl_fail(err, HL_INVALID,
                               "\"weight\" row %zu, column %zu is not a "
                               "finite number",
                               row, i);
            is_zero = is_zero && fpclassify(values[i]) == FP_ZERO;
        }
        if (is_zero)
            return hl_fail(err, HL_INVALID,
                           "\"weight\" row %zu, of class \"%s\", is all "
                           "zeros: leave out classes the model does not know",
                           row, head->classes[row]);
        if (head->bias && !isfinite(head->bias[row]))
            return hl_fail(err, HL_INVALID, "\"bias\" of row %zu is not a finite number",
                           row);
    }
    return check_scale(head, err);
}

static enum hl_code fill(const struct hl_tensors *tensors, struct hl_head *head,
                         struct hl_err *err)
{
    const struct hl_tensor *weight = hl_tensors_find(tensors, "weight");
    const struct hl_tensor *bias = hl_tensors_find(tensors, "bias");
    const char *classes = hl_tensors_metadata(tensors, "classes");
    const char *learnt = hl_tensors_metadata(tensors, "learnt");
    enum hl_code code;

    if (!classes)
        return hl_fail(err, HL_INVALID,
                       "there is no metadata \"classes\": a JSON list of "
                       "the labels of the %zu rows",
                       head->n_rows);
    code = read_classes(classes, head, err);
    if (code == HL_OK)
        code = hl_tensors_floats(tensors, weight, 0, head->n_rows, head->weight, err);
    if (code == HL_OK && bias)
        code = hl_tensors_floats(tensors, bias, 0, head->n_rows, head->bias, err);
    if (code == HL_OK)
        code = check_values(head, err);
    head->is_learnt = learnt && strcmp(learnt, "true") == 0;
    return code;
}

static enum hl_code load_tensors(const struct hl_tensors *tensors, size_t dim,
                                 struct hl_head **ret_head, struct hl_err *err)
{
    const struct hl_tensor *weight = hl_tensors_find(tensors, "weight");
    const struct hl_tensor *bias = hl_tensors_find(tensors, "bias");
    struct hl_head *head = NULL;
    enum hl_code code = check_weight(weight, dim, err);

    if (code == HL_OK)
        code = check_bias(bias, (size_t)weight->shape[0], err);
    if (code == HL_OK)
        code = hl_head_new((size_t)weight->shape[0], (size_t)weight->shape[1], bias != NULL,
                           &head, err);
    if (code == HL_OK)
        code = fill(tensors, head, err);
    if (code != HL_OK) {
        hl_head_free(head);
        return code;
    }
    *ret_head = head;
    return HL_OK;
}

enum hl_code hl_head_load(const struct hl_source *source, size_t dim,
                          struct hl_head **ret_head, struct hl_err *err)
{
    struct hl_tensors *tensors = NULL;
    enum hl_code code = hl_tensors_new(source, MAX_HEADER, &tensors, err);

    if (code == HL_OK) {
        code = load_tensors(tensors, dim, ret_head, err);
        hl_tensors_free(tensors);
    }
    return code == HL_OK ? HL_OK
                         : hl_fail_in(err, "cannot use \"%s\" as a head", source->name);
}

/* ---- saving ---- */

static void print_classes(const struct hl_head *head, struct hl_buf *buf)
{
    for (size_t i = 0; i < head->n_rows; i++) {
        hl_buf_add_char(buf, i ? ',' : '[');
        hl_encode_string(buf, head->classes[i]);
    }
    hl_buf_add_char(buf, ']');
}

static enum hl_code save_as(const struct hl_head *head, const char *classes,
                            const char *path, struct hl_err *err)
{
    const struct hl_tensor tensors[] = {
        {.name = "weight",
         .type = HL_DTYPE_F32,
         .n_dims = 2,
         .shape = {head->n_rows, head->dim}},
        {.name = "bias", .type = HL_DTYPE_F32, .n_dims = 1, .shape = {head->n_rows}}};
    const struct hl_metadata metadata[] = {{"classes", classes}, {"learnt", "true"}};
    struct hl_tensors_plan plan = {tensors, head->bias ? 2 : 1, metadata,
                                   head->is_learnt ? 2 : 1};
    struct hl_tensors_writer *writer;
    enum hl_code code = hl_tensors_writer_open(path, &plan, &writer, err);

    if (code != HL_OK)
        return code;
    code =
        hl_tensors_writer_add_floats(writer, head->weight, head->n_rows * head->dim, err);
    if (code == HL_OK && head->bias)
        code = hl_tensors_writer_add_floats(writer, head->bias, head->n_rows, err);
    if (code == HL_OK)
        return hl_tensors_writer_commit(writer, err);
    hl_tensors_writer_abandon(writer);
    return code;
}

enum hl_code hl_head_save(const struct hl_head *head, const char *path, struct hl_err *err)
{
    struct hl_buf classes;
    enum hl_code code;

    hl_buf_init(&classes, MAX_HEADER);
    print_classes(head, &classes);
    code = hl_buf_check(&classes, "the labels of a head", err);
    if (code == HL_OK)
        code = save_as(head, classes.data, path, err);
    hl_buf_done(&classes);
    return code;
}
