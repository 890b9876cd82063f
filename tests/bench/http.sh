#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a request of GET /healthz costs heirloom in processor time, beside the least any server
# can do (epoll_server.c, the same bytes). wrk asks, one thread and 64 connections, pinned to
# one processor; the server asked is pinned to another. Rounds alternate between the two
# servers, so that what else the machine does falls on both. Ends in the medians and their
# ratio; the mark is at most 1.4.
#     tests/bench/http.sh BUILD [ROUNDS [SECONDS]]
set -euo pipefail
build=${1:?usage: tests/bench/http.sh BUILD [ROUNDS [SECONDS]]}
rounds=${2:-7} seconds=${3:-4}
server_cpu=1 wrk_cpu=0
(($(nproc) > 1)) || { echo "two processors are needed to measure one of them" >&2; exit 2; }

ninja -C "$build" --quiet server/heirloom tests/bench/epoll_server
dir=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$dir"
}
trap finish EXIT

# Waits until the file names a port, and prints it.
port_in() { # file pid
    local i
    for ((i = 0; i < 500; i++)); do
        grep -oE 'port=[0-9]+$|port=[0-9]+ ' "$1" | head -n 1 | grep -oE '[0-9]+' && return
        kill -0 "$2" || break
        sleep 0.02
    done
    cat "$1" >&2
    return 1
}

taskset -c $server_cpu "$build/server/heirloom" serve --port 0 --data "$dir/data" 2>"$dir/heirloom.log" &
heirloom=$!
pids+=("$heirloom")
heirloom_port=$(port_in "$dir/heirloom.log" "$heirloom")
curl -s -i "http://127.0.0.1:$heirloom_port/healthz" >"$dir/reply"
taskset -c $server_cpu "$build/tests/bench/epoll_server" "$dir/reply" >"$dir/epoll.log" &
epoll=$!
pids+=("$epoll")
epoll_port=$(port_in "$dir/epoll.log" "$epoll")

# Clock ticks of processor time, user and system.
ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

# One round: microseconds of processor time for each request, and requests for each second.
measure() { # pid port
    local before after requests
    before=$(ticks "$1")
    taskset -c $wrk_cpu wrk -t1 -c64 -d"${seconds}s" "http://127.0.0.1:$2/healthz" >"$dir/wrk"
    after=$(ticks "$1")
    ! grep -E 'Non-2xx|Socket errors' "$dir/wrk" >&2 || return 1
    requests=$(awk '/requests in/ { print $1 }' "$dir/wrk")
    awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v n="$requests" -v s="$seconds" \
        'BEGIN { printf "%.3f %.0f\n", t * 1e6 / hz / n, n / s }'
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

printf '%6s %22s %22s %8s\n' round 'heirloom us/req, req/s' 'epoll us/req, req/s' ratio
for ((round = 0; round <= rounds; round++)); do
    ours=$(measure "$heirloom" "$heirloom_port")
    least=$(measure "$epoll" "$epoll_port")
    ((round > 0)) || continue # the first warms both up
    ratio=$(awk -v a="${ours% *}" -v b="${least% *}" 'BEGIN { printf "%.3f", a / b }')
    printf '%6d %22s %22s %8s\n' "$round" "$ours" "$least" "$ratio"
    echo "${ours% *}" >>"$dir/ours"
    echo "${least% *}" >>"$dir/least"
    echo "$ratio" >>"$dir/ratios"
done
printf 'median: heirloom %s us, epoll %s us, ratio %s (at most 1.4)\n' \
    "$(median <"$dir/ours")" "$(median <"$dir/least")" "$(median <"$dir/ratios")"
