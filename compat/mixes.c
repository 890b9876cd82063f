/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/mixes.h"

#include "compat/figure.h"
#include "compat/scale.h"
#include "compat/sitting.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <math.h>
#include <string.h>

/* So many queries tell two strategies apart: mAP of the same queries by .005. Blocks are of
 * queries, each of which is compared in three ways. */
enum { MIX_QUERIES = 1000, BLOCK = 64 };

static const double shares[HL_N_MIXES] = {.25, .5, .75};

enum space { OLD_ITEMS, IMAGES, NEW_ITEMS, N_SPACES };
enum strategy { BACKWARD, DUAL, N_STRATEGIES };

struct tally {
    uint64_t n_asked, n_top1;
    struct hl_tally ap;
};

struct mixing {
    const struct hl_sitting *sitting;
    struct hl_asking asking;
    bool by_label;
    bool has_dual;
    struct hl_affine affine;  /* mapped queries' scores of old items, on their own scale */
    int32_t *gallery_labels;  /* or, of the very photograph, a label for each item */
    uint32_t *places;         /* of items: the first of them are new */
    float *mapped;            /* BLOCK queries */
    float *scores[N_SPACES];  /* BLOCK x gallery each */
    float *merged;            /* one query's */
    struct hl_ranker *ranker; /* over gallery_labels */
    struct tally tallies[HL_N_MIXES][N_STRATEGIES];
};

/* ---- what is compared ---- */

static bool get_room(struct mixing *mixing)
{
    size_t n = mixing->sitting->n_gallery;

    mixing->gallery_labels = hl_alloc_zeroed(n, sizeof *mixing->gallery_labels);
    mixing->places = hl_alloc_zeroed(2 * n, sizeof *mixing->places);
    mixing->mapped =
        hl_alloc_zeroed(mixing->sitting->exam->dim_to, BLOCK * sizeof *mixing->mapped);
    mixing->merged = hl_alloc_zeroed(n, sizeof *mixing->merged);
    for (size_t space = 0; space < N_SPACES; space++) {
        mixing->scores[space] = hl_alloc_zeroed(n, BLOCK * sizeof *mixing->merged);
        if (!mixing->scores[space])
            return false;
    }
    return mixing->gallery_labels && mixing->places && mixing->mapped && mixing->merged;
}

static void done(struct mixing *mixing)
{
    hl_free(mixing->gallery_labels);
    hl_free(mixing->places);
    hl_free(mixing->mapped);
    hl_free(mixing->merged);
    for (size_t space = 0; space < N_SPACES; space++)
        hl_free(mixing->scores[space]);
    hl_ranker_free(mixing->ranker);
}

/* The larger mix has all new items of the smaller one, as a gallery has in time. */
static void deal_out(struct mixing *mixing)
{
    size_t n = mixing->sitting->n_gallery;
    uint32_t *items = mixing->places + n;
    struct hl_random random = {hl_random_mix(mixing->sitting->task->bridge->seed)};

    for (size_t item = 0; item < n; item++)
        items[item] = (uint32_t)item;
    hl_random_shuffle(&random, items, n);
    for (size_t place = 0; place < n; place++)
        mixing->places[items[place]] = (uint32_t)place;
}

static void label(struct mixing *mixing)
{
    const struct hl_exam *exam = mixing->sitting->exam;

    for (size_t item = 0; item < mixing->sitting->n_gallery; item++)
        mixing->gallery_labels[item] =
            mixing->by_label ? exam->labels[exam->n_queries + item] : (int32_t)item;
}

static enum hl_code init(struct mixing *mixing, const struct hl_sitting *sitting,
                         struct hl_err *err)
{
    const struct hl_bridge *bridge = sitting->task->bridge;
    const struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];
    struct hl_asking asking[HL_N_MODALITIES];

    *mixing = (struct mixing){.sitting = sitting};
    mixing->by_label = hl_sitting_is_by_label(sitting);
    hl_sitting_find_asking(sitting, asking);
    mixing->asking = asking[HL_MODALITY_IMAGE];
    if (mixing->asking.n > MIX_QUERIES)
        mixing->asking.n = MIX_QUERIES;
    mixing->has_dual = hl_affine_between(hl_scale_at(way->old_items, bridge->fidelity),
                                         bridge->from_own, &mixing->affine);
    if (!get_room(mixing))
        return hl_fail(err, HL_NO_MEMORY, "no memory to mix %zu items", sitting->n_gallery);
    deal_out(mixing);
    label(mixing);
    return hl_ranker_new(mixing->gallery_labels, sitting->n_gallery, &mixing->ranker, err);
}

/* ---- one query ---- */

/* What it scores items by, at that share of new ones. */
static void merge(struct mixing *mixing, size_t query, size_t n_new, enum strategy strategy)
{
    size_t n = mixing->sitting->n_gallery;
    const float *old = mixing->scores[OLD_ITEMS] + query * n;
    const float *new = mixing->scores[strategy == DUAL ? NEW_ITEMS : IMAGES] + query *n;
    struct hl_affine own = strategy == DUAL ? mixing->affine : (struct hl_affine){1, 0};

    for (size_t item = 0; item < n; item++)
        mixing->merged[item] =
            mixing->places[item] < n_new ? new[item] : hl_affine_apply(own, old[item]);
}

