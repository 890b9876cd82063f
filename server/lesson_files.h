/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LESSON_FILES_H
#define HL_SERVER_LESSON_FILES_H

#include "compat/head.h"
#include "compat/labels.h"
#include "compat/lesson.h"
#include "proto/sha256.h"
#include "server/learn.h"

/* What the command line learns from and judges on: .npy of vectors and of labels, row i of
 * each the same photograph, or one data set as compat/FILES.md describes it. One thread. */
struct hl_lesson_files;

struct hl_lesson_paths {
    const char *dataset;             /* .safetensors; else NULL and … */
    const char *from, *to, *labels;  /* … .npy each, NULL: none */
    const char *from_name, *to_name; /* the tensors in a data set; NULL: not wanted */
};

/* Paths as they are typed: "FROM,TO,LABELS", any of them empty or left out, or a data set.
 * `room` keeps what they point at. HL_INVALID. */
enum { HL_LESSON_ROOM = 4096 };
enum hl_code hl_lesson_paths_read(const char *text, char room[HL_LESSON_ROOM],
                                  struct hl_lesson_paths *ret_paths, struct hl_err *err);
bool hl_lesson_is_dataset(const char *path); /* by its ending */

/* Labels are added to `labels`. HL_BAD_FILE and HL_INVALID name the file. */
enum hl_code hl_lesson_files_open(const struct hl_lesson_paths *paths,
                                  struct hl_labels *labels,
                                  struct hl_lesson_files **ret_files, struct hl_err *err);
void hl_lesson_files_close(struct hl_lesson_files *files); /* NULL is accepted */

/* Good until it is closed; no rows, and nothing added, for NULL. */
struct hl_lesson hl_lesson_files_lesson(const struct hl_lesson_files *files);
void hl_lesson_files_note(const struct hl_lesson_files *files,
                          struct hl_learn_source *source);

#endif
