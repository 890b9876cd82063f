/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_view.h"

#include "server/cli_json.h"

#include <math.h>
#include <string.h>

enum { LAST_EVENTS = 5, LABEL = 11, NEAR = 256 };

/* ---- pieces ---- */

static const char *text(const struct hl_rollout_view *view, const struct hl_span *json,
                        const char *path, const char *otherwise)
{
    const char *found = hl_cli_text(json, path, view->arena);

    return found ? found : otherwise;
}

static double number(const struct hl_rollout_view *view, const struct hl_span *json,
                     const char *path)
{
    return hl_cli_number(json, path, view->arena);
}

/* What happened a moment ago has a time of day; the date is that of every line. */
static const char *time_of(const char *moment)
{
    const char *t = strchr(moment, 'T');

    return t ? t + 1 : moment;
}

static void print_label(struct hl_buf *buf, const char *label)
{
    hl_buf_print(buf, "%-*s", LABEL, label);
}

static void print_percent(struct hl_buf *buf, double share)
{
    if (isnan(share))
        hl_buf_add_text(buf, "-");
    else
        hl_buf_print(buf, "%.2f %%", share * 100);
}

/* A share and how sure it is: 3.16 % [1.85, 5.32] of 412 */
static void print_figure(const struct hl_rollout_view *view, const struct hl_span *json,
                         const char *path, struct hl_buf *buf)
{
    const struct hl_span figure = hl_cli_find(json, path, view->arena);

    if (figure.len == 0) {
        hl_buf_add_text(buf, "-");
        return;
    }
    print_percent(buf, number(view, &figure, "value"));
    hl_buf_print(buf, " [%.2f, %.2f] of %.0f", number(view, &figure, "low") * 100,
                 number(view, &figure, "high") * 100, number(view, &figure, "of"));
}

static void print_count(struct hl_buf *buf, double count)
{
    if (isnan(count))
        hl_buf_add_text(buf, "0");
    else
        hl_buf_print(buf, "%.0f", count);
}

static void print_ms(struct hl_buf *buf, double seconds)
{
    if (isnan(seconds))
        hl_buf_add_text(buf, "-");
    else
        hl_buf_print(buf, "%.2f ms", seconds * 1000);
}

/* ---- lines ---- */

static void print_models(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    const struct hl_span *rollout = &view->rollout;

    hl_buf_print(buf, "%s -> %s", text(view, rollout, "from", "(deleted)"),
                 text(view, rollout, "to", "(deleted)"));
}

static void print_stage(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    const struct hl_span *rollout = &view->rollout;
    const char *stage = text(view, rollout, "stage", "none");

    hl_buf_add_text(buf, stage);
    if (strcmp(stage, "canary") == 0)
        hl_buf_print(buf, " %g %%", number(view, rollout, "percent"));
}

static void print_head(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    const struct hl_span *rollout = &view->rollout;
    const char *by = text(view, rollout, "changed_by", NULL);

    print_label(buf, view->collection);
    print_models(view, buf);
    hl_buf_print(buf, "   rollout %.0f, step %.0f\n", number(view, rollout, "number"),
                 number(view, rollout, "step"));
    print_label(buf, "stage");
    print_stage(view, buf);
    hl_buf_print(buf, "   since %s%s%s\n", text(view, rollout, "changed_at", "-"),
                 by ? " by " : "", by ? by : "");
}

/* What was counted in the stage that it is in. */
static struct hl_span counts_of(const struct hl_rollout_view *view)
{
    const struct hl_span stages = hl_cli_find(&view->rollout, "comparison", view->arena);

    return hl_cli_find(&stages, text(view, &view->rollout, "stage", ""), view->arena);
}

/* What the guard compares it with, where it does. */
static void print_baseline(const struct hl_rollout_view *view, const char *guard,
                           struct hl_buf *buf)
{
    const struct hl_span guards =
        hl_cli_find(&view->rollout, "comparison.guards", view->arena);
    const struct hl_span one = hl_cli_find(&guards, guard, view->arena);
    const struct hl_span baseline = hl_cli_find(&one, "baseline", view->arena);

