/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store.h"
#include "proto/encode.h"
#include "server/search_part.h"
#include "server/show.h"

enum { RENEW_AFTER = 1024, AHEAD = 16 };

struct listing {
    struct hl_search *search;
    struct hl_show show;
    struct hl_reader *reader; /* NULL: ids and scores are all that is wanted */
    struct hl_buf *out;
    size_t n_shown;
};

static enum hl_code listing_init(struct listing *listing, struct hl_search *search,
                                 const struct hl_query *query, struct hl_buf *out,
                                 struct hl_err *err)
{
    const struct hl_layout *layout = hl_look_layout(search->look);
    enum hl_code code = hl_show_check(layout, &query->with_vector, err);

    *listing = (struct listing){.search = search,
                                .show = {.layout = layout,
                                         .with_payload = &query->with_payload,
                                         .with_vector = &query->with_vector},
                                .out = out};
    if (code != HL_OK || !hl_show_reads(&query->with_payload, &query->with_vector))
        return code;
    listing->show.scratch = hl_arena_new(search->scratch_bytes);
    if (!listing->show.scratch)
        return hl_fail(err, HL_NO_MEMORY, "no memory for payloads");
    return hl_look_reader(search->look, &listing->reader, err);
}

static void listing_done(struct listing *listing)
{
    hl_arena_free(listing->show.scratch);
}

static enum hl_code show_stored(struct listing *listing, uint32_t number,
                                struct hl_err *err)
{
    struct hl_store_point point;
    enum hl_code code = hl_deadline_check(listing->search->deadline, "the search", err);

    if (code == HL_OK && ++listing->n_shown % RENEW_AFTER == 0)
        code = hl_reader_renew(listing->reader, err);
    if (code == HL_OK)
        code = hl_reader_get(listing->reader, number, &point, err);
    return code == HL_OK
               ? hl_show_content(&listing->show, listing->reader, &point, listing->out, err)
               : code;
}

/* Which write a point is of is on disk, and most searches do not go there: it is 0 for all,
 * so that it does not change with what else is asked for. */
static enum hl_code show_hit(struct listing *listing, const struct hl_pick *hit,
                             struct hl_err *err)
{
    struct hl_id id = hl_look_id(listing->search->look, hit->number);

    hl_buf_add_text(listing->out, "{\"id\":");
    hl_show_id(listing->out, &id);
    hl_buf_add_text(listing->out, ",\"version\":0,\"score\":");
    hl_encode_float(listing->out, hit->score);
    if (listing->reader) {
        enum hl_code code = show_stored(listing, hit->number, err);

        if (code != HL_OK)
            return code;
    }
    hl_buf_add_char(listing->out, '}');
    return HL_OK;
}

static enum hl_code show_list(struct listing *listing, const struct hl_hits *hits,
                              struct hl_err *err)
{
    const struct hl_look *look = listing->search->look;
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < hits->n && i < AHEAD; i++)
        hl_look_expect(look, hits->items[i].number);
    hl_buf_add_char(listing->out, '[');
    for (size_t i = 0; i < hits->n && code == HL_OK; i++) {
        if (i + AHEAD < hits->n)
            hl_look_expect(look, hits->items[i + AHEAD].number);
        if (i > 0)
            hl_buf_add_char(listing->out, ',');
        code = show_hit(listing, &hits->items[i], err);
    }
    hl_buf_add_char(listing->out, ']');
    return code;
}

enum hl_code hl_search_show_hits(struct hl_search *search, const struct hl_query *query,
                                 const struct hl_hits *hits, struct hl_buf *out,
                                 struct hl_err *err)
{
    struct listing listing;
    enum hl_code code = listing_init(&listing, search, query, out, err);

    if (code == HL_OK)
        code = show_list(&listing, hits, err);
    listing_done(&listing);
    return code;
}

enum hl_code hl_search_show_groups(struct hl_search *search, const struct hl_query *query,
                                   const struct hl_groups *groups, struct hl_buf *out,
                                   struct hl_err *err)
{
    struct listing listing;
    enum hl_code code = listing_init(&listing, search, query, out, err);

    hl_buf_add_text(out, "{\"groups\":[");
    for (size_t i = 0; i < groups->n && code == HL_OK; i++) {
        const struct hl_group *group = &groups->items[i];

        hl_buf_add_text(out, i > 0 ? ",{\"hits\":" : "{\"hits\":");
        code = show_list(&listing, &group->hits, err);
        hl_buf_add_text(out, ",\"id\":");
        if (group->is_text)
            hl_encode_text(out, group->key.text, group->key.len);
        else
            hl_buf_add(out, group->key.text, group->key.len);
        hl_buf_add_char(out, '}');
    }
    hl_buf_add_text(out, "]}");
    listing_done(&listing);
    return code;
}
