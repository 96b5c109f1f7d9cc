import { expect, it } from 'vitest';
import { freeName, wrongName } from './names';

it.each(['a', 'hello-2', '0x'])('takes %s', (name) => expect(wrongName(name)).toBeNull());
it.each([
  ['', 'Give'],
  ['Hello', 'small'],
  ['-a', 'Begin'],
  ['a_b', 'digits'],
  ['a'.repeat(64), '63'],
])('refuses “%s”', (name, why) => expect(wrongName(name)).toContain(why));

it('finds a name that is free and valid', () => {
  expect(freeName('hello', [])).toBe('hello');
  expect(freeName('hello', ['hello', 'hello-2'])).toBe('hello-3');
  expect(freeName('My Shop!.zip', [])).toBe('my-shop-zip');
  for (const odd of ['', '---', 'ä', 'x'.repeat(90)])
    expect(wrongName(freeName(odd, ['function']))).toBeNull();
});
