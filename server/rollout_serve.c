/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/sha256.h"
#include "server/plan.h"
#include "server/rollout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

bool hl_rollout_is_running(const struct hl_rollout *rollout)
{
    return rollout &&
           (rollout->stage == HL_STAGE_SHADOW || rollout->stage == HL_STAGE_CANARY ||
            rollout->stage == HL_STAGE_LIVE);
}

const struct hl_rollout *hl_rollout_of(const struct hl_layout *layout)
{
    const struct hl_plans *plans = hl_plans_of(layout);

    return plans && plans->rollout.number != 0 ? &plans->rollout : NULL;
}

/* Where a key stands among 2^64 places. */
static uint64_t place_of(uint64_t number, const struct hl_text *key)
{
    unsigned char sum[HL_SHA256_SIZE];
    struct hl_sha256 sha;
    uint64_t place = 0;
    char front[24];

    (void)snprintf(front, sizeof front, "%" PRIu64 ":", number);
    hl_sha256_init(&sha);
    hl_sha256_add(&sha, front, strlen(front));
    hl_sha256_add(&sha, key->text, key->len);
    hl_sha256_finish(&sha, sum);
    for (size_t i = 0; i < 8; i++)
        place = place << 8 | sum[i];
    return place;
}

/* In ten-thousandths, which percentages of two decimals are: 2^64 is 10000 times
 * 1844674407370955 and 1616. */
static bool is_among(uint64_t place, double percent)
{
    const uint64_t share = (uint64_t)lround(percent * 100);

    return share >= 10000 ||
           place < share * UINT64_C(1844674407370955) + share * 1616 / 10000;
}

bool hl_rollout_serves_new(const struct hl_rollout *rollout, const struct hl_text *key)
{
    if (!rollout || rollout->stage == HL_STAGE_LIVE)
        return rollout;
    return rollout->stage == HL_STAGE_CANARY && key && key->text &&
           is_among(place_of(rollout->number, key), rollout->percent);
}

uint32_t hl_rollout_model(const struct hl_rollout *rollout, const struct hl_layout *layout,
                          const struct hl_text *key)
{
    uint32_t model = 0;

    if (hl_rollout_is_running(rollout))
        return hl_rollout_serves_new(rollout, key) ? rollout->to : rollout->from;
    if (rollout)
        model = rollout->model ? rollout->model : rollout->from;
    return model != 0 && hl_layout_space(layout, model) ? model : 0;
}
