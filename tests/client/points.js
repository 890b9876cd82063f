// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { ids, near, refused } from './expect.js';

const UUID = '550e8400-e29b-41d4-a716-446655440000';

async function payloadOf(client, id) {
    return (await client.retrieve('plain', { ids: [id] }))[0].payload;
}

export default [
    ['points are stored as a list', async (client) => {
        const done = await client.upsert('plain', {
            points: [
                { id: 1, vector: [1, 0, 0, 0], payload: { city: 'Berlin', n: 1 } },
                { id: 2, vector: [0, 2, 0, 0], payload: { city: 'Rome', n: 2 } },
                { id: UUID, vector: [0, 0, 3, 4] },
            ],
        });

        assert.equal(done.status, 'completed');
        assert.equal((await client.getCollection('plain')).points_count, 3);
    }],
    ['points are stored as columns', async (client) => {
        const done = await client.upsert('plain', {
            wait: false,
            batch: { ids: [3, 4], vectors: [[1, 1, 0, 0], [0, 1, 1, 0]], payloads: [{ city: 'Rome', n: 3 }, null] },
        });

        assert.equal(done.status, 'acknowledged');
        await client.upsert('plain', { points: [{ id: 5, vector: [1, 1, 1, 1], payload: { n: 5 } }] });
        assert.equal((await client.count('plain')).count, 6);
    }],
    ['points are given back as they were, cosine ones normalised', async (client) => {
        const points = await client.retrieve('plain', { ids: [UUID, 1, 77], with_vector: true });
        const one = points.find((point) => point.id === 1);

        assert.equal(points.length, 2);
        assert.deepEqual(one.payload, { city: 'Berlin', n: 1 });
        near(points.find((point) => point.id === UUID).vector, [0, 0, 0.6, 0.8]);
    }],
    ['a part of a payload can be asked for', async (client) => {
        const [point] = await client.retrieve('plain', { ids: [1], with_payload: ['city'] });

        assert.deepEqual(point.payload, { city: 'Berlin' });
        assert.equal(point.vector ?? null, null);
        const [bare] = await client.retrieve('plain', { ids: [1], with_payload: { exclude: ['city'] } });
        assert.deepEqual(bare.payload, { n: 1 });
    }],
    ['named vectors are stored, changed and deleted one by one', async (client) => {
        const words = { indices: [7, 9], values: [1, 2] };

        await client.upsert('many', { points: [{ id: 1, vector: { image: [1, 2, 3, 4], words } }] });
        await client.updateVectors('many', { points: [{ id: 1, vector: { face: [5, 6] } }] });
        let [point] = await client.retrieve('many', { ids: [1], with_vector: true });
        assert.deepEqual(point.vector, { image: [1, 2, 3, 4], face: [5, 6], words });
        await client.deleteVectors('many', { points: [1], vector: ['image', 'words'] });
        [point] = await client.retrieve('many', { ids: [1], with_vector: ['face', 'image'] });
        assert.deepEqual(point.vector, { face: [5, 6] });
    }],
    ['payloads are set, overwritten, cut and cleared', async (client) => {
        await client.setPayload('plain', { payload: { colour: 'red', n: 11 }, points: [1] });
        assert.deepEqual(await payloadOf(client, 1), { city: 'Berlin', colour: 'red', n: 11 });
        await client.setPayload('plain', { payload: { deep: 1 }, points: [1], key: 'a.b' });
        assert.deepEqual((await payloadOf(client, 1)).a, { b: { deep: 1 } });
        await client.overwritePayload('plain', { payload: { city: 'Bonn', n: 1 }, points: [1] });
        assert.deepEqual(await payloadOf(client, 1), { city: 'Bonn', n: 1 });
        await client.deletePayload('plain', { keys: ['city'], points: [1] });
        assert.deepEqual(await payloadOf(client, 1), { n: 1 });
        await client.clearPayload('plain', { filter: { must: [{ key: 'n', match: { value: 1 } }] } });
        assert.deepEqual(await payloadOf(client, 1) ?? {}, {});
        await client.overwritePayload('plain', { payload: { city: 'Berlin', n: 1 }, points: [1] });
    }],
    ['many operations are one request', async (client) => {
        const done = await client.batchUpdate('plain', {
            operations: [
                { upsert: { points: [{ id: 90, vector: [1, 2, 3, 4] }] } },
                { set_payload: { payload: { city: 'Oslo' }, points: [90] } },
                { delete_payload: { keys: ['city'], points: [90] } },
                { delete: { points: [90] } },
            ],
        });

        assert.deepEqual(done.map((one) => one.status), Array(4).fill('completed'));
        assert.deepEqual(await client.retrieve('plain', { ids: [90] }), []);
    }],
    ['points are deleted by their ids and by a filter', async (client) => {
        await client.upsert('plain', { points: [91, 92].map((id) => ({ id, vector: [1, 0, 0, 1], payload: { n: id } })) });
        await client.delete('plain', { points: [91] });
        await client.delete('plain', { filter: { must: [{ key: 'n', range: { gte: 92 } }] } });
        assert.deepEqual(await client.retrieve('plain', { ids: [91, 92] }), []);
    }],
    ['pages follow each other in the order of the ids', async (client) => {
        const first = await client.scroll('plain', { limit: 4 });

        assert.deepEqual(ids(first.points), [1, 2, 3, 4]);
        assert.equal(first.next_page_offset, 5);
        const second = await client.scroll('plain', { limit: 4, offset: first.next_page_offset });
        assert.deepEqual(ids(second.points), [5, UUID]);
        assert.equal(second.next_page_offset ?? null, null);
    }],
    ['payload indexes are made, described and dropped', async (client) => {
        await client.createPayloadIndex('plain', { field_name: 'n', field_schema: 'integer', wait: true });
        await client.createPayloadIndex('plain', {
            field_name: 'city', field_schema: { type: 'keyword', is_tenant: true }, wait: true,
        });
        for (const type of ['float', 'bool', 'geo', 'datetime', 'uuid'])
            await client.createPayloadIndex('plain', { field_name: `of_${type}`, field_schema: type, wait: true });
        let schema = (await client.getCollection('plain')).payload_schema;
        assert.equal(schema.n.data_type, 'integer');
        assert.equal(schema.n.points, 4);
        assert.equal(schema.city.data_type, 'keyword');
        await client.deletePayloadIndex('plain', 'of_geo');
        schema = (await client.getCollection('plain')).payload_schema;
        assert.equal(schema.of_geo, undefined);
    }],
    ['pages come in the order of a value', async (client) => {
        const down = await client.scroll('plain', { order_by: { key: 'n', direction: 'desc' }, limit: 2 });
        const up = await client.scroll('plain', { order_by: { key: 'n', start_from: 2 }, limit: 2 });

        assert.deepEqual(ids(down.points), [5, 3]);
        assert.deepEqual(ids(up.points), [2, 3]);
        await refused(() => client.scroll('plain', { order_by: 'nothing' }), 400, /nothing/);
    }],
    ['points are counted, and values too', async (client) => {
        const filter = { must: [{ key: 'city', match: { value: 'Rome' } }] };

        assert.deepEqual(await client.count('plain', { filter, exact: true }), { count: 2 });
        assert.deepEqual(await client.facet('plain', { key: 'city' }),
            { hits: [{ value: 'Rome', count: 2 }, { value: 'Berlin', count: 1 }] });
        assert.deepEqual(await client.facet('plain', { key: 'city', filter, exact: true, limit: 1 }),
            { hits: [{ value: 'Rome', count: 2 }] });
    }],
    ['what is no point is refused', async (client) => {
        const upsert = (point) => () => client.upsert('plain', { points: [point] });

        await refused(upsert({ id: 1, vector: [1, 2] }), 400,
            /^Wrong input: Vector dimension error: expected dim: 4, got 2$/);
        await refused(upsert({ id: 1, vector: { other: [1, 2, 3, 4] } }), 400,
            /^Wrong input: Not existing vector name error: other$/);
        await refused(upsert({ id: -1, vector: [1, 2, 3, 4] }), 422, /^Validation error in JSON body: \[points\[0\]\.id: /);
        await refused(upsert({ id: 1.5, vector: [1, 2, 3, 4] }), 400, /^Format error in JSON body: points\[0\]\.id: /);
        await refused(() => client.upsert('none', { points: [] }), 404, /^Not found: Collection `none`/);
    }],
];
