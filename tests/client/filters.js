// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { ids } from './expect.js';

const payloads = {
    1: { city: 'Berlin', n: 1, price: 1.5, sold: true, tags: ['a', 'b'], at: '2024-01-01T00:00:00Z',
        place: { lat: 52.5, lon: 13.4 }, parts: [{ name: 'x', n: 1 }, { name: 'y', n: 2 }], nothing: null },
    2: { city: 'Bonn', n: 2, price: 2.5, sold: false, tags: ['b'], at: '2024-06-01T00:00:00Z',
        place: { lat: 50.7, lon: 7.1 }, parts: [{ name: 'x', n: 2 }] },
    3: { city: 'Rome', n: 3, price: 3.5, sold: true, tags: [], at: '2025-01-01T00:00:00Z',
        place: { lat: 41.9, lon: 12.5 } },
    4: {},
};
const box = { top_left: { lat: 53, lon: 6 }, bottom_right: { lat: 50, lon: 14 } };
const ring = [[6, 40], [14, 40], [14, 51], [6, 51], [6, 40]].map(([lon, lat]) => ({ lon, lat }));

/* What a filter means: the points of it. */
const cases = [
    ['match value', { must: [{ key: 'city', match: { value: 'Rome' } }] }, [3]],
    ['match a whole number', { must: [{ key: 'n', match: { value: 2 } }] }, [2]],
    ['match a bool', { must: [{ key: 'sold', match: { value: true } }] }, [1, 3]],
    ['match any', { must: [{ key: 'tags', match: { any: ['a', 'z'] } }] }, [1]],
    ['match a beginning', { must: [{ key: 'city', match: { prefix: 'B' } }] }, [1, 2]],
    ['match except', { must: [{ key: 'city', match: { except: ['Rome'] } }] }, [1, 2]],
    ['range', { must: [{ key: 'price', range: { gt: 1.5, lte: 3.5 } }] }, [2, 3]],
    ['range of times', { must: [{ key: 'at', range: { gte: '2024-06-01T00:00:00Z', lt: '2025-01-01T00:00:00Z' } }] }, [2]],
    ['geo box', { must: [{ key: 'place', geo_bounding_box: box }] }, [1, 2]],
    ['geo radius', { must: [{ key: 'place', geo_radius: { center: { lat: 52.5, lon: 13.4 }, radius: 1000 } }] }, [1]],
    ['geo polygon', { must: [{ key: 'place', geo_polygon: { exterior: { points: ring } } }] }, [2, 3]],
    ['values count', { must: [{ key: 'tags', values_count: { gte: 2 } }] }, [1]],
    ['is empty', { must: [{ is_empty: { key: 'tags' } }] }, [3, 4]],
    ['is null', { must: [{ is_null: { key: 'nothing' } }] }, [1]],
    ['has id', { must: [{ has_id: [2, 4, 9] }] }, [2, 4]],
    ['has vector', { must: [{ has_vector: 'face' }] }, [1, 2]],
    ['nested', { must: [{ nested: { key: 'parts', filter: { must: [
        { key: 'name', match: { value: 'x' } }, { key: 'n', match: { value: 2 } }] } } }] }, [2]],
    ['a path into arrays', { must: [{ key: 'parts[].n', match: { value: 2 } }] }, [1, 2]],
    ['should', { should: [{ key: 'n', match: { value: 1 } }, { key: 'n', match: { value: 3 } }] }, [1, 3]],
    ['must not', { must_not: [{ key: 'n', range: { gte: 2 } }] }, [1, 4]],
    ['min should', { min_should: { min_count: 2, conditions: [
        { key: 'sold', match: { value: true } }, { key: 'n', match: { value: 1 } },
        { key: 'city', match: { value: 'Rome' } }] } }, [1, 3]],
    ['a filter inside a filter', { must: [{ should: [{ has_id: [1] }, { has_id: [2] }] }],
        must_not: [{ has_id: [1] }] }, [2]],
    ['no condition', {}, [1, 2, 3, 4]],
];

async function reset(client) {
    await client.recreateCollection('filtered',
        { vectors: { image: { size: 2, distance: 'Dot' }, face: { size: 2, distance: 'Dot' } } });
    await client.upsert('filtered', {
        points: Object.entries(payloads).map(([id, payload]) => ({
            id: Number(id),
            vector: id < 3 ? { image: [1, 1], face: [0, 1] } : { image: [1, 1] },
            payload,
        })),
    });
}

async function playCases(client) {
    for (const [name, filter, wanted] of cases) {
        const scrolled = (await client.scroll('filtered', { filter, limit: 10 })).points;
        const found = (await client.query('filtered', { query: [1, 0], using: 'image', filter, limit: 10 })).points;

        assert.deepEqual(ids(scrolled), wanted, `scroll: ${name}`);
        assert.deepEqual(ids(found).sort(), wanted, `query: ${name}`);
        assert.equal((await client.count('filtered', { filter })).count, wanted.length, `count: ${name}`);
    }
}

/* Every point is in one slice. */
async function playSlices(client) {
    const found = [];

    for (const index of [0, 1, 2])
        found.push(...ids((await client.scroll('filtered', { filter: { must: [{ slice: { total: 3, index } }] } })).points));
    assert.deepEqual(found.sort(), [1, 2, 3, 4]);
}

export default [
    ['each kind of condition means its points, by their payloads', async (client) => {
        await reset(client);
        await playCases(client);
    }],
    ['it means the same with indexes', async (client) => {
        const schemas = { city: 'keyword', n: 'integer', price: 'float', sold: 'bool', tags: 'keyword',
            at: 'datetime', place: 'geo', 'parts[].n': 'integer' };

        for (const [field_name, field_schema] of Object.entries(schemas))
            await client.createPayloadIndex('filtered', { field_name, field_schema, wait: true });
        await playCases(client);
    }],
    ['slices part the points', playSlices],
];
