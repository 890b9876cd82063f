// SPDX-License-Identifier: Apache-2.0
/* A gallery without vector names, filled by Qdrant's own client, and what curl is to send to it.
 *
 *     node fill.js URL COLLECTION DEMO FOLDER CLIENTS
 *
 * DEMO is deploy/demo. FOLDER gets, for each client, curl's configurations of twenty searches each:
 * client-N.old with the old model's vectors, client-N.new with the new one's, client-N.both with both;
 * photo-N.@default and photo-N.v3, new photographs as either model sees them, find-N, the search for one by
 * the old model's vector; both.json, a batch in which every search with both vectors stands before the same
 * one with the old. */
import { QdrantClient } from '@qdrant/js-client-rest';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [url, collection, demo, folder, nClients] = process.argv.slice(2);
const N_SEARCHES = 20, N_BOTH = 20, N_PHOTOS = 600, BATCH = 500, FIRST_PHOTO = 100000;

function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;

    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * fraction / 1024);
}

function rows(bytes, size) {
    const n = bytes.length / 2 / size;

    return Array.from({ length: n }, (_, row) =>
        Array.from({ length: size }, (_, i) => half(bytes.readUInt16LE((row * size + i) * 2))));
}

function npy(path, size) {
    const bytes = readFileSync(path);

    return rows(bytes.subarray(10 + bytes.readUInt16LE(8)), size);
}

function tensors(path, names) {
    const bytes = readFileSync(path), end = 8 + Number(bytes.readBigUInt64LE(0));
    const head = JSON.parse(bytes.toString('utf8', 8, end));

    return names.map((name) => {
        const { data_offsets: [from, to], shape } = head[name];

        return shape.length > 1 ? rows(bytes.subarray(end + from, end + to), shape[1])
            : Array.from({ length: shape[0] }, (_, i) => bytes.readInt16LE(end + from + i * 2));
    });
}

function lines(name) {
    return readFileSync(join(demo, name), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
}

function search(body) {
    return [`url = "${url}/collections/${collection}/points/query"`, 'request = POST', 'output = /dev/null',
        `data = ${JSON.stringify(JSON.stringify(body))}`, 'write-out = "%{http_code} %{time_total}\\n"'].join('\n');
}

function save(name, text) {
    writeFileSync(join(folder, name), text);
}

const client = new QdrantClient({ url, checkCompatibility: false });
const gallery = npy(join(demo, 'gallery.npy'), 64);
const payloads = lines('gallery.ndjson');
const [old, newer, labels] = tensors(join(demo, 'queries.safetensors'), ['@default', 'v3', 'labels']);
/* What the labels are called: the probes are the first of the queries. */
const names = Object.fromEntries(lines('probes.ndjson').map((probe, i) => [labels[i], probe.relevant_if.must[0].match.value]));
const both = (i, key) => ({ query: { vectors: { '@default': old[i], v3: newer[i] } }, params: { key }, limit: 10 });

await client.createCollection(collection, { vectors: { size: 64, distance: 'Cosine' } });
for (let at = 0; at < gallery.length; at += BATCH)
    await client.upsert(collection, {
        wait: true,
        points: gallery.slice(at, at + BATCH).map((vector, i) => ({ id: at + i, vector, payload: payloads[at + i] })),
    });

for (let n = 0; n < Number(nClients); n++) {
    const which = Array.from({ length: N_SEARCHES }, (_, i) => n * N_SEARCHES + i);
    const write = (name, bodyOf) => save(`client-${n}.${name}`, which.map((i) => search(bodyOf(i))).join('\nnext\n'));

    write('old', (i) => ({ query: old[i], limit: 10 }));
    write('new', (i) => ({ query: newer[i], using: 'v3', limit: 10 }));
    write('both', (i) => both(i, `client-${n}`));
}
for (let n = 0; n < N_PHOTOS; n++) {
    const i = old.length - N_PHOTOS + n, payload = { label: names[labels[i]] };
    const point = (vector) => ({ points: [{ id: FIRST_PHOTO + n, vector, payload }] });

    save(`photo-${n}.@default`, JSON.stringify(point(old[i])));
    save(`photo-${n}.v3`, JSON.stringify(point({ v3: newer[i] })));
    save(`find-${n}`, JSON.stringify({ query: old[i], limit: 10 }));
}
save('both.json', JSON.stringify({
    searches: Array.from({ length: N_BOTH }, (_, i) => [both(i, 'anna'), { query: old[i], limit: 10 }]).flat(),
}));
