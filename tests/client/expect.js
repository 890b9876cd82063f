// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

/* The call is refused with this status, and a sentence that fits. */
export async function refused(call, status, sentence) {
    await assert.rejects(call, (error) => {
        assert.equal(error.status, status, JSON.stringify(error.data));
        assert.match(error.data.status.error, sentence);
        assert.match(error.data.status.code, /^[a-z_]+$/);
        return true;
    });
}

export function ids(points) {
    return points.map((point) => point.id);
}

/* Floats as they are stored: near, not equal. */
export function near(got, wanted) {
    assert.equal(got.length, wanted.length);
    got.forEach((value, i) => assert.ok(Math.abs(value - wanted[i]) < 1e-5, `${got} is not ${wanted}`));
}
