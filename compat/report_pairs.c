/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report_pairs.h"

#include "compat/figure.h"
#include "proto/alloc.h"

#include <math.h>

/* Rates of false accepts are read off a histogram this fine: two millionths of a cosine. */
enum { FINE_BINS = 1 << 20 };

static const double false_accepts[HL_REPORT_FARS] = {.01, .001, .0001};

/* Pairs of labelled rows in one space. Cases are queries, because pairs of one query are no
 * independent witnesses. */
struct pairs {
    const int32_t *query_labels, *gallery_labels;
    size_t n_gallery;
    uint64_t *strangers; /* pairs of two labels, by fine bin */
    uint64_t n_strangers;
    size_t cuts[HL_REPORT_FARS]; /* the lowest fine bin that is accepted */
    struct hl_tally precision[HL_REPORT_THRESHOLDS], recall[HL_REPORT_THRESHOLDS];
    struct hl_tally accepts[HL_REPORT_FARS];
};

static size_t bin_of(float score, size_t n_bins, size_t n_steps)
{
    double bin = ((double)score + 1) / 2 * (double)n_steps;

    if (!(bin > 0))
        return 0;
    return bin >= (double)n_bins ? n_bins - 1 : (size_t)bin;
}

static size_t fine_bin(float score)
{
    return bin_of(score, FINE_BINS, FINE_BINS);
}

static size_t threshold_bin(float score)
{
    return bin_of(score, HL_REPORT_THRESHOLDS, HL_REPORT_THRESHOLDS - 1);
}

static double threshold_at(size_t bin)
{
    return -1 + 2 * (double)bin / (HL_REPORT_THRESHOLDS - 1);
}

/* ---- first look: strangers ---- */

static void see_strangers(void *self, size_t query, const float *scores)
{
    struct pairs *pairs = self;
    int32_t label = pairs->query_labels[query];

    for (size_t row = 0; label >= 0 && row < pairs->n_gallery; row++) {
        if (pairs->gallery_labels[row] < 0 || pairs->gallery_labels[row] == label)
            continue;
        pairs->strangers[fine_bin(scores[row])]++;
        pairs->n_strangers++;
    }
}

static void find_cuts(struct pairs *pairs)
{
    for (size_t i = 0; i < HL_REPORT_FARS; i++) {
        double allowed = false_accepts[i] * (double)pairs->n_strangers;
        uint64_t accepted = 0;
        size_t cut = FINE_BINS;

        while (cut > 0 && (double)(accepted + pairs->strangers[cut - 1]) <= allowed)
            accepted += pairs->strangers[--cut];
        pairs->cuts[i] = cut;
    }
}

/* ---- second look: what is accepted ---- */

/* Of one query. */
struct counts {
    uint64_t same[HL_REPORT_THRESHOLDS], all[HL_REPORT_THRESHOLDS];
    uint64_t accepted[HL_REPORT_FARS];
    uint64_t n_same;
};

static void count_pair(const struct pairs *pairs, float score, bool is_same,
                       struct counts *counts)
{
    size_t bin = threshold_bin(score);

    counts->all[bin]++;
    if (!is_same)
        return;
    counts->same[bin]++;
    counts->n_same++;
    for (size_t i = 0; i < HL_REPORT_FARS; i++)
        counts->accepted[i] += fine_bin(score) >= pairs->cuts[i];
}

static void see_accepts(void *self, size_t query, const float *scores)
{
    struct pairs *pairs = self;
    struct counts counts = {.n_same = 0};
    int32_t label = pairs->query_labels[query];
    double same = 0, all = 0;

    if (label < 0)
        return;
    for (size_t row = 0; row < pairs->n_gallery; row++)
        if (pairs->gallery_labels[row] >= 0 && !isnan(scores[row]))
            count_pair(pairs, scores[row], pairs->gallery_labels[row] == label, &counts);
    for (size_t bin = HL_REPORT_THRESHOLDS; bin-- > 0;) {
        same += (double)counts.same[bin];
        all += (double)counts.all[bin];
        hl_tally_add(&pairs->precision[bin], same, all, 0);
        hl_tally_add(&pairs->recall[bin], same, (double)counts.n_same, 0);
    }
    for (size_t i = 0; i < HL_REPORT_FARS; i++)
        hl_tally_add(&pairs->accepts[i], (double)counts.accepted[i], (double)counts.n_same,
                     0);
}

