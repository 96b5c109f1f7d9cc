import { strToU8, zipSync } from 'fflate';
import { expect, it } from 'vitest';
import { filesFromList, fromZip, unpack } from './drop';

it('takes an archive apart, without its folder and what nobody means', async () => {
  const zip = zipSync({
    'shop/main.py': strToU8('a'),
    'shop/lib/x.py': strToU8('b'),
    'shop/node_modules/y/z.js': strToU8('c'),
  });
  const files = await filesFromList([new File([zip as BlobPart], 'shop.zip')]);
  expect(files.map((f) => [f.path, f.text])).toEqual([
    ['main.py', 'a'],
    ['lib/x.py', 'b'],
  ]);
});

it('keeps files beside folders where they are', () => {
  const files = [
    { path: 'a/x.py', text: '' },
    { path: 'main.py', text: '' },
  ];
  expect(unpack(files)).toEqual(files);
  expect(unpack([{ path: 'main.py', text: '' }])).toHaveLength(1);
});

it('says when an archive is none', () => expect(() => fromZip(strToU8('no zip'))).toThrow('can’t be read'));

it('takes single files by name', async () => {
  const [file] = await filesFromList([new File(['def handler'], 'main.py')]);
  expect(file).toMatchObject({ path: 'main.py', text: 'def handler' });
});
