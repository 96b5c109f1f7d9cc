import { expect, it } from 'vitest';
import { codeHref, parseTrace, topFrame } from './trace';

const python = `Traceback (most recent call last):
  File "/code/main.py", line 11, in handler
    return total(event)
  File "/code/lib/orders.py", line 9, in total
    return requests.get(url)
  File "/code/site-packages/requests/api.py", line 59, in get
    raise ConnectionError
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
KeyError: 'cake'
`;
const node = `RangeError: no shard
    at find (/code/lib/store.mjs:3:28)
    at async Module.handler (file:///code/index.mjs:5:16)
    at /code/node_modules/pg/index.js:1:1
    at node:internal/process:95:5`;

it('finds the frames of Python, those of the function and of others', () => {
  const frames = parseTrace(python).flatMap((l) => (l.frame ? [l.frame] : []));
  expect(frames).toEqual([
    { file: 'main.py', line: 11, own: true },
    { file: 'lib/orders.py', line: 9, own: true },
    { file: 'site-packages/requests/api.py', line: 59, own: false },
  ]);
  expect(topFrame(python)).toEqual({ file: 'lib/orders.py', line: 9, own: true });
});

it('finds the frames of Node', () => {
  const frames = parseTrace(node).flatMap((l) => (l.frame ? [l.frame] : []));
  expect(frames).toEqual([
    { file: 'lib/store.mjs', line: 3, own: true },
    { file: 'index.mjs', line: 5, own: true },
    { file: 'node_modules/pg/index.js', line: 1, own: false },
  ]);
  expect(topFrame(node)?.file).toBe('lib/store.mjs');
});

it('keeps every letter of the trace', () => {
  for (const trace of [python, node, 'no trace', ''])
    expect(
      parseTrace(trace)
        .map((l) => l.before + l.place + l.after)
        .join('\n'),
    ).toBe(trace.replace(/\n$/, ''));
});

it('leads to the line of that version', () => {
  expect(codeHref('a b', 3, { file: 'lib/x.py', line: 4, own: true })).toBe(
    '/functions/a%20b/code?file=lib%2Fx.py&line=4&version=3',
  );
});
