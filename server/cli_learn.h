/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_LEARN_H
#define HL_SERVER_CLI_LEARN_H

#include "compat/bridge.h"
#include "server/learn.h"
#include "server/lesson_files.h"

/* What `heirloom fit` and `heirloom evaluate` share. One thread. */

enum { HL_CLI_MODEL = 256 };

/* A model's name: as it was said, or else what its file is called, without folder and
 * ending. */
void hl_cli_model(const char *said, const char *path, char model[HL_CLI_MODEL]);

/* The classifier heads of both models and the labels that the old model's names. */
struct hl_cli_heads {
    struct hl_head *old, *own; /* of the model that the bridge leads to, and comes from */
    struct hl_labels *labels;
};

/* Either path may be NULL: no head. Done with in any case. */
enum hl_code hl_cli_heads_load(struct hl_cli_heads *heads, const char *old_path,
                               const char *own_path, struct hl_err *err);
void hl_cli_heads_done(struct hl_cli_heads *heads);

/* HL_OK and NULL for a NULL path. */
enum hl_code hl_cli_load_bridge(const char *path, struct hl_bridge **ret_bridge,
                                struct hl_err *err);

/* A text file that appears whole or not at all; nothing for a NULL path. */
enum hl_code hl_cli_save_text(const char *path, const char *text, struct hl_err *err);

/* Whether that can be written there at the moment: for who works long before it is. Leaves
 * what is there as it is. */
enum hl_code hl_cli_check_path(const char *path, struct hl_err *err);

/* The report's table on standard output; nothing for NULL. */
enum hl_code hl_cli_print_report(const struct hl_report *report, struct hl_err *err);

/* How far it is, on standard error: a line that is drawn again on a terminal, elsewhere one
 * for each phase. */
struct hl_cli_teller {
    struct hl_deadline deadline;
    const char *what; /* "fit" */
    char phase[32];
    int percent;
    bool is_terminal;
};
void hl_cli_teller_init(struct hl_cli_teller *teller, const char *what,
                        struct hl_errand *ret_errand);
void hl_cli_teller_end(struct hl_cli_teller *teller); /* leaves no half line */

#endif
