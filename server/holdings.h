/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_HOLDINGS_H
#define HL_SERVER_HOLDINGS_H

#include "index/look.h"
#include "index/store.h"
#include "index/writing.h"
#include "proto/sha256.h"
#include "server/request.h"

/* What a collection holds beside its points for the models it knows: revisions, heads,
 * bridges, activations. They are records of its database, so that a change of one is a
 * transaction, and snapshots carry them.
 *
 * Keys are made of the internal ids of models, which are never used twice: a model of the
 * same name that comes later inherits nothing. */
#define HL_HOLDING_REVISION      "model_revision" /* the caller's text */
#define HL_HOLDING_HEAD          "head"           /* the safetensors file */
#define HL_HOLDING_HEAD_INFO     "head_info"      /* JSON */
#define HL_HOLDING_PAIR          "bridge_pair"    /* the last revision, in digits */
#define HL_HOLDING_ACTIVATION    "activation"     /* JSON */
#define HL_HOLDING_PLANS         "plans"          /* how often they changed, in digits */
#define HL_HOLDING_BRIDGE        "bridge"         /* the safetensors file */
#define HL_HOLDING_BRIDGE_INFO   "bridge_info"    /* JSON */
#define HL_HOLDING_BRIDGE_REPORT "bridge_report"  /* JSON */
#define HL_HOLDING_CANARY        "canary"         /* the reference, as its body */
#define HL_HOLDING_CANARY_INFO   "canary_info"    /* JSON, of the reference */
#define HL_HOLDING_CANARY_FOUND  "canary_found"   /* JSON, the last comparison */
#define HL_HOLDING_ROLLOUT       "rollout"        /* JSON; of the collection */
#define HL_HOLDING_EVENT         "rollout_event"  /* JSON; likewise */
#define HL_HOLDING_TRIAL         "trial" /* JSON; what was counted of the rollout */

enum { HL_HOLDING_KEY = 40, HL_MODEL_REVISION = HL_VECTOR_REVISION_MAX };

/* A dense model as it is at one moment. */
struct hl_model {
    uint32_t space, dim;
    enum hl_distance distance;
    const char *name;                     /* the layout's; "" is the unnamed one */
    const char *shown;                    /* as paths and bodies write it */
    char revision[HL_MODEL_REVISION + 1]; /* "" when none was set */
    char print[HL_SHA256_TEXT_SIZE];      /* fingerprint */
};

/* One look at all of it. Reads the disk. One thread. */
struct hl_holdings {
    struct hl_collection *collection;
    struct hl_look *look;
    struct hl_reader *reader;
    const struct hl_layout *layout;
};
enum hl_code hl_holdings_open(struct hl_server *server, const struct hl_span *name,
                              struct hl_holdings *ret_holdings, struct hl_err *err);
enum hl_code hl_holdings_look(struct hl_collection *collection,
                              struct hl_holdings *ret_holdings, struct hl_err *err);
void hl_holdings_close(struct hl_holdings *holdings); /* zeros are accepted */

/* A call that shows some of it, of the collection in its path: looks, has `show` make the
 * reply, closes. */
enum hl_code
hl_holdings_reply(struct hl_server *server, struct hl_request *request,
                  struct hl_reply *reply,
                  enum hl_code (*show)(struct hl_server *server, struct hl_request *request,
                                       const struct hl_holdings *holdings,
                                       struct hl_reply *reply, struct hl_err *err),
                  struct hl_err *err);

/* As a change sees it; nothing to close. */
struct hl_holdings hl_holdings_inside(struct hl_writing *writing);

/* By the name in a path. HL_NOT_FOUND; HL_INVALID for a sparse vector. */
enum hl_code hl_holdings_model(const struct hl_holdings *holdings,
                               const struct hl_span *name, struct hl_model *ret_model,
                               struct hl_err *err);

/* Of a space of the layout, sparse or not. */
enum hl_code hl_holdings_describe(const struct hl_holdings *holdings,
                                  const struct hl_space *space, struct hl_model *ret_model,
                                  struct hl_err *err);

/* In a change: HL_CONFLICT when the model is not the one that was looked at any more. */
enum hl_code hl_holdings_check(const struct hl_holdings *holdings,
                               const struct hl_model *model, struct hl_err *err);

/* HL_NOT_FOUND when there is none, with that sentence. Good until the next look. */
enum hl_code hl_holdings_record(const struct hl_holdings *holdings, const char *kind,
                                const char *key, const char *missing,
                                struct hl_store_record *ret_record, struct hl_err *err);

/* A record that is a number in digits: 0 where there is none. The other one, in a change,
 * makes it one more, and 1 where there was none. */
enum hl_code hl_holding_number(struct hl_reader *reader, const char *kind, const char *key,
                               uint64_t *ret_number, struct hl_err *err);
enum hl_code hl_holding_count_up(struct hl_writing *writing, const char *kind,
                                 const char *key, uint64_t *ret_number, struct hl_err *err);

void hl_holding_model_key(uint32_t space, char key[HL_HOLDING_KEY]);
void hl_holding_pair_key(uint32_t from, uint32_t to, char key[HL_HOLDING_KEY]);
void hl_holding_bridge_key(uint32_t from, uint32_t to, uint64_t revision,
                           char key[HL_HOLDING_KEY]);

/* HL_OK when a bridge leads from or to the model, else HL_NOT_FOUND. */
enum hl_code hl_holdings_has_bridge(const struct hl_holdings *holdings, uint32_t space,
                                    struct hl_err *err);

/* HL_CONFLICT while a bridge from or to the model is active. */
enum hl_code hl_holdings_check_idle(const struct hl_holdings *holdings, uint32_t space,
                                    struct hl_err *err);

/* Everything whose keys begin so, and everything of a model, in a change. */
enum hl_code hl_holdings_drop_keys(struct hl_writing *writing, const char *kind,
                                   const char *beginning, struct hl_err *err);
enum hl_code hl_holdings_drop_model(struct hl_writing *writing, uint32_t space,
                                    struct hl_err *err);

/* The text a fingerprint is the SHA-256 of: name, size, distance, revision, with line ends
 * between them. */
void hl_model_fingerprint(const struct hl_model *model, char print[HL_SHA256_TEXT_SIZE]);

/* The reply becomes these bytes, by way of a file when they are many. */
enum hl_code hl_reply_bytes(struct hl_server *server, const struct hl_request *request,
                            struct hl_reply *reply, const struct hl_span *bytes,
                            struct hl_err *err);

#endif
