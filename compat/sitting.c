/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/sitting.h"

#include "compat/logits.h"
#include "proto/alloc.h"

#include <string.h>

enum { MAP_ROWS = 512 };

/* ---- through the bridge ---- */

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What the maps need, then rows in, between the bridges, and out. */
static size_t room_of_maps(const struct hl_report_task *task)
{
    size_t room = hl_bridge_room(task->bridge, MAP_ROWS);

    if (task->then)
        room = max_of(room, hl_bridge_room(task->then, MAP_ROWS));
    return room;
}

static size_t room_of(const struct hl_report_task *task)
{
    return room_of_maps(task) +
           MAP_ROWS * (task->exam->dim_from + task->bridge->dim_to + task->exam->dim_to);
}

static float fidelity_of(const struct hl_bridge *bridge, float fidelity)
{
    return fidelity < 0 ? bridge->fidelity : fidelity;
}

/* The rows of one modality among n, which are gathered, mapped and put back. */
static void map_modality(const struct hl_sitting *sitting, enum hl_modality modality,
                         float fidelity, size_t first, size_t n, float *out)
{
    const struct hl_report_task *task = sitting->task;
    const struct hl_exam *exam = sitting->exam;
    float *in = sitting->room + room_of_maps(task);
    float *between = in + MAP_ROWS * exam->dim_from;
    float *mapped = between + MAP_ROWS * task->bridge->dim_to;
    size_t n_gathered = 0;

    for (size_t i = 0; i < n; i++)
        if (exam->modalities[first + i] == modality)
            memcpy(in + n_gathered++ * exam->dim_from,
                   exam->from + (first + i) * exam->dim_from, exam->dim_from * sizeof *in);
    if (n_gathered == 0)
        return;
    hl_bridge_queries(hl_bridge_way(task->bridge, modality),
                      fidelity_of(task->bridge, fidelity), in, n_gathered, sitting->room,
                      task->then ? between : mapped);
    if (task->then)
        hl_bridge_queries(hl_bridge_way(task->then, modality),
                          fidelity_of(task->then, fidelity), between, n_gathered,
                          sitting->room, mapped);
    n_gathered = 0;
    for (size_t i = 0; i < n; i++)
        if (exam->modalities[first + i] == modality)
            memcpy(out + i * exam->dim_to, mapped + n_gathered++ * exam->dim_to,
                   exam->dim_to * sizeof *out);
}

void hl_sitting_map_rows(const struct hl_sitting *sitting, float fidelity, size_t first,
                         size_t n, float *out)
{
    for (size_t row = 0; row < n; row += MAP_ROWS)
        for (enum hl_modality modality = 0; modality < HL_N_MODALITIES; modality++)
            map_modality(sitting, modality, fidelity, first + row,
                         n - row < MAP_ROWS ? n - row : MAP_ROWS,
                         out + row * sitting->exam->dim_to);
}

void hl_sitting_map(struct hl_sitting *sitting, float fidelity)
{
    hl_sitting_map_rows(sitting, fidelity, 0, sitting->exam->n_rows, sitting->mapped);
}

static bool has_two_maps(const struct hl_bridge *bridge)
{
    for (size_t way = 0; bridge && way < HL_N_MODALITIES; way++)
        if (bridge->ways[way].judged)
            return true;
    return false;
}

bool hl_sitting_has_dial(const struct hl_sitting *sitting)
{
    return has_two_maps(sitting->task->bridge) || has_two_maps(sitting->task->then);
}

bool hl_sitting_is_by_label(const struct hl_sitting *sitting)
{
    return sitting->task->bridge->task == HL_TASK_SIMILAR && sitting->exam->labels;
}

void hl_sitting_find_asking(const struct hl_sitting *sitting,
                            struct hl_asking asking[HL_N_MODALITIES])
{
    const struct hl_exam *exam = sitting->exam;
    bool by_label = hl_sitting_is_by_label(sitting);
    size_t start = by_label ? 0 : exam->n_queries;
    size_t end = by_label ? exam->n_ranked : exam->n_rows;

    for (size_t m = 0; m < HL_N_MODALITIES; m++)
        asking[m] = (struct hl_asking){0};
    for (size_t row = start; row < end; row++) {
        struct hl_asking *own = &asking[exam->modalities[row]];

        if (own->n++ == 0)
            own->first = row;
    }
    if (asking[HL_MODALITY_IMAGE].n == 0)
        asking[HL_MODALITY_IMAGE] = asking[HL_MODALITY_TEXT];
}

/* ---- a sitting ---- */

static enum hl_code check_task(const struct hl_report_task *task, struct hl_err *err)
{
    const struct hl_exam *exam = task->exam;
    const struct hl_bridge *bridge = task->bridge, *last = task->then ? task->then : bridge;

