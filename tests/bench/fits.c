/* SPDX-License-Identifier: Apache-2.0 */

/* What learning a bridge costs: seconds of one core, and the most memory beside the head,
 * on rows that are made up as they are read, in clusters.
 *
 *     bench_fits [CASE [KIND]]      all cases unless said otherwise, kind auto
 *
 * Each case runs in a process of its own. Exit 1 when one took more than 1 GiB. */

#include "compat/compat.h"
#include "compat/fit.h"
#include "compat/linalg.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct bench_case {
    size_t n_rows, dim_from, dim_to, n_classes, n_holdout;
} cases[] = {
    {50000, 128, 64, 10, 5000},
    {50000, 768, 512, 100, 5000},
    {1000000, 512, 256, 1000, 5000},
    {50000, 512, 512, 100000, 5000},
};

enum { N_CASES = sizeof cases / sizeof *cases, N_POOL = 4096 };

static void *must_have(void *memory)
{
    if (!memory)
        _exit(2);
    return memory;
}

static void must(enum hl_code code, const struct hl_err *err)
{
    if (code == HL_OK)
        return;
    (void)fprintf(stderr, "bench_fits: %s\n", err->msg);
    _exit(2);
}

/* One model's view: a direction for each class, and a pool that rows take their spread
 * from, two entries each. */
struct view {
    size_t dim, n_classes;
    float *centres, *pool;
    uint64_t first;
};

static int32_t label_of(size_t n_classes, uint64_t row)
{
    return (int32_t)(hl_random_mix(row) % n_classes);
}

static enum hl_code read_view(const void *self, uint64_t first, size_t n_rows,
                              float *values, struct hl_err *err)
{
    const struct view *view = self;

    (void)err;
    for (size_t i = 0; i < n_rows; i++) {
        uint64_t row = view->first + first + i, chance = hl_random_mix(row ^ 0x706f6f6cU);
        size_t label = (size_t)label_of(view->n_classes, row);
        const float *centre = view->centres + label * view->dim;
        const float *a = view->pool + chance % N_POOL * view->dim;
        const float *b = view->pool + chance / N_POOL % N_POOL * view->dim;

        for (size_t j = 0; j < view->dim; j++)
            values[i * view->dim + j] = centre[j] + a[j] + b[j];
    }
    return HL_OK;
}

static void fill(float *values, size_t n, float scale, uint64_t seed)
{
    struct hl_random random = {seed};

    for (size_t i = 0; i < n; i++)
        values[i] = scale * (float)hl_random_normal(&random);
}

static struct view make_view(size_t dim, size_t n_classes, uint64_t seed)
{
    struct view view = {.dim = dim, .n_classes = n_classes};

    view.centres = must_have(hl_alloc_zeroed(n_classes, dim * sizeof(float)));
    view.pool = must_have(hl_alloc_zeroed(N_POOL, dim * sizeof(float)));
    fill(view.centres, n_classes * dim, 1, seed);
    fill(view.pool, N_POOL * dim, .6F, seed + 1);
    return view;
}

/* What the old model sees is what the new one sees, turned, and some noise of its own. */
static struct view look_through(const struct view *from, size_t dim, uint64_t seed)
{
    struct view view = make_view(dim, from->n_classes, seed);
    float *turn = must_have(hl_alloc_zeroed(dim * from->dim, sizeof(float)));
    struct hl_product product = {.m = from->n_classes,
                                 .n = dim,
                                 .k = from->dim,
                                 .is_b_turned = true,
                                 .alpha = 1,
                                 .beta = .3F};

    fill(turn, dim * from->dim, 1 / sqrtf((float)from->dim), seed + 2);
    hl_linalg_multiply(&product, from->centres, turn, view.centres);
    product.m = N_POOL;
    hl_linalg_multiply(&product, from->pool, turn, view.pool);
    hl_free(turn);
    return view;
}

static struct hl_rows rows_of(const struct view *view, uint64_t n_rows, const char *name)
{
    return (struct hl_rows){
        .read = read_view, .self = view, .n_rows = n_rows, .dim = view->dim, .name = name};
}