    if (baseline.len == 0)
        return;
    hl_buf_add_text(buf, "   baseline ");
    print_percent(buf, number(view, &baseline, "mean"));
    hl_buf_print(buf, " of %.0f (%s)", number(view, &baseline, "n"),
                 text(view, &baseline, "of", "-"));
}

static void print_counts(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    const struct hl_span counts = counts_of(view);
    double overlap = number(view, &counts, "overlap10.value");

    print_label(buf, "compared");
    print_count(buf, number(view, &counts, "compared"));
    hl_buf_add_text(buf, " queries, ");
    print_count(buf, number(view, &counts, "dropped"));
    hl_buf_add_text(buf, " dropped   lost top hits ");
    print_figure(view, &counts, "lost_tops", buf);
    hl_buf_add_char(buf, '\n');
    print_label(buf, "differ");
    print_percent(buf, 1 - overlap);
    hl_buf_add_text(buf, " of the first 10");
    print_baseline(view, "disagreement", buf);
    hl_buf_add_char(buf, '\n');
    print_label(buf, "flips");
    print_figure(view, &counts, "negative_flips", buf);
    hl_buf_add_text(buf, " judged");
    print_baseline(view, "flips", buf);
    hl_buf_add_char(buf, '\n');
    print_label(buf, "");
    hl_buf_add_text(buf, "positive ");
    print_figure(view, &counts, "positive_flips", buf);
    hl_buf_add_text(buf, "   seen by callers ");
    print_count(buf, number(view, &counts, "negative_flips_served"));
    hl_buf_add_char(buf, '\n');
}

static void print_latency(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    static const char *const sides[] = {"from", "to"};
    const struct hl_span counts = counts_of(view);

    print_label(buf, "latency");
    for (size_t i = 0; i < 2; i++) {
        const struct hl_span latency = hl_cli_find(&counts, "latency", view->arena);
        const struct hl_span side = hl_cli_find(&latency, sides[i], view->arena);

        hl_buf_print(buf, "%s%s ", i > 0 ? ", " : "",
                     text(view, &view->rollout, sides[i], "(deleted)"));
        print_ms(buf, number(view, &side, "p50_s"));
        hl_buf_add_text(buf, " (99th ");
        print_ms(buf, number(view, &side, "p99_s"));
        hl_buf_add_char(buf, ')');
    }
    hl_buf_add_char(buf, '\n');
    print_label(buf, "slower");
    print_figure(view, &counts, "slower", buf);
    hl_buf_add_text(buf, "   errors ");
    print_figure(view, &counts, "errors_to", buf);
    hl_buf_add_char(buf, '\n');
}

static void print_guard(const struct hl_rollout_view *view, const char *name,
                        const char *label, struct hl_buf *buf)
{
    const struct hl_span guards =
        hl_cli_find(&view->rollout, "comparison.guards", view->arena);
    const struct hl_span guard = hl_cli_find(&guards, name, view->arena);
    const bool is_breached = hl_cli_is_true(&guard, "breached", view->arena);

    print_label(buf, label);
    hl_buf_print(buf, "%-13s", name);
    if (guard.len == 0)
        hl_buf_add_text(buf, "-");
    else if (!hl_cli_is_true(&guard, "armed", view->arena))
        hl_buf_print(buf, "not armed: %s", text(view, &guard, "why_not", "-"));
    else {
        hl_buf_print(buf, "%s   at least ", is_breached ? "BREACHED" : "armed");
        print_percent(buf, number(view, &guard, "bound"));
        hl_buf_add_text(buf, ", budget ");
        print_percent(buf, number(view, &guard, "budget"));
    }
    hl_buf_add_char(buf, '\n');
}

