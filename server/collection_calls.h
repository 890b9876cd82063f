/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COLLECTION_CALLS_H
#define HL_SERVER_COLLECTION_CALLS_H

#include "index/writing.h"
#include "server/request.h"

/* The calls about collections: which there are, how they are made, changed and named. Those
 * that change names wait for the disk and belong on a reader; the others look into memory.
 */
enum hl_code hl_collection_call_list(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_info(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_exists(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_create(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_update(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_delete(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_change_aliases(struct hl_server *server,
                                               struct hl_request *request,
                                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_list_aliases(struct hl_server *server,
                                             struct hl_request *request,
                                             struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_list_own_aliases(struct hl_server *server,
                                                 struct hl_request *request,
                                                 struct hl_reply *reply,
                                                 struct hl_err *err);
enum hl_code hl_collection_call_add_index(struct hl_server *server,
                                          struct hl_request *request,
                                          struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_drop_index(struct hl_server *server,
                                           struct hl_request *request,
                                           struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_add_vector(struct hl_server *server,
                                           struct hl_request *request,
                                           struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_drop_vector(struct hl_server *server,
                                            struct hl_request *request,
                                            struct hl_reply *reply, struct hl_err *err);

/* In a change: one more vector. The same again is no error, another of the name is
 * HL_EXISTS. The name is checked already. */
enum hl_code hl_vector_add(struct hl_writing *writing,
                           const struct hl_vector_config *config, struct hl_err *err);
enum hl_code hl_collection_call_models(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_collection_call_cluster(struct hl_server *server,
                                        struct hl_request *request, struct hl_reply *reply,
                                        struct hl_err *err);
enum hl_code hl_collection_call_node(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);

#endif
