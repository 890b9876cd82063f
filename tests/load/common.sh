# SPDX-License-Identifier: Apache-2.0
# What the load tests with curl share; they read this file first. All are called alike:
#     SCRIPT URL COLLECTION [REQUESTS [PARALLEL]]    1000 requests, 8 of them at once (curl does at most 300)
# and look at the environment:
#     USING=MODEL     whose vectors are sent, where a collection has several models; else the first one's
#     QUERIES=FILE    queries, as float32 one after the other; else they are random
#     HEADERS=FILE    lines that go with each request, such as api-key: SECRET
set -euo pipefail
export LC_ALL=C
here=$(dirname "$0")
if (($# < 2)); then
    sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0"
    sed -n '/^#     /s/^# \{0,1\}//p' "$here/common.sh"
    exit 2
fi >&2
c=$1/collections/$2 requests=${3:-1000} parallel=${4:-8}
[[ $requests =~ ^[1-9][0-9]{0,8}$ && $parallel =~ ^[1-9][0-9]{0,2}$ ]] ||
    { echo "REQUESTS and PARALLEL are whole numbers from 1 on, got \"$requests\" and \"$parallel\"" >&2; exit 2; }

dir=$(mktemp -d)
clean_up() { :; } # who changes something says here how it is changed back
finish() {
    trap '' INT TERM
    set +e
    jobs -p | xargs -r kill 2>/dev/null
    wait
    clean_up
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

# One request, in curl's words. If it is refused, so is the script, in the server's sentence.
ask() {
    local reply
    reply=$(curl -sS --fail-with-body ${HEADERS:+-H "@$HEADERS"} "$@") || { echo "$reply" >&2 && return 1; }
    echo "$reply"
}

# Many requests, PARALLEL at a time: all that curl's words name. Of each a line is kept: its kind, its status (000:
# there was no reply), its seconds. The last one says when they began and ended.
load() { # kind, words
    local kind=$1 began=$EPOCHREALTIME
    shift
    curl -s --no-progress-meter --parallel --parallel-max "$parallel" ${HEADERS:+-H "@$HEADERS"} -H 'Expect:' \
        -o /dev/null -w "$kind %{http_code} %{time_total}\n" "$@" >>"$dir/$kind.times" &
    trap "kill $!; exit 1" TERM
    wait $! || true # the lines say what failed
    echo "$kind took $began $EPOCHREALTIME" >>"$dir/$kind.times"
}

# The files of a folder as curl counts them: FOLDER/[000000-000999].
bodies_of() { printf '%s/[000000-%06d]' "$dir/$1" $(($(find "$dir/$1" -type f | wc -l) - 1)); }

report() { cat "$dir"/*.times | "$here/timings"; }

# ---- vectors ----

models=$(ask "$c/models" | sed 's/{"name":/\n&/g' | sed -nE 's/^\{"name":"([^"]*)","sparse":false,"size":([0-9]*).*/\1 \2/p')
size_of() { awk -v model="$1" '$1 == model { print $2 }' <<<"$models"; }
model=${USING:-${models%% *}}
[[ -n $(size_of "$model") ]] || { echo "\"$2\" has no dense vectors${USING:+ of a model \"$USING\"}" >&2; exit 1; }

# A float whose upper two bytes are 3f or bf lies between .74 and 1.5, or the same below 0.
floats() { # how many
    awk -v n="$1" 'BEGIN { srand(7); split("?? ?\277 \277? \277\277", top); while (n-- > 0) printf "??%s", top[int(1 + 4 * rand())] }'
}

# Raw vectors of a model, a file for each request.
queries() { # kind, model
    local bytes=$((4 * $(size_of "$2")))
    mkdir "$dir/$1"
    if [[ -n ${QUERIES:-} ]]; then head -c $((requests * bytes)) "$QUERIES"; else floats $((requests * bytes / 4)); fi |
        split -a 6 -d -b $bytes - "$dir/$1/"
}

# curl uploads one file after the other (-T), and posts them.
search() { # kind, model
    local using=
    [[ $2 == @default ]] || using="?using=$2"
    load "$1" -X POST -H 'Content-Type: application/octet-stream' -T "$(bodies_of "$1")" "$c/points/query$using"
}

# ---- points ----

# JSON bodies in $dir/points, of points whose ids nobody else has, and in $dir/ids the body that deletes them.
points() { # how many requests
    local run
    run=$(od -An -N 4 -t x4 /dev/urandom | tr -d ' ')
    mkdir "$dir/points"
    awk -v dir="$dir" -v run="$run" -v requests="$1" -v points="${POINTS:-10}" -v model="$model" -v size="$(size_of "$model")" '
    function vector(    i, text) {
        for (i = 0; i < size; i++) text = text (i ? "," : "[") sprintf("%.4f", 2 * rand() - 1)
        return text "]"
    }
    BEGIN {
        srand(7)
        for (r = 0; r < requests; r++) {
            file = sprintf("%s/points/%06d", dir, r)
            for (p = 0; p < points; p++) {
                id = sprintf("\"%s-0000-4000-8000-%012d\"", run, n++)
                printf "%s%s", (n > 1 ? "," : "{\"points\":["), id >(dir "/ids")
                printf "%s{\"id\":%s,\"vector\":%s}", (p ? "," : "{\"points\":["), id,
                    (model == "@default" ? vector() : "{\"" model "\":" vector() "}") >file
            }
            print "]}" >file
            close(file)
        }
        print "]}" >(dir "/ids")
    }'
    clean_up() { ask -X POST --data-binary "@$dir/ids" "$c/points/delete?wait=true" >/dev/null; }
}

upsert() { load upsert -T "$(bodies_of points)" "$c/points?wait=true"; }
