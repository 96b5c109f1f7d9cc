import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { byTag, curlFor, type Document, exampleOf, findOperations, readDocument, typeName } from './spec';

const document: Document = JSON.parse(readFileSync('src/api/openapi.json', 'utf8'));
const reference = readDocument(document);
const one = (id: string) => reference.operations.find((op) => op.id === id)!;

describe("the server's own document", () => {
  it('gives each operation a name of its own, a tag and a role', () => {
    const ids = reference.operations.map((op) => op.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBe(Object.values(document.paths).flatMap((item) => Object.keys(item)).length);
    expect(byTag(reference.operations).flatMap(([, ops]) => ops).length).toBe(ids.length);
    for (const op of reference.operations) expect(['viewer', 'developer', 'admin'], op.id).toContain(op.role);
  });
  it('is searched by words in any order', () => {
    const found = (search: string) => findOperations(reference.operations, search).map((op) => op.id);
    expect(found('rollback')).toEqual(['rollback-function']);
    expect(found('keys delete id')).toEqual(['delete-key']);
    expect(found('no such thing')).toEqual([]);
    expect(found('')).toHaveLength(reference.operations.length);
  });
  it('makes commands that hold no key, for every operation', () => {
    for (const op of reference.operations) {
      const command = curlFor(op, 'http://hearth.example', reference.schemas);
      expect(command, op.id).toContain('Bearer $HEARTH_API_KEY');
      expect(command, op.id).not.toMatch(/[{}]\w+[}]'$/);
    }
    expect(curlFor(one('get-version'), 'http://hearth.example', reference.schemas)).toBe(
      'curl \\\n  -H "Authorization: Bearer $HEARTH_API_KEY" \\\n' +
        "  'http://hearth.example/api/v1/functions/hello/versions/2'",
    );
    expect(curlFor(one('add-user'), '', reference.schemas)).toContain('-X POST');
  });
});

it('makes examples that end, even of schemas that hold themselves', () => {
  const schemas = { Node: { type: 'object', properties: { next: { $ref: '#/components/schemas/Node' } } } };
  expect(exampleOf({ $ref: '#/components/schemas/Node' }, schemas)).toEqual({ next: { next: { next: {} } } });
});

it('says types as people do', () => {
  const list = { type: ['array', 'null'], items: { $ref: '#/components/schemas/Route' } };
  expect(typeName(list, {})).toBe('list of Route');
  expect(typeName({ type: 'string', format: 'date-time' }, {})).toBe('time');
  expect(typeName({ type: 'object', additionalProperties: { type: 'string' } }, {})).toBe('names to string');
  expect(typeName({ type: ['string', 'null'] }, {})).toBe('string or null');
  expect(typeName({}, {})).toBe('anything');
});
