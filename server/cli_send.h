/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CLI_SEND_H
#define HL_SERVER_CLI_SEND_H

#include "server/cli_progress.h"
#include "server/cli_remote.h"
#include "server/feed.h"

/* The points of a feed on their way into a collection, request by request. One thread.
 *
 * Each request is on the server's disk when the next one goes out. `remote` and `feed` are
 * borrowed. */
struct hl_send {
    struct hl_remote *remote;
    struct hl_feed *feed;
    const char *what; /* for the progress: the file */
    uint64_t batch;   /* points in one request; a request of 8 MB ends before */
    uint64_t done;    /* points that are there; those before it are not sent */

    /* Called after each request. NULL: nobody wants to know. */
    enum hl_code (*note)(void *self, uint64_t done, struct hl_err *err);
    void *self;
};

/* Makes a collection with the vectors that the feed has. `members` are more of them, as
 * text; NULL: none. HL_INVALID when only the points know which vectors there are. */
enum hl_code hl_send_create(const struct hl_send *send, const char *distance,
                            const char *members, struct hl_err *err);

/* All of them behind `done`, which counts on; shows how far it is on standard error. */
enum hl_code hl_send_points(struct hl_send *send, struct hl_err *err);

#endif
