#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A gallery that Qdrant's own client filled moves to a new model and back, by eight lines of curl, while
# eight clients ask for their model, search with what they are told, and add photographs. Not one request of
# anybody may fail. Prints the seconds of each step; speaks TAP.
#     tests/load/rollout.sh HEIRLOOM [SECONDS [KIND]]
# SECONDS: how long each stage stands under load (5). KIND: of the bridge (auto).
set -uo pipefail
program=$(realpath "${1:?usage: rollout.sh HEIRLOOM [SECONDS [KIND]]}") rest=${2:-5} kind=${3:-auto}
root=$(realpath "$(dirname "$0")/../..")
demo=$root/deploy/demo clients=8
bail() { echo "Bail out! $1"; exit 1; }
said=$("$root/tests/client/install") || bail "$said"

dir=$(mktemp -d)
server=
finish() {
    touch "$dir/stop"
    wait "${loops[@]}" 2>/dev/null
    [[ -z $server ]] || kill "$server" 2>/dev/null
    wait
    rm -rf "$dir"
}
loops=()
trap finish EXIT

n=0 failed=0
say() { # sentence, status
    ((++n))
    if (($2 == 0)); then echo "ok $n - $1"; else echo "not ok $n - $1"; ((++failed)); fi
}

env -i PATH="$PATH" "$program" serve --port 0 --data "$dir/data" >"$dir/log" 2>&1 &
server=$!
for ((i = 0; i < 600; i++)); do
    port=$(sed -nE 's/.*event=listening .*port=([0-9]+).*/\1/p' "$dir/log")
    [[ -z $port ]] || break
    sleep 0.1
done
[[ -n $port ]] || bail "the server did not start: $(tail -n 1 "$dir/log")"
c=http://127.0.0.1:$port/collections/photos

node "$root/tests/client/fill.js" "http://127.0.0.1:$port" photos "$demo" "$dir" $clients || bail "the client could not fill it"

# ---- the load ----

# One member of a reply, as text.
member() { sed -nE "s/.*\"$1\":(\"([^\"]*)\"|([^,}]*)).*/\2\3/p"; }

# What a client does that knows of nothing but its route: asks which model it is to embed with, and searches
# with that one's vectors, or with both where it is told to send another along.
search_along() { # number
    local told also which=old
    while [[ ! -e $dir/stop ]]; do
        told=$(curl -s -w '\n%{http_code} %{time_total}\n' "$c/route?key=client-$1")
        tail -n 1 <<<"$told" >>"$dir/saw-$1"
        also=$(member also <<<"$told")
        if [[ $also == v3 || $also == @default ]]; then
            which=both
        elif [[ $(member model <<<"$told") == v3 ]]; then
            which=new
        else
            which=old
        fi
        curl -s -K "$dir/client-$1.$which" >>"$dir/saw-$1" || echo "000 curl ended with $?" >>"$dir/saw-$1"
    done
}

# And one that takes photographs: each is embedded with the model that the route names. Half of its film is for
# the new one, however long the swap takes.
add_along() {
    local i=0 model
    while ((i < 600)) && [[ ! -e $dir/stop ]]; do
        model=$(curl -s "$c/route?key=camera" | member model)
        if ((i < 300)) || [[ $model == v3 ]]; then
            curl -s -o /dev/null -w '%{http_code} %{time_total}\n' -X PUT "$c/points?wait=true" \
                --data-binary "@$dir/photo-$i.$model" >>"$dir/saw-camera" || echo "000 curl ended with $?" >>"$dir/saw-camera"
            echo "$i $model" >>"$dir/added"
            ((++i))
        fi
        sleep 0.1
    done
}

for ((i = 0; i < clients; i++)); do
    search_along "$i" &
    loops+=($!)
done
add_along &
loops+=($!)

# ---- the migration ----

step() { # what, the words of curl
    local what=$1 took
    shift
    took=$(curl -s -o "$dir/reply" -w '%{http_code} %{time_total}' "$@")
    printf '# %-34s %s s\n' "$what" "${took#* }"
    grep -q '"status":"ok"' "$dir/reply"
    say "$what" $? || true
    [[ ${took%% *} == 200 ]] || sed 's/^/# /' "$dir/reply"
    sleep "$rest"
}

