/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_JOB_CALLS_H
#define HL_SERVER_JOB_CALLS_H

#include "server/jobs.h"
#include "server/request.h"

/* The calls about long work, and how a call begins some. They wait for the disk and belong
 * on a reader. */
enum hl_code hl_job_call_list(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_job_call_get(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_job_call_cancel(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);

/* The whole reply about one, as a call that asks for it answers. HL_NOT_FOUND. */
enum hl_code hl_job_show(struct hl_server *server, struct hl_request *request, uint64_t id,
                         struct hl_reply *reply, struct hl_err *err);

/* Adds the work, which belongs to the jobs from now on, and answers 202 with the job. With
 * ?wait=true the request is parked until the job is over (200, or the job's own error) or
 * `timeout` seconds have passed (202). The request's body is what is noted of it. */
enum hl_code hl_job_begin(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, const char *kind, struct hl_work *work,
                          struct hl_err *err);

#endif