/* Of pairs, though its interval is of queries. */
static struct hl_figure share_of_pairs(const struct hl_tally *tally)
{
    struct hl_figure figure = hl_figure_ratio(tally);

    figure.of = figure.of ? (uint64_t)tally->b : 0;
    return figure;
}

static enum hl_code look_at_pairs(const struct hl_scan *scan, struct pairs *pairs,
                                  struct hl_err *err)
{
    enum hl_code code;

    pairs->strangers = hl_alloc_zeroed(FINE_BINS, sizeof *pairs->strangers);
    if (!pairs->strangers)
        return hl_fail(err, HL_NO_MEMORY, "no memory to count pairs");
    code = hl_scan_each(scan, see_strangers, pairs, err);
    find_cuts(pairs);
    hl_free(pairs->strangers);
    pairs->strangers = NULL;
    if (code == HL_OK)
        code = hl_scan_each(scan, see_accepts, pairs, err);
    return code;
}

/* ---- three spaces ---- */

/* A rate is measured where at least one stranger would be accepted at it. */
static struct hl_figure accepts_of(const struct pairs *pairs, size_t i)
{
    if (false_accepts[i] * (double)pairs->n_strangers < 1)
        return (struct hl_figure){0};
    return share_of_pairs(&pairs->accepts[i]);
}

static void fill_thresholds(const struct pairs *pairs, struct hl_report *report)
{
    for (size_t bin = 0; bin < HL_REPORT_THRESHOLDS; bin++)
        report->thresholds[bin] = (struct hl_report_threshold){
            threshold_at(bin), share_of_pairs(&pairs->precision[bin]),
            share_of_pairs(&pairs->recall[bin])};
}

static struct hl_figure *accepts_at(struct hl_report_far *far, size_t space)
{
    return space == 0 ? &far->old_old : space == 1 ? &far->new_old : &far->new_new;
}

enum hl_code hl_report_take_pairs(struct hl_sitting *sitting, struct hl_report *report,
                                  struct hl_err *err)
{
    const struct hl_exam *exam = sitting->exam;
    const float *queries[] = {exam->to, sitting->mapped, exam->from};
    enum hl_code code = HL_OK;

    if (sitting->mapped)
        hl_sitting_map(sitting, HL_OWN_FIDELITY);
    for (size_t i = 0; i < HL_REPORT_FARS; i++)
        report->fars[i].false_accepts = false_accepts[i];
    for (size_t space = 0; space < 3 && code == HL_OK; space++) {
        bool is_own = space == 2;
        size_t dim = is_own ? exam->dim_from : exam->dim_to;
        struct hl_scan scan = {queries[space],
                               (is_own ? exam->from : exam->to) + exam->n_queries * dim,
                               exam->n_ranked,
                               sitting->n_gallery,
                               dim,
                               &sitting->task->errand};
        struct pairs pairs = {.query_labels = exam->labels,
                              .gallery_labels = exam->labels + exam->n_queries,
                              .n_gallery = sitting->n_gallery};

        if (!queries[space])
            continue;
        code = look_at_pairs(&scan, &pairs, err);
        if (code != HL_OK)
            break;
        for (size_t i = 0; i < HL_REPORT_FARS; i++)
            *accepts_at(&report->fars[i], space) = accepts_of(&pairs, i);
        if (space == (sitting->mapped ? 1 : 2))
            fill_thresholds(&pairs, report);
    }
    return code;
}
