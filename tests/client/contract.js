// SPDX-License-Identifier: Apache-2.0
/* Replies against an OpenAPI file: as much of JSON schema as Qdrant's uses. Ours may have
 * more members than theirs, never fewer. */

/* Calls that clients still make and the file has no more. Their replies are lists of what
 * the file still knows. */
const OLDER = {
    search: { type: 'array', items: { $ref: '#/components/schemas/ScoredPoint' } },
    groups: { $ref: '#/components/schemas/GroupsResult' },
};
OLDER.batch = { type: 'array', items: OLDER.search };

function resolve(spec, schema) {
    while (schema.$ref)
        schema = spec.components.schemas[schema.$ref.split('/').pop()];
    return schema;
}

function isType(value, name) {
    switch (name) {
    case 'object':
        return value !== null && typeof value === 'object' && !Array.isArray(value);
    case 'array':
        return Array.isArray(value);
    case 'integer':
        return Number.isInteger(value);
    default:
        return typeof value === name;
    }
}

function* checkObject(spec, schema, value, path) {
    for (const name of schema.required ?? [])
        if (!(name in value))
            yield `${path}.${name} is not there`;
    for (const [name, inner] of Object.entries(value)) {
        const known = schema.properties?.[name] ?? schema.additionalProperties;

        if (typeof known === 'object')
            yield* check(spec, known, inner, `${path}.${name}`);
    }
}

function* check(spec, wanted, value, path) {
    const schema = resolve(spec, wanted);
    const shown = JSON.stringify(value)?.slice(0, 200);

    if (value === null && (schema.nullable || Object.keys(schema).length === 0))
        return;
    for (const kinds of [schema.anyOf, schema.oneOf])
        if (kinds && kinds.every((one) => [...check(spec, one, value, path)].length > 0))
            yield `${path} fits none of its kinds: ${shown}`;
    for (const one of schema.allOf ?? [])
        yield* check(spec, one, value, path);
    if (schema.type && !isType(value, schema.type)) {
        yield `${path} is not of type ${schema.type}: ${shown}`;
        return;
    }
    if (schema.enum && !schema.enum.includes(value))
        yield `${path} is none of ${schema.enum}: ${shown}`;
    if (schema.minimum !== undefined && value < schema.minimum)
        yield `${path} is below ${schema.minimum}`;
    if (Array.isArray(value))
        for (const [i, inner] of value.entries())
            yield* check(spec, schema.items ?? {}, inner, `${path}[${i}]`);
    else if (value !== null && typeof value === 'object')
        yield* checkObject(spec, schema, value, path);
}

/* The path of the file that fits; literal segments go before braces. */
function templateOf(spec, path) {
    const segments = path.split('/');

    return Object.keys(spec.paths)
        .filter((one) => {
            const parts = one.split('/');

            return parts.length === segments.length &&
                parts.every((part, i) => part.startsWith('{') || part === segments[i]);
        })
        .sort((a, b) => a.split('{').length - b.split('{').length)[0];
}

function schemaOf(spec, method, path) {
    const older = path.match(/\/points\/(search|recommend)(?:\/(batch|groups))?$/);

    if (older)
        return { type: 'object', required: ['result', 'status', 'time'],
            properties: { result: OLDER[older[2] ?? 'search'] } };
    return spec.paths[templateOf(spec, path)]?.[method.toLowerCase()]
        ?.responses['200'].content['application/json'].schema;
}

/* What is wrong with a reply, in lines. */
export function checkReply(spec, method, path, status, text) {
    const what = `${method} ${path}: ${status}`;
    const schema = status === 200 ? schemaOf(spec, method, path)
        : { $ref: '#/components/schemas/ErrorResponse' };

    if (!schema)
        return [`${what}: the contract has no such call`];
    return [...check(spec, schema, JSON.parse(text), '$')].map((fault) => `${what}: ${fault}`);
}
