/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/mixes.h"

#include "compat/figure.h"
#include "compat/scale.h"
#include "compat/sitting.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* So many queries tell two strategies apart: mAP of the same queries by .005. Blocks are of
 * queries, each of which is compared in three ways. */
enum { MIX_QUERIES = 1000, BLOCK = 64 };

static const double shares[HL_N_MIXES] = {.25, .5, .75};

enum space { OLD_ITEMS, IMAGES, NEW_ITEMS, N_SPACES };
enum strategy { BACKWARD, DUAL, N_STRATEGIES };

/* Which items are the first to be new: any, or class after class. Both ways round no class
 * is the first alone. */
enum deal { BY_CHANCE, BY_CLASS, BY_CLASS_BACK, N_DEALS };
enum kind { CHANCE, CLASSES, N_KINDS };

struct tally {
    uint64_t n_asked, n_top1;
    struct hl_tally ap;
};

struct mixing {
    const struct hl_sitting *sitting;
    struct hl_asking asking;
    bool by_label;
    bool has_dual;
    /* From mapped queries' scores of old items and of images to the queries' own scale, as
     * they are merged where they are served. */
    struct hl_affine affines[NEW_ITEMS];
    int32_t *gallery_labels;  /* or, of the very photograph, a label for each item */
    uint32_t *places;         /* of items, in each deal: the first of them are new */
    float *mapped;            /* BLOCK queries */
    float *scores[N_SPACES];  /* BLOCK x gallery each */
    float *merged;            /* one query's */
    struct hl_ranker *ranker; /* over gallery_labels */
    struct tally tallies[HL_N_MIXES][N_KINDS][N_STRATEGIES];
    struct hl_tally leads[N_KINDS]; /* of dual: top1, the mean of a query's mixes */
};

/* ---- what is compared ---- */

static bool get_room(struct mixing *mixing)
{
    size_t n = mixing->sitting->n_gallery;

    mixing->gallery_labels = hl_alloc_zeroed(n, sizeof *mixing->gallery_labels);
    mixing->places = hl_alloc_zeroed((N_DEALS + 1) * n, sizeof *mixing->places);
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
    uint32_t *items = mixing->places + N_DEALS * n;
    struct hl_random random = {hl_random_mix(mixing->sitting->task->bridge->seed)};

    for (size_t item = 0; item < n; item++)
        items[item] = (uint32_t)item;
    hl_random_shuffle(&random, items, n);
    for (size_t place = 0; place < n; place++)
        mixing->places[items[place]] = (uint32_t)place;
}

struct item {
    uint32_t item, place, first; /* `first` of its class in the deal by chance */
    int32_t label;
};

static int compare_labels(const void *a, const void *b)
{
    const struct item *left = a, *right = b;

    if (left->label != right->label)
        return left->label < right->label ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

static int compare_classes(const void *a, const void *b)
{
    const struct item *left = a, *right = b;

    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->place < right->place ? -1 : left->place > right->place;
}

/* Classes come in the order in which chance showed the first of each. */
static bool deal_by_class(struct mixing *mixing)
{
    size_t n = mixing->sitting->n_gallery;
    struct item *items = hl_alloc_zeroed(n, sizeof *items);

    if (!items)
        return false;
    for (size_t item = 0; item < n; item++)
        items[item] = (struct item){.item = (uint32_t)item,
                                    .place = mixing->places[item],
                                    .label = mixing->gallery_labels[item]};
    qsort(items, n, sizeof *items, compare_labels);
    for (size_t i = 0; i < n; i++)
        items[i].first = i > 0 && items[i].label == items[i - 1].label ? items[i - 1].first
                                                                       : items[i].place;
    qsort(items, n, sizeof *items, compare_classes);
    for (size_t place = 0; place < n; place++) {
        mixing->places[BY_CLASS * n + items[place].item] = (uint32_t)place;
        mixing->places[BY_CLASS_BACK * n + items[place].item] = (uint32_t)(n - 1 - place);
    }
    hl_free(items);
    return true;
}

static void label(struct mixing *mixing)
{
    const struct hl_exam *exam = mixing->sitting->exam;

    for (size_t item = 0; item < mixing->sitting->n_gallery; item++)
        mixing->gallery_labels[item] =
            mixing->by_label ? exam->labels[exam->n_queries + item] : (int32_t)item;
}

/* Without scales scores are merged as they are, and two spaces not at all. */
static void find_scales(struct mixing *mixing)
{
    const struct hl_bridge *bridge = mixing->sitting->task->bridge;
    const struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];
    struct hl_scale old = hl_scale_at(way->old_items, bridge->fidelity);
    struct hl_scale new = hl_scale_at(way->new_items, bridge->fidelity);
    struct hl_affine *affines = mixing->affines;

    if (!hl_scale_is_measured(new))
        new = old;
    mixing->has_dual = hl_affine_between(old, bridge->from_own, &affines[OLD_ITEMS]);
    if (!hl_affine_between(new, bridge->from_own, &affines[IMAGES]) || !mixing->has_dual)
        affines[OLD_ITEMS] = affines[IMAGES] = (struct hl_affine){1, 0};
}

static enum hl_code init(struct mixing *mixing, const struct hl_sitting *sitting,
                         struct hl_err *err)
{
    struct hl_asking asking[HL_N_MODALITIES];

    *mixing = (struct mixing){.sitting = sitting};
    mixing->by_label = hl_sitting_is_by_label(sitting);
    hl_sitting_find_asking(sitting, asking);
    mixing->asking = asking[HL_MODALITY_IMAGE];
    if (mixing->asking.n > MIX_QUERIES)
        mixing->asking.n = MIX_QUERIES;
    find_scales(mixing);
    if (!get_room(mixing))
        return hl_fail(err, HL_NO_MEMORY, "no memory to mix %zu items", sitting->n_gallery);
    deal_out(mixing);
    label(mixing);
    if (mixing->by_label && !deal_by_class(mixing))
        return hl_fail(err, HL_NO_MEMORY, "no memory to mix %zu items", sitting->n_gallery);
    return hl_ranker_new(mixing->gallery_labels, sitting->n_gallery, &mixing->ranker, err);
}

