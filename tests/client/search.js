// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { ids, near, refused } from './expect.js';

/* Six points on a quarter of a circle: the cosine of 1 with them falls with their number. */
const points = [0, 18, 36, 54, 72, 90].map((degrees, i) => ({
    id: i + 1,
    vector: {
        image: [Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180)],
        face: [i, 0],
        words: { indices: [7], values: [i + 1] },
    },
    payload: { shape: ['round', 'flat'][i % 2], n: i, both: ['x', i] },
}));
const query = [1, 0];
const image = { using: 'image' };
const vector = { name: 'image', vector: query };

export default [
    ['a vector finds what is near', async (client) => {
        await client.recreateCollection('found', {
            vectors: { image: { size: 2, distance: 'Cosine' }, face: { size: 2, distance: 'Euclid' } },
            sparse_vectors: { words: {} },
        });
        await client.upsert('found', { points });
        const found = (await client.query('found', { query, ...image, limit: 3 })).points;
        assert.deepEqual(ids(found), [1, 2, 3]);
        near(found.map((point) => point.score), [1, Math.cos(Math.PI / 10), Math.cos(Math.PI / 5)]);
        assert.equal(found[0].payload ?? null, null);
    }],
    ['payloads and vectors come along when they are wanted', async (client) => {
        const [point] = (await client.query('found',
            { query, ...image, limit: 1, with_payload: ['n'], with_vector: ['face', 'words'] })).points;

        assert.deepEqual(point.payload, { n: 0 });
        assert.deepEqual(point.vector, { face: [0, 0], words: { indices: [7], values: [1] } });
    }],
    ['an offset, a threshold and a filter narrow what is found', async (client) => {
        const find = async (more) => ids((await client.query('found', { query, ...image, ...more })).points);

        assert.deepEqual(await find({ limit: 2, offset: 1 }), [2, 3]);
        assert.deepEqual(await find({ offset: 9 }), []);
        assert.deepEqual(await find({ score_threshold: 0.8 }), [1, 2, 3]);
        assert.deepEqual(await find({ filter: { must: [{ key: 'shape', match: { value: 'flat' } }] } }), [2, 4, 6]);
        assert.deepEqual(await find({ params: { exact: true, hnsw_ef: 32 }, limit: 2 }), [1, 2]);
    }],
    ['of distances the smaller one is better', async (client) => {
        const found = (await client.query('found', { query: [2, 0], using: 'face', score_threshold: 1 })).points;

        assert.deepEqual(ids(found), [3, 2, 4]);
        near(found.map((point) => point.score), [0, 1, 1]);
    }],
    ['sparse vectors are searched by their product', async (client) => {
        const found = (await client.query('found',
            { query: { indices: [7, 9], values: [2, 1] }, using: 'words', limit: 2 })).points;

        assert.deepEqual(ids(found), [6, 5]);
        near(found.map((point) => point.score), [12, 10]);
    }],
    ['a point finds its neighbours', async (client) => {
        const found = (await client.query('found', { query: 1, ...image, limit: 2 })).points;

        assert.deepEqual(ids(found), [2, 3]);
        await refused(() => client.query('found', { query: 99, ...image }), 404,
            /^Not found: No point with id 99 found$/);
    }],
    ['without a query points come by their ids', async (client) => {
        assert.deepEqual(ids((await client.query('found', { limit: 2, offset: 1 })).points), [2, 3]);
    }],
    ['examples recommend by each strategy', async (client) => {
        const find = async (recommend) =>
            (await client.query('found', { query: { recommend }, ...image, limit: 2 })).points;

        assert.deepEqual(ids(await find({ positive: [1, 3] })), [2, 4]);
        assert.deepEqual(ids(await find({ positive: [1], negative: [6] })), [2, 3]);
        const best = await find({ positive: [1], negative: [6], strategy: 'best_score' });
        assert.deepEqual(ids(best), [2, 3]);
        const cosine = Math.cos(Math.PI / 10);
        near([best[0].score], [0.5 * (cosine / (1 + cosine) + 1)]);
        const sum = await find({ positive: [1, query], negative: [6], strategy: 'sum_scores' });
        assert.deepEqual(ids(sum), [2, 3]);
        near([sum[0].score], [2 * cosine - Math.sin(Math.PI / 10)]);
    }],
    ['many queries are one request', async (client) => {
        const found = await client.queryBatch('found', {
            searches: [{ query, ...image, limit: 1 }, { query: [0, 1], ...image, limit: 2, with_payload: true }],
        });

        assert.deepEqual(found.map((one) => ids(one.points)), [[1], [6, 5]]);
        assert.equal(found[1].points[0].payload.n, 5);
    }],
    ['points are grouped by what they have', async (client) => {
        const grouped = await client.queryGroups('found',
            { query, ...image, group_by: 'shape', group_size: 2, limit: 2, with_payload: ['n'] });

        assert.deepEqual(grouped.groups.map((group) => [group.id, ids(group.hits)]),
            [['round', [1, 3]], ['flat', [2, 4]]]);
        assert.deepEqual(grouped.groups[0].hits[1].payload, { n: 2 });
        const both = await client.queryGroups('found', { query, ...image, group_by: 'both', group_size: 9, limit: 2 });
        assert.deepEqual(both.groups.map((group) => group.id), [0, 'x']);
        assert.equal(both.groups[1].hits.length, 6);
    }],
    ['the older searches answer lists', async (client) => {
        assert.deepEqual(ids(await client.search('found', { vector, limit: 2 })), [1, 2]);
        assert.deepEqual((await client.searchBatch('found',
            { searches: [{ vector, limit: 1 }, { vector, limit: 1, offset: 1 }] })).map(ids), [[1], [2]]);
        assert.deepEqual((await client.searchPointGroups('found',
            { vector, group_by: 'shape', group_size: 1, limit: 1 })).groups.map((group) => group.id), ['round']);
        assert.deepEqual(ids(await client.recommend('found',
            { positive: [1], negative: [6], using: 'image', limit: 2 })), [2, 3]);
        assert.deepEqual((await client.recommendBatch('found',
            { searches: [{ positive: [6], using: 'image', limit: 1 }] })).map(ids), [[5]]);
        assert.deepEqual((await client.recommendPointGroups('found',
            { positive: [1], using: 'image', group_by: 'n', group_size: 1, limit: 2 }))
            .groups.map((group) => group.id), [1, 2]);
    }],
    ['what is beyond Qdrant goes through the client, there and back', async (client) => {
        const params = { across: true, explain: true, fidelity: 'auto', score_scale: 'image', modality: 'image',
            task: 'similar', key: 'someone' };
        const told = await client.query('found', { query, ...image, limit: 2, params });
        const leg = { space: 'image', through: [], fidelity: null, without: [], shelves: ['image'], scales: [null] };

        assert.deepEqual(ids(told.points), [1, 2]);
        assert.deepEqual(told.explain.plan, { number: 0, model: 'image', strategy: null, legs: [leg], left_out: [] });
        assert.deepEqual(told.explain.hits.map((hit) => hit.raw), told.points.map((point) => point.score));
        assert.deepEqual(ids((await client.query('found',
            { query: { vectors: { image: query, face: [2, 0] } }, ...image, limit: 2 })).points), [1, 2]);
    }],
    ['a raw vector is a query', async (client, port) => {
        const reply = await fetch(`http://127.0.0.1:${port}/collections/found/points/query?using=image&limit=2`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/octet-stream' },
            body: Buffer.from(new Float32Array(query).buffer),
        });

        assert.deepEqual(ids((await reply.json()).result.points), [1, 2]);
    }],
    ['what is no query is refused', async (client) => {
        const find = (body) => () => client.query('found', body);

        await refused(find({ query: [1, 2, 3], ...image }), 400,
            /^Wrong input: Vector dimension error: expected dim: 2, got 3$/);
        await refused(find({ query, using: 'other' }), 400, /^Wrong input: Not existing vector name error: other$/);
        await refused(find({ query }), 400, /"image"/);
        await refused(find({ query, ...image, limit: 0 }), 422,
            /^Validation error in JSON body: \[limit: value 0 invalid, must be 1 or larger\]$/);
        await refused(find({ query: 'near', ...image }), 400, /^Format error in JSON body: /);
        await refused(find({ prefetch: [{ query }], query: { fusion: 'rrf' } }), 400, /is not supported/);
        await refused(() => client.query('none', { query }), 404, /^Not found: Collection `none` doesn't exist!$/);
    }],
];
