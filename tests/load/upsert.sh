#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes points, POINTS=N in each request (10), answered when they are durable; then deletes them again.
. "$(dirname "$0")/common.sh"
points "$requests"
upsert
report