sleep "$rest"
step 'a model is added' -X PUT "$c/vectors/v3" -d '{"dense":{"size":128,"distance":"Cosine"}}'
step "the old model's head" -X PUT "$c/vectors/@default/head" --data-binary "@$demo/head.safetensors"
step 'pairs to learn from' -X PUT "$c/datasets/pairs" --data-binary "@$demo/pairs.safetensors"
step 'probes' -X PUT "$c/probes/golden" -H 'Content-Type: application/x-ndjson' --data-binary "@$demo/probes.ndjson"
step 'the swap, to shadow' -X POST "$c/swap?wait=true&timeout=600" -d '{"from":"@default","to":"v3","data":{"dataset":"pairs"},"kind":"'"$kind"'","probes":"golden","gates":{"max_negative_flips":0.1}}'
((failed == 0)) || bail 'without the swap there is nothing to go on with'
step 'canary: half of the keys' -X POST "$c/rollout/advance" -d '{"percent":50}'
step 'live' -X POST "$c/rollout/promote"

# The camera takes some photographs while the new model is live.
for ((i = 0; i < 600 && $(grep -c v3 "$dir/added") < 30; i++)); do sleep 0.1; done

# How many of the searches with both vectors found what the old vector beside them found, in one view.
as_old() {
    node -e 'const all = JSON.parse(require("fs").readFileSync(0)).result.map((answer) => JSON.stringify(answer.points));
        console.log(all.filter((points, i) => i % 2 === 0 && points === all[i + 1]).length)'
}
ask_both() { curl -s -X POST "$c/points/query/batch" -d "@$dir/both.json"; }

ask_both >"$dir/live"
rest=0 step 'rollback' -X POST "$c/rollout/rollback"
ask_both >"$dir/back"
curl -s "$c/route?key=anna" >"$dir/route"
found=$(as_old <"$dir/live")
((found < 20))
say "live: who sends both vectors is served as the new model ($found of 20 answers are the old one's)" $?
found=$(as_old <"$dir/back")
((found == 20))
say "the first request after the rollback is served as the old model ($found of 20 answers are the old one's)" $?
[[ $(member model <"$dir/route") == @default && $(member stage <"$dir/route") == shadow ]]
say 'and its route names the old model' $?
sleep "$rest"

touch "$dir/stop"
wait "${loops[@]}"
loops=()

# ---- what became of the photographs, and of the requests ----

new=$(awk '$2 == "v3"' "$dir/added" | wc -l) first=0 reached=0
while read -r i model; do
    [[ $model == v3 ]] || continue
    id=$((100000 + i))
    curl -s -X POST "$c/points/query" -d "@$dir/find-$i" | grep -q "\"id\":$id[,}]" && ((++first))
    sed -E "s/,\"limit\":10\}\$/,\"limit\":1,\"filter\":{\"must\":[{\"has_id\":[$id]}]}}/" "$dir/find-$i" |
        curl -s -X POST "$c/points/query" -d @- | grep -q "\"id\":$id[,}]" && ((++reached))
done <"$dir/added"
((new >= 30 && reached == new))
say "all of the $new photographs that the new model alone has seen are reached by the old one's queries" $?
((first * 4 > new))
say "and $first of them are among the ten nearest of 10,000 to themselves" $?

cat "$dir"/saw-* >"$dir/saw"
requests=$(wc -l <"$dir/saw") lost=$(grep -vc '^200 ' "$dir/saw")
grep -v '^200 ' "$dir/saw" | cut -d ' ' -f 1 | sort | uniq -c | sed 's/^/# /'
sort -g -k 2 "$dir/saw" | awk '{ v[NR] = $2 } END {
    printf "# of %d requests half took at most %.1f ms, 99 of 100 %.1f ms, the longest %.1f ms\n",
        NR, v[int((NR + 1) / 2)] * 1e3, v[int(NR * .99)] * 1e3, v[NR] * 1e3 }'
((requests > 1000 && lost == 0))
say "of $requests requests of $clients clients and a camera, $lost failed" $?
kill -TERM "$server"
wait "$server"
say 'the server stops with status 0' $?
server=
echo "1..$n"
((failed == 0))
