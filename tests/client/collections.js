// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { refused } from './expect.js';

const many = {
    vectors: { image: { size: 4, distance: 'Dot' }, face: { size: 2, distance: 'Euclid' } },
    sparse_vectors: { words: {} },
};

export default [
    ['the server says which interface it speaks', async (client) => {
        assert.match((await client.versionInfo()).version, /^1\.19\./);
    }],
    ['a collection is created, described and listed', async (client) => {
        assert.equal(await client.createCollection('plain', { vectors: { size: 4, distance: 'Cosine' } }), true);
        const info = await client.getCollection('plain');
        assert.equal(info.status, 'green');
        assert.equal(info.points_count, 0);
        assert.deepEqual(info.payload_schema, {});
        assert.equal(info.config.params.vectors.size, 4);
        assert.equal(info.config.params.vectors.distance, 'Cosine');
        assert.deepEqual(await client.getCollections(), { collections: [{ name: 'plain' }] });
    }],
    ['a collection has vectors by name, and sparse ones', async (client) => {
        assert.equal(await client.createCollection('many', many), true);
        const { params } = (await client.getCollection('many')).config;
        assert.deepEqual(Object.keys(params.vectors).sort(), ['face', 'image']);
        assert.equal(params.vectors.face.distance, 'Euclid');
        assert.deepEqual(Object.keys(params.sparse_vectors), ['words']);
    }],
    ['whether a collection exists can be asked', async (client) => {
        assert.deepEqual(await client.collectionExists('plain'), { exists: true });
        assert.deepEqual(await client.collectionExists('other'), { exists: false });
    }],
    ['a collection is on one node', async (client) => {
        const cluster = await client.collectionClusterInfo('plain');

        assert.equal(cluster.shard_count, 1);
        assert.deepEqual(cluster.remote_shards, []);
    }],
    ['what cannot be a collection is refused', async (client) => {
        const create = (name, body) => () => client.createCollection(name, body);

        await refused(create('plain', many), 409, /plain/);
        await refused(create('none', { vectors: { size: 0, distance: 'Dot' } }), 422, /^Validation error/);
        await refused(create('none', { vectors: { size: 4, distance: 'Far' } }), 422, /must be one of "Cosine"/);
        await refused(() => client.getCollection('none'), 404, /^Not found: Collection `none` doesn't exist!/);
    }],
    ['settings are changed and kept', async (client) => {
        assert.equal(await client.updateCollection('plain',
            { optimizers_config: { indexing_threshold: 12345 } }), true);
        assert.equal((await client.getCollection('plain')).config.optimizer_config.indexing_threshold, 12345);
    }],
    ['what becomes of vectors that are not sent again is said in metadata', async (client) => {
        const say = (word) => client.updateCollection('many', { metadata: { on_vector_loss: word } });
        const said = async () => (await client.getCollection('many')).config.metadata;

        assert.equal(await say('keep'), true);
        assert.deepEqual(await said(), { on_vector_loss: 'keep' });
        await refused(() => say('never'), 422, /metadata\.on_vector_loss: value "never" invalid/);
        assert.equal(await say(null), true);
        assert.deepEqual(await said(), {});
    }],
    ['a vector is added to a collection and taken away', async (client) => {
        await client.createVectorName('many', 'later', { dense: { size: 3, distance: 'Cosine' } });
        assert.equal((await client.getCollection('many')).config.params.vectors.later.size, 3);
        await client.deleteVectorName('many', 'later');
        assert.equal((await client.getCollection('many')).config.params.vectors.later, undefined);
    }],
    ['aliases are other names', async (client) => {
        const change = (...actions) => client.updateCollectionAliases({ actions });

        assert.equal(await change({ create_alias: { collection_name: 'plain', alias_name: 'one' } }), true);
        assert.deepEqual(await client.getAliases(), { aliases: [{ alias_name: 'one', collection_name: 'plain' }] });
        assert.equal((await client.getCollection('one')).config.params.vectors.size, 4);
        await change({ rename_alias: { old_alias_name: 'one', new_alias_name: 'two' } });
        assert.deepEqual(await client.getCollectionAliases('plain'),
            { aliases: [{ alias_name: 'two', collection_name: 'plain' }] });
        await change({ delete_alias: { alias_name: 'two' } });
        assert.deepEqual(await client.getAliases(), { aliases: [] });
        await refused(() => change({ delete_alias: { alias_name: 'two' } }), 404, /two/);
    }],
    ['a collection is deleted, and one that is not there is none', async (client) => {
        await client.createCollection('gone', many);
        assert.equal(await client.deleteCollection('gone'), true);
        assert.equal(await client.deleteCollection('gone'), false);
        assert.equal(await client.recreateCollection('plain', { vectors: { size: 4, distance: 'Cosine' } }), true);
    }],
];