/* ---- one query ---- */

struct mix {
    size_t share;
    enum deal deal;
    enum strategy strategy;
};

static enum kind kind_of(enum deal deal)
{
    return deal == BY_CHANCE ? CHANCE : CLASSES;
}

/* What it scores items by. */
static void merge(struct mixing *mixing, size_t query, const struct mix *mix)
{
    size_t n = mixing->sitting->n_gallery;
    size_t n_new = (size_t)(shares[mix->share] * (double)n + .5);
    const uint32_t *places = mixing->places + mix->deal * n;
    const float *old = mixing->scores[OLD_ITEMS] + query * n;
    bool is_dual = mix->strategy == DUAL;
    const float *new = mixing->scores[is_dual ? NEW_ITEMS : IMAGES] + query *n;
    struct hl_affine of_new = is_dual ? (struct hl_affine){1, 0} : mixing->affines[IMAGES];

    for (size_t item = 0; item < n; item++)
        mixing->merged[item] = places[item] < n_new
                                   ? hl_affine_apply(of_new, new[item])
                                   : hl_affine_apply(mixing->affines[OLD_ITEMS], old[item]);
}

static struct hl_answer judge(struct mixing *mixing, size_t query, const struct mix *mix)
{
    const struct hl_exam *exam = mixing->sitting->exam;
    enum kind kind = kind_of(mix->deal);
    struct tally *tally = &mixing->tallies[mix->share][kind][mix->strategy];
    size_t row = mixing->asking.first + query;
    int32_t wanted =
        mixing->by_label ? exam->labels[row] : (int32_t)(row - exam->n_queries);
    struct hl_answer answer;

    merge(mixing, query % BLOCK, mix);
    answer = hl_ranker_answer(mixing->ranker, wanted, mixing->merged, kind == CHANCE);
    if (!answer.is_asked)
        return answer;
    tally->n_asked++;
    tally->n_top1 += answer.top1;
    if (kind == CHANCE)
        hl_tally_add(&tally->ap, answer.ap, 0, 0);
    return answer;
}

/* In all mixes of a deal; how far dual leads. NaN: not asked. */
static double judge_deal(struct mixing *mixing, size_t query, enum deal deal)
{
    double lead = 0;

    for (size_t share = 0; share < HL_N_MIXES; share++) {
        struct mix backward = {share, deal, BACKWARD}, dual = {share, deal, DUAL};
        struct hl_answer answer = judge(mixing, query, &backward);

        if (!mixing->has_dual || !answer.is_asked) {
            lead = (double)NAN;
            continue;
        }
        lead += judge(mixing, query, &dual).top1 - answer.top1;
    }
    return lead / HL_N_MIXES;
}

/* Both ways round are one case: they are of one query. */
static void judge_query(struct mixing *mixing, size_t query)
{
    double lead = judge_deal(mixing, query, BY_CHANCE);

    if (!isnan(lead))
        hl_tally_add(&mixing->leads[CHANCE], lead, 0, 0);
    if (!mixing->by_label)
        return;
    lead = judge_deal(mixing, query, BY_CLASS);
    lead = (lead + judge_deal(mixing, query, BY_CLASS_BACK)) / 2;
    if (!isnan(lead))
        hl_tally_add(&mixing->leads[CLASSES], lead, 0, 0);
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
        for (size_t query = first; query < first + n_now && code == HL_OK; query++)
            judge_query(mixing, query);
    }
    return code;
}

/* ---- figures ---- */

static struct hl_mix_figures figures_of(const struct mixing *mixing, size_t share,
                                        enum strategy strategy)
{
    const struct tally *chance = &mixing->tallies[share][CHANCE][strategy];
    const struct tally *classes = &mixing->tallies[share][CLASSES][strategy];

    return (struct hl_mix_figures){hl_figure_share(chance->n_top1, chance->n_asked),
                                   hl_figure_mean(&chance->ap),
                                   hl_figure_share(classes->n_top1, classes->n_asked)};
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
    mixes.lead = hl_figure_mean(&mixing.leads[CHANCE]);
    mixes.lead_by_class = hl_figure_mean(&mixing.leads[CLASSES]);
    for (size_t share = 0; share < HL_N_MIXES; share++)
        mixes.mixes[share] =
            (struct hl_mix){shares[share], figures_of(&mixing, share, BACKWARD),
                            figures_of(&mixing, share, DUAL)};
    done(&mixing);
    if (code == HL_OK)
        *ret_mixes = mixes;
    return code;
}

/* Beyond what chance would do. */
static bool falls_behind(const struct hl_figure *lead)
{
    return lead->of > 0 && lead->high < 0;
}

enum hl_bridge_strategy hl_mixes_better(const struct hl_mixes *mixes)
{
    double difference = 0;

    for (size_t mix = 0; mix < HL_N_MIXES; mix++) {
        const struct hl_mix *at = &mixes->mixes[mix];

        if (at->dual.map.of == 0)
            return HL_BRIDGE_BACKWARD;
        difference += at->dual.map.value - at->backward.map.value;
    }
    if (falls_behind(&mixes->lead) || falls_behind(&mixes->lead_by_class))
        return HL_BRIDGE_BACKWARD;
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
    bridge->strategy = mixes.chosen = hl_mixes_better(&mixes);
    *ret_mixes = mixes;
    return HL_OK;
}
