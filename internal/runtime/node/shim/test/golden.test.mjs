// The golden frames that every implementation of the wire replays.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';

const require = createRequire(import.meta.url);
const { Decoder, encode } = require('../frames.cjs');

const GOLDEN = new URL('../../../../wire/golden/', import.meta.url);
const cases = readdirSync(GOLDEN).filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, GOLDEN), 'utf8')) }));

function decode(bytes, size) {
  const frames = [];
  const decoder = new Decoder((frame) => frames.push({ ...frame, body: Buffer.from(frame.body) }));
  for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size));
  if (decoder.partial) throw new Error('cut off');
  return frames;
}

test('there are golden frames', () => assert.ok(cases.length > 20, `${cases.length} found`));

for (const { name, hex, frame, invalid } of cases) {
  const bytes = Buffer.from(hex, 'hex');
  if (invalid) {
    test(`${name} is refused`, () => assert.throws(() => decode(bytes, bytes.length), Error, invalid));
    continue;
  }
  test(`${name} is read whole and byte by byte`, () => {
    for (const size of [bytes.length, 1, 7]) {
      const [got, ...more] = decode(bytes, size);
      assert.equal(more.length, 0);
      assert.deepEqual(
        { type: got.type, flags: got.flags, stream: got.stream, head: got.head, body_hex: got.body.toString('hex') },
        { type: frame.type, flags: frame.flags, stream: frame.stream, head: frame.head ?? {}, body_hex: frame.body_hex });
    }
  });
  test(`${name} is written`, () => {
    const [got] = decode(encode(frame.type, frame.flags, frame.stream, frame.head ?? undefined, Buffer.from(frame.body_hex, 'hex')), 1 << 20);
    assert.deepEqual(got.head, frame.head ?? {});
    assert.equal(got.body.toString('hex'), frame.body_hex);
  });
}
