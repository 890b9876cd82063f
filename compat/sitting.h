/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_SITTING_H
#define HL_COMPAT_SITTING_H

#include "compat/report.h"
#include "compat/retrieval.h"

/* One sitting of an exam: what is worked out once and then looked at from many sides.
 *
 * Internal to the report. Borrows its task. One thread. */
struct hl_sitting {
    const struct hl_report_task *task;
    const struct hl_exam *exam;
    size_t n_gallery;
    float *mapped; /* rows of `from` in the space of `to`; NULL: no bridge */
    float *images; /* faithful images of the gallery; NULL: no bridge */
    float *mixed;  /* the gallery, every second item of it an image; NULL: no bridge */
    float *room;   /* for maps */
    struct hl_answer *old_old, *new_old, *new_new, *old_new, *old_mixed; /* of queries */
    uint32_t *places; /* where rows of the gallery find themselves */
    uint8_t *rights;  /* HL_RIGHT_… of rows; NULL: no heads */
    size_t n_ranked;  /* queries ranked whole; the exam's, unless somebody lowers it */
    size_t n_done, n_steps;
};

enum {
    HL_RIGHT_OLD = 1, /* old head on the old vector */
    HL_RIGHT_NEW = 2, /* old head on the mapped vector */
    HL_RIGHT_OWN = 4, /* new head on the new vector */
    HL_ASKED_OLD = 8, /* the old head knows the class */
    HL_ASKED_OWN = 16 /* the new head does */
};

/* Of `n_steps` scans, for progress. Everything is zero until it is worked out. */
enum hl_code hl_sitting_new(const struct hl_report_task *task, size_t n_steps,
                            struct hl_sitting **ret_sitting, struct hl_err *err);
void hl_sitting_free(struct hl_sitting *sitting); /* NULL is accepted */

/* Each bridge at its own fidelity. */
#define HL_OWN_FIDELITY (-1.0F)

/* Fills `mapped`; or maps n rows from `first` on into `out`. */
void hl_sitting_map(struct hl_sitting *sitting, float fidelity);
void hl_sitting_map_rows(const struct hl_sitting *sitting, float fidelity, size_t first,
                         size_t n, float *out);

/* Whether queries differ by fidelity at all: where no way has two maps they do not. */
bool hl_sitting_has_dial(const struct hl_sitting *sitting);

/* Whether "the same" is a label; else it is the photograph. */
bool hl_sitting_is_by_label(const struct hl_sitting *sitting);

/* Rows that ask where not all need to, by modality: by label, ranked queries, images and
 * then texts; else items of the gallery, for themselves. Of one modality alone, it stands
 * for both. */
struct hl_asking {
    size_t first, n;
};
void hl_sitting_find_asking(const struct hl_sitting *sitting,
                            struct hl_asking asking[HL_N_MODALITIES]);

/* Queries (row 0 … of the exam) against a gallery in the same space. */
enum hl_code hl_sitting_answer(struct hl_sitting *sitting, const float *queries,
                               const float *gallery, size_t dim, struct hl_answer *answers,
                               struct hl_err *err);

/* Fills `places`: mapped rows of the gallery among the gallery itself. */
enum hl_code hl_sitting_find_selves(struct hl_sitting *sitting, struct hl_err *err);

/* Fills `rights` from what heads there are. */
enum hl_code hl_sitting_judge(struct hl_sitting *sitting, struct hl_err *err);

#endif
