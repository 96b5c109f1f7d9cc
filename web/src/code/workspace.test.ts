import { strFromU8, unzipSync } from 'fflate';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  changes,
  dropDraft,
  edit,
  fileOf,
  find,
  remove,
  rename,
  restoreDraft,
  saveDraft,
  untar,
  workspaceOf,
  wrongPath,
  zip,
} from './workspace';

const start = () =>
  workspaceOf([
    { path: 'main.py', text: 'a' },
    { path: 'lib/db.py', text: 'b' },
    { path: 'logo.png', text: null, bytes: new Uint8Array([0, 1]) },
  ]);

describe('changes', () => {
  it('are none at first, and none again once undone', () => {
    const w = start();
    expect(changes(w)).toEqual([]);
    expect(changes(edit(w, 'main.py', 'x'))).toEqual(['main.py']);
    expect(changes(edit(edit(w, 'main.py', 'x'), 'main.py', 'a'))).toEqual([]);
  });
  it('name what came, went and moved', () => {
    const w = rename(remove(add(start(), { path: 'new.py', text: '' }), 'logo.png'), 'lib/db.py', 'db.py');
    expect(changes(w)).toEqual(['db.py', 'lib/db.py', 'logo.png', 'new.py']);
    expect(w.files.map((f) => f.path)).toEqual(['db.py', 'main.py', 'new.py']);
  });
});

it.each([
  ['', 'Give it a name'],
  ['/etc/passwd', 'relative'],
  ['a/../b', '..'],
  ['a//b', 'empty'],
  ['a\\b', 'slashes'],
  ['main.py', 'There is a file'],
  ['lib', 'folder'],
  ['main.py/x', 'folder'],
])('refuses the path %s', (path, why) => expect(wrongPath(start(), path)).toContain(why));

it('takes other paths, and the own one when renaming', () => {
  expect(wrongPath(start(), 'lib/util.py')).toBeNull();
  expect(wrongPath(start(), 'main.py', 'main.py')).toBeNull();
});

it('makes a zip of text and bytes', () => {
  const entries = unzipSync(zip([...start().files, { path: 'run.sh', text: '#!/bin/sh', executable: true }]));
  expect(Object.keys(entries).sort()).toEqual(['lib/db.py', 'logo.png', 'main.py', 'run.sh']);
  expect(strFromU8(entries['lib/db.py']!)).toBe('b');
  expect([...entries['logo.png']!]).toEqual([0, 1]);
});

it('tells text from bytes', () => {
  expect(fileOf('a', new TextEncoder().encode('äö')).text).toBe('äö');
  expect(fileOf('a', new Uint8Array([0xff, 0xfe])).text).toBeNull();
  expect(fileOf('a', new Uint8Array([65, 0])).text).toBeNull();
});

/** One entry as tar writes it. */
function entry(name: string, body: string, { type = '0', mode = '0000644', prefix = '' } = {}) {
  const head = new Uint8Array(512);
  const put = (text: string, at: number) => head.set(new TextEncoder().encode(text), at);
  const bytes = new TextEncoder().encode(body);
  put(name, 0);
  put(mode, 100);
  put(bytes.length.toString(8).padStart(11, '0'), 124);
  put(type, 156);
  put(prefix, 345);
  const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  padded.set(bytes);
  return [...head, ...padded];
}

describe('untar', () => {
  it('reads files, long names and modes, and passes folders by', () => {
    const long = `${'d/'.repeat(60)}x.py`;
    const tar = new Uint8Array([
      ...entry('lib/', '', { type: '5' }),
      ...entry('./main.py', 'hi'),
      ...entry('x', `${long.length + 10} path=${long}\n`, { type: 'x' }),
      ...entry('short', 'long', { mode: '0000755' }),
      ...entry('x.py', '', { prefix: 'far/away' }),
      ...new Array(1024).fill(0),
    ]);
    expect(untar(tar)).toEqual([
      { path: 'main.py', text: 'hi', executable: false },
      { path: long, text: 'long', executable: true },
      { path: 'far/away/x.py', text: '', executable: false },
    ]);
  });
  it('says when it is cut', () => {
    expect(() => untar(new Uint8Array(entry('a', 'x'.repeat(600)).slice(0, 800)))).toThrow('cut short');
  });
});

describe('the draft', () => {
  beforeEach(() => localStorage.clear());
  it('comes back over what is deployed', () => {
    const w = remove(add(edit(start(), 'main.py', 'new'), { path: 'more.py', text: 'm' }), 'lib/db.py');
    saveDraft(localStorage, 'f', 3, w, 99);
    const back = restoreDraft(localStorage, 'f', 3, start())!;
    expect(back.workspace.files).toEqual(w.files);
    expect({ stale: back.stale, at: back.at }).toEqual({ stale: false, at: 99 });
    expect(restoreDraft(localStorage, 'f', 4, start())!.stale).toBe(true);
    expect(restoreDraft(localStorage, 'g', 3, start())).toBeNull();
  });
  it('is gone when nothing differs, when dropped, and when it says nothing new', () => {
    saveDraft(localStorage, 'f', 1, edit(start(), 'main.py', 'x'));
    saveDraft(localStorage, 'f', 1, start());
    expect(restoreDraft(localStorage, 'f', 1, start())).toBeNull();
    saveDraft(localStorage, 'f', 1, edit(start(), 'main.py', 'x'));
    expect(restoreDraft(localStorage, 'f', 2, workspaceOf([{ path: 'main.py', text: 'x' }]))).toBeNull();
    dropDraft(localStorage, 'f');
    expect(localStorage.length).toBe(0);
  });
  it('survives rubbish in the storage', () => {
    for (const rubbish of ['{', '1', '{"texts":1}', 'null']) {
      localStorage.setItem('hearth.draft.f', rubbish);
      expect(restoreDraft(localStorage, 'f', 1, start())).toBeNull();
    }
  });
  it('leaves bytes alone', () => {
    saveDraft(localStorage, 'f', 1, edit(start(), 'main.py', 'x'));
    expect(find(restoreDraft(localStorage, 'f', 1, start())!.workspace, 'logo.png')?.bytes).toBeDefined();
  });
});