static struct hl_head *make_head(const struct view *old)
{
    struct hl_head *head = NULL;
    struct hl_err err;

    must(hl_head_new(old->n_classes, old->dim, false, &head, &err), &err);
    memcpy(head->weight, old->centres, old->n_classes * old->dim * sizeof(float));
    hl_linalg_normalise(head->weight, old->n_classes, old->dim, NULL);
    for (size_t i = 0; i < old->n_classes * old->dim; i++)
        head->weight[i] *= 16;
    return head;
}

static struct hl_lesson make_lesson(const struct view *from, const struct view *to,
                                    uint64_t n_rows)
{
    int32_t *labels = must_have(hl_alloc_zeroed((size_t)n_rows, sizeof *labels));

    for (uint64_t row = 0; row < n_rows; row++)
        labels[row] = label_of(from->n_classes, from->first + row);
    return (struct hl_lesson){.n_rows = n_rows,
                              .from = rows_of(from, n_rows, "new"),
                              .to = rows_of(to, n_rows, "old"),
                              .labels = labels};
}

static double used_mib(double *ret_seconds)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    *ret_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
                   (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6;
    return (double)usage.ru_maxrss / 1024;
}

static void print_trials(const struct hl_fit_story *story)
{
    for (size_t i = 0; i < story->n_trials; i++) {
        const struct hl_fit_trial *trial = &story->trials[i];

        printf("    %c %-10s hidden %4zu rank %4zu  mAP %.4f self10 %.4f\n",
               trial->is_best ? '*' : ' ', hl_kind_name(trial->kind), trial->n_hidden,
               trial->rank, trial->map, trial->self10);
    }
}

/* Whether it stayed within its memory. */
static bool run(const struct bench_case *c, enum hl_kind kind)
{
    struct view from = make_view(c->dim_from, c->n_classes, 1);
    struct view to = look_through(&from, c->dim_to, 5);
    struct view later_from = from, later_to = to;
    struct hl_fit fit = {.from = "v2", .to = "v1", .n_classes = c->n_classes, .kind = kind};
    struct hl_exam *exam = NULL;
    struct hl_bridge *bridge = NULL;
    struct hl_fit_story story;
    struct hl_lesson holdout;
    struct hl_err err;
    double before, after, start, end;

    fit.head = make_head(&to);
    fit.pairs = make_lesson(&from, &to, c->n_rows);
    later_from.first = later_to.first = c->n_rows;
    holdout = make_lesson(&later_from, &later_to, c->n_holdout);
    must(hl_exam_load(&holdout, c->n_holdout, 1, &exam, &err), &err);
    fit.choose = exam;
    before = used_mib(&start);
    must(hl_fit_bridge(&fit, &bridge, &story, &err), &err);
    after = used_mib(&end);
    printf("%zu rows, %zu > %zu, %zu classes, %s: %.1f s, %.0f MiB\n", c->n_rows,
           c->dim_from, c->dim_to, c->n_classes, hl_kind_name(kind), end - start,
           after - before);
    print_trials(&story);
    (void)fflush(stdout);
    return after - before <= 1024;
}

static bool run_apart(const struct bench_case *c, enum hl_kind kind)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit(run(c, kind) ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char **argv)
{
    size_t only = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    enum hl_kind kind = HL_KIND_AUTO;
    bool is_good = true;

    if (only > N_CASES || (argc > 2 && !hl_kind_find(argv[2], strlen(argv[2]), &kind))) {
        (void)fprintf(stderr, "usage: bench_fits [CASE [KIND]], cases 1 to %d, 0: all\n",
                      (int)N_CASES);
        return 2;
    }
    hl_compat_hold_to_one_thread();
    for (size_t i = 0; i < N_CASES; i++)
        if (only == 0 || only == i + 1)
            is_good = run_apart(&cases[i], kind) && is_good;
    return is_good ? 0 : 1;
}