static void judge(struct mixing *mixing, size_t query, size_t mix, enum strategy strategy)
{
    const struct hl_sitting *sitting = mixing->sitting;
    const struct hl_exam *exam = sitting->exam;
    struct tally *tally = &mixing->tallies[mix][strategy];
    size_t n_new = (size_t)(shares[mix] * (double)sitting->n_gallery + .5);
    size_t row = mixing->asking.first + query;
    int32_t wanted =
        mixing->by_label ? exam->labels[row] : (int32_t)(row - exam->n_queries);
    struct hl_answer answer;

    merge(mixing, query % BLOCK, n_new, strategy);
    answer = hl_ranker_answer(mixing->ranker, wanted, mixing->merged, true);
    if (!answer.is_asked)
        return;
    tally->n_asked++;
    tally->n_top1 += answer.top1;
    hl_tally_add(&tally->ap, answer.ap, 0, 0);
}

/* ---- a block of them ---- */

struct keeping {
    float *scores;
    size_t n;
};

static void keep(void *self, size_t query, const float *scores)
{
    const struct keeping *keeping = self;

    memcpy(keeping->scores + query * keeping->n, scores, keeping->n * sizeof *scores);
}

static enum hl_code compare(struct mixing *mixing, size_t first, size_t n,
                            struct hl_err *err)
{
    const struct hl_sitting *sitting = mixing->sitting;
    const struct hl_exam *exam = sitting->exam;
    size_t from = exam->dim_from, to = exam->dim_to;
    const struct {
        const float *queries, *gallery;
        size_t dim;
    } spaces[N_SPACES] = {
        [OLD_ITEMS] = {mixing->mapped, exam->to + exam->n_queries * to, to},
        [IMAGES] = {mixing->mapped, sitting->images, to},
        [NEW_ITEMS] = {exam->from + first * from, exam->from + exam->n_queries * from,
                       from},
    };
    enum hl_code code = HL_OK;

    hl_sitting_map_rows(sitting, HL_OWN_FIDELITY, first, n, mixing->mapped);
    for (size_t space = 0; space < N_SPACES && code == HL_OK; space++) {
        struct keeping keeping = {mixing->scores[space], sitting->n_gallery};
        struct hl_scan scan = {
            spaces[space].queries, spaces[space].gallery, n,
            sitting->n_gallery,    spaces[space].dim,     &sitting->task->errand};

        code = hl_scan_each(&scan, keep, &keeping, err);
    }
    return code;
}

static enum hl_code measure(struct mixing *mixing, struct hl_err *err)
{
    size_t n = mixing->asking.n;
    enum hl_code code = HL_OK;

    for (size_t first = 0; first < n && code == HL_OK; first += BLOCK) {
        size_t n_now = n - first < BLOCK ? n - first : BLOCK;

        code = compare(mixing, mixing->asking.first + first, n_now, err);
        for (size_t query = first; query < first + n_now && code == HL_OK; query++) {
            for (size_t mix = 0; mix < HL_N_MIXES; mix++) {
                judge(mixing, query, mix, BACKWARD);
                if (mixing->has_dual)
                    judge(mixing, query, mix, DUAL);
            }
        }
    }
    return code;
}

/* ---- figures ---- */

static struct hl_mix_figures figures_of(const struct tally *tally)
{
    return (struct hl_mix_figures){hl_figure_share(tally->n_top1, tally->n_asked),
                                   hl_figure_mean(&tally->ap)};
}

enum hl_code hl_mixes_take(const struct hl_sitting *sitting, struct hl_mixes *ret_mixes,
                           struct hl_err *err)
{
    struct mixing mixing;
    struct hl_mixes mixes = {0};
    enum hl_code code;

    if (!sitting->task->bridge || sitting->task->then)
        return HL_OK;
    code = init(&mixing, sitting, err);
    if (code == HL_OK)
        code = measure(&mixing, err);
    mixes.chosen = sitting->task->bridge->strategy;
    for (size_t mix = 0; mix < HL_N_MIXES; mix++)
        mixes.mixes[mix] =
            (struct hl_mix){shares[mix], figures_of(&mixing.tallies[mix][BACKWARD]),
                            figures_of(&mixing.tallies[mix][DUAL])};
    done(&mixing);
    if (code == HL_OK)
        *ret_mixes = mixes;
    return code;
}

static enum hl_bridge_strategy choose(const struct hl_mixes *mixes)
{
    double difference = 0;

    for (size_t mix = 0; mix < HL_N_MIXES; mix++) {
        const struct hl_mix *at = &mixes->mixes[mix];

        if (at->dual.map.of == 0)
            return HL_BRIDGE_BACKWARD;
        difference += at->dual.map.value - at->backward.map.value;
    }
    return difference > 0 ? HL_BRIDGE_DUAL : HL_BRIDGE_BACKWARD;
}

enum hl_code hl_mixes_choose(const struct hl_report_task *task, struct hl_bridge *bridge,
                             struct hl_mixes *ret_mixes, struct hl_err *err)
{
    struct hl_report_task own = *task;
    struct hl_sitting *sitting = NULL;
    struct hl_mixes mixes = {0};
    enum hl_code code;

    own.bridge = bridge;
    own.then = NULL;
    code = hl_sitting_new(&own, 1, &sitting, err);
    if (code == HL_OK)
        code = hl_mixes_take(sitting, &mixes, err);
    hl_sitting_free(sitting);
    if (code != HL_OK)
        return code;
    bridge->strategy = mixes.chosen = choose(&mixes);
    *ret_mixes = mixes;
    return HL_OK;
}
