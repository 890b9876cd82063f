// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { refused } from './expect.js';

export default [
    ['a snapshot of a collection is made, listed, recovered and deleted', async (client, port, data) => {
        const made = await client.createSnapshot('found');
        const location = `file://${data}/snapshots/found/${made.name}`;

        assert.deepEqual((await client.listSnapshots('found')).map((one) => one.name), [made.name]);
        await client.delete('found', { points: [1, 2, 3] });
        assert.equal((await client.count('found')).count, 3);
        await refused(() => client.recoverSnapshot('found', { location, checksum: '0'.repeat(64) }), 400, /checksum|sha/i);
        assert.equal(await client.recoverSnapshot('found', { location, checksum: made.checksum }), true);
        assert.equal((await client.count('found')).count, 6);
        assert.equal(await client.deleteSnapshot('found', made.name), true);
        assert.deepEqual(await client.listSnapshots('found'), []);
        await refused(() => client.deleteSnapshot('found', made.name), 404, /^Not found: /);
    }],
];