    if (!exam->from || !exam->to)
        return hl_fail(err, HL_INVALID,
                       "there are no vectors of the %s model to judge on: every row needs "
                       "those of both models",
                       exam->from ? "old" : "new");
    if (bridge && bridge->dim_from != exam->dim_from)
        return hl_fail(err, HL_INVALID,
                       "bridge \"%s\" > \"%s\" is from vectors of %zu numbers, those to "
                       "judge on have %zu",
                       bridge->from, bridge->to, bridge->dim_from, exam->dim_from);
    if (bridge && bridge != last && bridge->dim_to != last->dim_from)
        return hl_fail(err, HL_INVALID,
                       "bridge \"%s\" > \"%s\" ends at vectors of %zu numbers, the next "
                       "begins at %zu",
                       bridge->from, bridge->to, bridge->dim_to, last->dim_from);
    if (last && last->dim_to != exam->dim_to)
        return hl_fail(err, HL_INVALID,
                       "bridge \"%s\" > \"%s\" is to vectors of %zu numbers, those to "
                       "judge on have %zu",
                       last->from, last->to, last->dim_to, exam->dim_to);
    if (task->head && task->head->dim != exam->dim_to)
        return hl_fail(err, HL_INVALID,
                       "the old head is for vectors of %zu numbers, those to judge on have "
                       "%zu",
                       task->head->dim, exam->dim_to);
    if (task->own_head && task->own_head->dim != exam->dim_from)
        return hl_fail(err, HL_INVALID,
                       "the new head is for vectors of %zu numbers, those to judge on have "
                       "%zu",
                       task->own_head->dim, exam->dim_from);
    return HL_OK;
}

/* Every second item is a new photograph. */
static void fill_images(struct hl_sitting *sitting)
{
    const struct hl_exam *exam = sitting->exam;
    size_t dim = exam->dim_to;

    hl_sitting_map_rows(sitting, 1, exam->n_queries, sitting->n_gallery, sitting->images);
    memcpy(sitting->mixed, exam->to + exam->n_queries * dim,
           sitting->n_gallery * dim * sizeof *sitting->mixed);
    for (size_t row = 1; row < sitting->n_gallery; row += 2)
        memcpy(sitting->mixed + row * dim, sitting->images + row * dim,
               dim * sizeof *sitting->mixed);
}

static bool get_room(struct hl_sitting *sitting)
{
    const struct hl_exam *exam = sitting->exam;
    struct hl_answer **answers[] = {&sitting->old_old, &sitting->new_old, &sitting->new_new,
                                    &sitting->old_new, &sitting->old_mixed};
    size_t dim = exam->dim_to;

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (!(*answers[i] = hl_alloc_zeroed(exam->n_queries + 1, sizeof **answers[i])))
            return false;
    sitting->places = hl_alloc_zeroed(sitting->n_gallery + 1, sizeof *sitting->places);
    if (!sitting->places)
        return false;
    if (!sitting->task->bridge)
        return true;
    sitting->room = hl_alloc_zeroed(room_of(sitting->task), sizeof *sitting->room);
    sitting->mapped = hl_alloc_zeroed(exam->n_rows * dim, sizeof *sitting->mapped);
    sitting->images = hl_alloc_zeroed(sitting->n_gallery * dim, sizeof *sitting->images);
    sitting->mixed = hl_alloc_zeroed(sitting->n_gallery * dim, sizeof *sitting->mixed);
    return sitting->room && sitting->mapped && sitting->images && sitting->mixed;
}

enum hl_code hl_sitting_new(const struct hl_report_task *task, size_t n_steps,
                            struct hl_sitting **ret_sitting, struct hl_err *err)
{
    struct hl_sitting *sitting;
    enum hl_code code = check_task(task, err);

    if (code != HL_OK)
        return code;
    sitting = hl_alloc_zeroed(1, sizeof *sitting);
    if (!sitting)
        return hl_fail(err, HL_NO_MEMORY, "no memory to judge");
    sitting->task = task;
    sitting->exam = task->exam;
    sitting->n_gallery = task->exam->n_rows - task->exam->n_queries;
    sitting->n_ranked = task->exam->n_ranked;
    sitting->n_steps = n_steps;
    if (get_room(sitting)) {
        if (task->bridge)
            fill_images(sitting);
        *ret_sitting = sitting;
        return HL_OK;
    }
    hl_sitting_free(sitting);
    return hl_fail(err, HL_NO_MEMORY, "no memory to judge %zu rows", task->exam->n_rows);
}

void hl_sitting_free(struct hl_sitting *sitting)
{
    if (!sitting)
        return;
    hl_free(sitting->mapped);
    hl_free(sitting->images);
    hl_free(sitting->mixed);
    hl_free(sitting->room);
    hl_free(sitting->old_old);
    hl_free(sitting->new_old);
    hl_free(sitting->new_new);
    hl_free(sitting->old_new);
    hl_free(sitting->old_mixed);
    hl_free(sitting->places);
    hl_free(sitting->rights);
    hl_free(sitting);
}

/* ---- retrieval ---- */

static void tell_step(struct hl_sitting *sitting)
{
    const struct hl_errand *errand = &sitting->task->errand;

    sitting->n_done++;
    if (errand->tell)
        errand->tell(errand->self, "measuring",
                     (double)sitting->n_done / (double)sitting->n_steps);
}

