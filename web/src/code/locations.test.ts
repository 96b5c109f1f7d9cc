import { describe, expect, it } from 'vitest';
import { addressed, innermost, locations } from './locations';

const python = `Traceback (most recent call last):
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
  File "/code/main.py", line 4, in handler
    return helper(event)
  File "/code/lib/db.py", line 12, in helper
ValueError: no`;
const node = `TypeError: no
    at helper (file:///code/lib/db.mjs:3:9)
    at Module.handler (/code/index.mjs:2:14)
    at node:internal/process:9:1`;

describe('the place of an error', () => {
  it('is the last own frame in Python', () =>
    expect(innermost(python, ['main.py', 'lib/db.py'])).toEqual({ path: 'lib/db.py', line: 12 }));
  it('is the first own frame in JavaScript', () =>
    expect(innermost(node, ['index.mjs', 'lib/db.mjs'])).toEqual({ path: 'lib/db.mjs', line: 3, column: 9 }));
  it('is found in errors of syntax', () => {
    expect(innermost('  File "/code/main.py", line 3\n    def f(\nSyntaxError: no', ['main.py'])?.line).toBe(
      3,
    );
    expect(innermost('/code/index.mjs:4\nSyntaxError: Unexpected end of input', ['index.mjs'])?.line).toBe(4);
  });
  it('is nowhere without own files', () => {
    expect(innermost(node, ['main.py'])).toBeNull();
    expect(innermost(undefined, ['main.py'])).toBeNull();
  });
});

it('lists all own places', () => expect(locations(node, ['index.mjs', 'lib/db.mjs'])).toHaveLength(2));

it('finds the place that an address names, if there is such a file', () => {
  const at = (query: string) => addressed(new URLSearchParams(query), ['lib/a b.py']);
  expect(at('file=lib%2Fa+b.py&line=4&version=2')).toEqual({ path: 'lib/a b.py', line: 4 });
  for (const query of ['', 'file=lib%2Fa+b.py', 'line=4', 'file=x&line=4', 'file=lib%2Fa+b.py&line=x'])
    expect(at(query), query).toBeNull();
});
