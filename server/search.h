/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SEARCH_H
#define HL_SERVER_SEARCH_H

#include "server/request.h"

/* The calls that search: what is near a vector, near a point, or near some and far from
 * others.
 *
 * Handlers of the table in routes.c, for HL_PLACE_BY_SIZE. A search that needs memory alone
 * is answered at once; what must read the disk, or will take its time, goes on on a reader
 * thread. All queries of a batch see the collection at one commit. */
enum hl_code hl_search_query(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_query_batch(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_query_groups(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err);

/* The older calls: what they answer is a bare list. */
enum hl_code hl_search_search(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_search_batch(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_search_groups(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_recommend(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_recommend_batch(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_search_recommend_groups(struct hl_server *server,
                                        struct hl_request *request, struct hl_reply *reply,
                                        struct hl_err *err);

#endif