static void print_event(const struct hl_rollout_view *view, const struct hl_span *event,
                        const char *label, struct hl_buf *buf)
{
    const char *why = text(view, event, "why", NULL), *by = text(view, event, "by", NULL);

    print_label(buf, label);
    hl_buf_print(buf, "%.8s  %s", time_of(text(view, event, "at", "-")),
                 text(view, event, "what", "-"));
    if (strcmp(text(view, event, "stage_before", ""),
               text(view, event, "stage_after", "")) != 0)
        hl_buf_print(buf, " to %s", text(view, event, "stage_after", "-"));
    if (hl_cli_is_true(event, "forced", view->arena))
        hl_buf_add_text(buf, " (forced)");
    hl_buf_print(buf, "%s%s%s%.*s\n", by ? " by " : "", by ? by : "", why ? ": " : "", NEAR,
                 why ? why : "");
}

static void print_events(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    struct hl_span last[LAST_EVENTS], event;
    size_t n = 0;

    for (size_t at = 0; hl_cli_next(&view->events, &at, view->arena, &event); n++)
        last[n % LAST_EVENTS] = event;
    for (size_t i = 0; i < n && i < LAST_EVENTS; i++)
        print_event(view, &last[(n - 1 - i) % LAST_EVENTS], i == 0 ? "events" : "", buf);
}

static void print_nexts(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    const struct hl_span nexts = hl_cli_find(&view->rollout, "next", view->arena);
    struct hl_span next;

    for (size_t at = 0; hl_cli_next(&nexts, &at, view->arena, &next);) {
        print_label(buf, at == 1 ? "next" : "");
        hl_buf_print(buf, "%s %s\n", text(view, &next, "method", "-"),
                     text(view, &next, "path", "-"));
    }
}

static bool is_there(const struct hl_rollout_view *view)
{
    return number(view, &view->rollout, "number") > 0;
}

void hl_view_print(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    if (is_there(view)) {
        print_head(view, buf);
        print_counts(view, buf);
        print_latency(view, buf);
        print_guard(view, "flips", "guard", buf);
        print_guard(view, "disagreement", "", buf);
        print_guard(view, "slower", "", buf);
        print_guard(view, "errors", "", buf);
    } else {
        print_label(buf, view->collection);
        hl_buf_add_text(buf, "no rollout yet\n");
    }
    print_events(view, buf);
    print_nexts(view, buf);
}

void hl_view_print_line(const struct hl_rollout_view *view, struct hl_buf *buf)
{
    const struct hl_span counts = counts_of(view);
    double overlap = number(view, &counts, "overlap10.value");

    hl_buf_print(buf, "%s ", view->collection);
    if (!is_there(view)) {
        hl_buf_add_text(buf, "no rollout yet");
        return;
    }
    print_models(view, buf);
    hl_buf_add_text(buf, ": ");
    print_stage(view, buf);
    hl_buf_print(buf, ", step %.0f, compared ", number(view, &view->rollout, "step"));
    print_count(buf, number(view, &counts, "compared"));
    hl_buf_add_text(buf, ", differ ");
    print_percent(buf, 1 - overlap);
    hl_buf_add_text(buf, ", flips ");
    print_figure(view, &counts, "negative_flips", buf);
}

/* ---- the screen ---- */

/* Bytes of a line that fit into the columns: characters are counted, not bytes. */
static size_t cut(const char *line, size_t len, size_t columns)
{
    size_t at = 0, n = 0;

    while (at < len) {
        if (((unsigned char)line[at] & 0xc0U) != 0x80U && n++ == columns)
            break;
        at++;
    }
    return at;
}

void hl_view_place(const struct hl_buf *lines, size_t rows, size_t columns,
                   struct hl_buf *buf)
{
    const char *line = lines->data;

    hl_buf_add_text(buf, "\033[H");
    for (size_t row = 0; *line && row + 1 < rows; row++) {
        const size_t len = strcspn(line, "\n");

        hl_buf_add(buf, line, cut(line, len, columns));
        hl_buf_add_text(buf, "\033[K\n");
        line += len + (line[len] == '\n');
    }
    hl_buf_add_text(buf, "\033[J");
}
