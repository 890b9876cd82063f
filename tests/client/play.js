// SPDX-License-Identifier: Apache-2.0
/* Qdrant's own JavaScript client, unmodified, against the running server.
 *
 *     node play.js HEIRLOOM CONTRACT
 *
 * Speaks TAP. Every reply that the client gets is also held against Qdrant's OpenAPI file
 * (HEIRLOOM_QDRANT_OPENAPI, or CONTRACT), where there is one. */
import { QdrantClient } from '@qdrant/js-client-rest';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkReply } from './contract.js';
import collections from './collections.js';
import filters from './filters.js';
import points from './points.js';
import search from './search.js';
import snapshots from './snapshots.js';

const START_LIMIT_MS = 60000;
const [program, defaultContract] = process.argv.slice(2);
const contractPath = process.env.HEIRLOOM_QDRANT_OPENAPI || defaultContract;
const contract = existsSync(contractPath) ? JSON.parse(readFileSync(contractPath)) : null;
const faults = [];

/* The client calls the global fetch. */
const realFetch = globalThis.fetch;
globalThis.fetch = async (url, init) => {
    const reply = await realFetch(url, init);
    const text = await reply.clone().text();

    if (contract)
        faults.push(...checkReply(contract, init.method, new URL(url).pathname, reply.status, text));
    return reply;
};

function start(folder) {
    const env = Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !name.startsWith('HEIRLOOM')));
    const server = spawn(program, ['serve', '--port', '0', '--data', join(folder, 'data')],
        { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';

    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`it did not listen:\n${log}`)), START_LIMIT_MS);
        const listen = (chunk) => {
            const found = (log += chunk).match(/event=listening .*port=(\d+)/);

            if (found) {
                clearTimeout(timer);
                resolve({ server, port: Number(found[1]), log: () => log });
            }
        };

        server.stdout.on('data', listen);
        server.stderr.on('data', listen);
        server.on('exit', (code) => reject(new Error(`it ended with ${code}:\n${log}`)));
    });
}

function stop(server) {
    return new Promise((resolve) => {
        server.removeAllListeners('exit');
        server.on('exit', resolve);
        server.kill('SIGTERM');
    });
}

function comment(text) {
    console.log(String(text).replace(/^/gm, '# '));
}

async function play(client, port, data) {
    const tests = [...collections, ...points, ...filters, ...search, ...snapshots];
    let n = 0, failed = 0;

    console.log(`1..${tests.length + 1}`);
    for (const [title, test] of tests) {
        let error = null;

        faults.length = 0;
        try {
            await test(client, port, data);
            if (faults.length > 0)
                error = `not as the contract has it:\n${faults.join('\n')}`;
        } catch (e) {
            error = e.data ? `${e.stack}\n${JSON.stringify(e.data)}` : e.stack;
        }
        n++;
        console.log(`${error ? 'not ok' : 'ok'} ${n} - ${title}`);
        if (error) {
            comment(error);
            failed++;
        }
    }
    return { n, failed };
}

const folder = mkdtempSync(join(tmpdir(), 'heirloom-client-'));
const { server, port, log } = await start(folder);
const client = new QdrantClient({ host: '127.0.0.1', port });
const { n, failed } = await play(client, port, join(folder, 'data'));
const code = await stop(server);

console.log(`${code === 0 ? 'ok' : 'not ok'} ${n + 1} - the server ends well`);
if (!contract)
    comment(`there is no ${contractPath}: no reply was held against it`);
if (failed || code !== 0)
    comment(log());
rmSync(folder, { recursive: true });
process.exit(failed || code !== 0 ? 1 : 0);