enum hl_code hl_sitting_answer(struct hl_sitting *sitting, const float *queries,
                               const float *gallery, size_t dim, struct hl_answer *answers,
                               struct hl_err *err)
{
    const struct hl_exam *exam = sitting->exam;
    struct hl_quiz quiz = {.scan = {queries, gallery, exam->n_queries, sitting->n_gallery,
                                    dim, &sitting->task->errand},
                           .query_labels = exam->labels,
                           .gallery_labels =
                               exam->labels ? exam->labels + exam->n_queries : NULL,
                           .n_ranked = sitting->n_ranked};
    enum hl_code code = hl_quiz_answer(&quiz, answers, err);

    tell_step(sitting);
    return code;
}

enum hl_code hl_sitting_find_selves(struct hl_sitting *sitting, struct hl_err *err)
{
    const struct hl_exam *exam = sitting->exam;
    size_t skipped = exam->n_queries * exam->dim_to;
    struct hl_scan scan = {
        sitting->mapped + skipped, exam->to + skipped, sitting->n_gallery,
        sitting->n_gallery,        exam->dim_to,       &sitting->task->errand};
    enum hl_code code = hl_scan_selves(&scan, sitting->places, err);

    tell_step(sitting);
    return code;
}

/* ---- heads ---- */

/* Logits that are worked out at most, of each head and kind of rows: of so many classes
 * that every row would take longer than all else, the first rows are asked alone. */
enum { MOST_LOGITS = 1 << 28 };

/* A head and the rows it is shown, in blocks of scores. */
struct judging {
    const struct hl_head *head;
    size_t n_rows;
    const int32_t *classes; /* the label of each of its rows; NULL: its number */
    const struct hl_exam *exam;
    uint8_t asked, right; /* what is marked */
    uint8_t *rights;
};

static int32_t class_of(const struct judging *judging, size_t row)
{
    return judging->classes ? judging->classes[row] : (int32_t)row;
}

static void judge_row(const struct judging *judging, size_t row, const float *logits)
{
    const struct hl_head *head = judging->head;
    size_t best = hl_logits_highest(logits, head->bias, head->n_rows);

    if (class_of(judging, best) == judging->exam->labels[row])
        judging->rights[row] |= judging->right;
}

static void see_row(void *self, size_t row, const float *logits)
{
    const struct judging *judging = self;

    if (judging->rights[row] & judging->asked)
        judge_row(judging, row, logits);
}

static void mark_asked(const struct judging *judging)
{
    for (size_t row = 0; row < judging->n_rows; row++) {
        int32_t label = judging->exam->labels[row];
        bool is_known = false;

        if (!judging->classes)
            is_known = label >= 0 && (size_t)label < judging->head->n_rows;
        for (size_t i = 0; judging->classes && i < judging->head->n_rows; i++)
            is_known |= label >= 0 && judging->classes[i] == label;
        if (is_known)
            judging->rights[row] |= judging->asked;
    }
}

/* Where both the head and the rows are there. */
static enum hl_code judge_rows(const struct hl_sitting *sitting, struct judging judging,
                               const float *rows, struct hl_err *err)
{
    const struct hl_head *head = judging.head;
    struct hl_scan scan = {.queries = rows, .errand = &sitting->task->errand};

    if (!head || !rows)
        return HL_OK;
    scan.n_queries = judging.n_rows;
    scan.gallery = head->weight;
    scan.n_gallery = head->n_rows;
    scan.dim = head->dim;
    judging.exam = sitting->exam;
    judging.rights = sitting->rights;
    mark_asked(&judging);
    return hl_scan_each(&scan, see_row, &judging, err);
}

/* The same rows for both heads, so that they can be compared. */
static size_t rows_to_judge(const struct hl_report_task *task)
{
    size_t old = task->head ? task->head->n_rows : 1;
    size_t own = task->own_head ? task->own_head->n_rows : 1;
    size_t most = MOST_LOGITS / max_of(old, own);

    return task->exam->n_rows < most ? task->exam->n_rows : most;
}

enum hl_code hl_sitting_judge(struct hl_sitting *sitting, struct hl_err *err)
{
    const struct hl_report_task *task = sitting->task;
    const struct hl_exam *exam = sitting->exam;
    size_t n_rows = rows_to_judge(task);
    struct judging old = {.head = task->head, .n_rows = n_rows, .asked = HL_ASKED_OLD};
    struct judging own = {.head = task->own_head,
                          .n_rows = n_rows,
                          .classes = task->own_classes,
                          .asked = HL_ASKED_OWN,
                          .right = HL_RIGHT_OWN};
    enum hl_code code;

    if (!exam->labels || (!task->head && !task->own_head))
        return HL_OK;
    sitting->rights = hl_alloc_zeroed(exam->n_rows, sizeof *sitting->rights);
    if (!sitting->rights)
        return hl_fail(err, HL_NO_MEMORY, "no memory to judge %zu rows", exam->n_rows);
    old.right = HL_RIGHT_OLD;
    code = judge_rows(sitting, old, exam->to, err);
    old.right = HL_RIGHT_NEW;
    if (code == HL_OK)
        code = judge_rows(sitting, old, sitting->mapped, err);
    if (code == HL_OK)
        code = judge_rows(sitting, own, exam->from, err);
    return code;
}
