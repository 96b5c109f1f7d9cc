import { describe, expect, it } from 'vitest';
import { hasAnsi, parseAnsi, plain } from './ansi';
import {
  isLogFiltered,
  matchesLog,
  noLogFilters,
  readLogFilters,
  toLogCommand,
  writeLogFilters,
} from './filters';
import { fold, jsonOf, type LogLine, levelOf } from './line';

const esc = '\x1b';

describe('colours of terminals', () => {
  it('become pieces with names of styles', () => {
    expect(parseAnsi(`${esc}[32mok${esc}[0m then ${esc}[1;31mbad${esc}[22;39m.`)).toEqual([
      { text: 'ok', style: { color: 2 } },
      { text: ' then ', style: {} },
      { text: 'bad', style: { bold: true, color: 1 } },
      { text: '.', style: { bold: undefined, dim: undefined, color: undefined } },
    ]);
    expect(parseAnsi(`${esc}[38;5;208ma${esc}[48;2;1;2;300mb${esc}[94mc`).map((p) => p.style)).toEqual([
      { color: '#ff8700' },
      { color: '#ff8700', background: '#0102ff' },
      { color: 12, background: '#0102ff' },
    ]);
  });
  it('leave nothing else of what steers a terminal', () => {
    const nasty = `a${esc}[2J${esc}[10;3Hb${esc}]8;;https://evil${esc}\\c${esc}]0;title\x07d\x00\x08e${esc}[`;
    expect(
      parseAnsi(nasty)
        .map((p) => p.text)
        .join(''),
    ).toBe('abcde[');
    expect(plain(nasty)).toBe('abcde[');
    expect(hasAnsi('plain')).toBe(false);
  });
  it('leave markup what it is: text', () => {
    expect(parseAnsi(`${esc}[31m<b>x</b>`)).toEqual([{ text: '<b>x</b>', style: { color: 1 } }]);
  });
});

describe('lines of JSON', () => {
  it('are folded to message, level and fields', () => {
    const doc = jsonOf('{"level":"WARN","msg":"low","ts":1,"sku":"tea","n":{"a":[1]}}')!;
    expect(fold(doc)).toEqual({
      message: 'low',
      level: 'warn',
      rest: [
        ['sku', 'tea'],
        ['n', '{"a":[1]}'],
      ],
    });
  });
  it('are objects only', () => {
    for (const text of ['[1]', '12', '{', '{}', '{"a":', 'null', '{not json}'])
      expect(jsonOf(text)).toBeNull();
  });
});

it('knows levels by the names of logging libraries', () => {
  expect(['ERROR', 'CRITICAL', 'Warning', 'log', 'TRACE', 'loud', ''].map(levelOf)).toEqual([
    'error',
    'error',
    'warn',
    'info',
    'debug',
    undefined,
    undefined,
  ]);
});

describe('the filters of logs', () => {
  it('come back from the address as they were written', () => {
    const f = {
      function: 'a',
      version: '2',
      invocation: '01JX',
      level: 'warn',
      stream: 'stderr',
      text: 'a&b=ü',
    };
    const written = writeLogFilters(new URLSearchParams('from=1&to=2'), f);
    expect(written.get('from')).toBe('1');
    expect(readLogFilters(written)).toEqual(f);
    expect(writeLogFilters(written, noLogFilters).toString()).toBe('from=1&to=2');
    expect(readLogFilters(new URLSearchParams('level=loud&stream=x&version=0'))).toEqual(noLogFilters);
    expect(isLogFiltered(noLogFilters)).toBe(false);
    expect(isLogFiltered({ ...noLogFilters, function: 'a' })).toBe(false);
    expect(isLogFiltered(f)).toBe(true);
  });
  it('let through what the server would', () => {
    const l: LogLine = {
      seq: 1,
      at: '',
      function: 'a',
      version: 2,
      invocation: 'I',
      stream: 'stderr',
      level: 'WARNING',
      text: 'Low Stock',
    };
    const fits = (some: object) => matchesLog(l, { ...noLogFilters, ...some });
    expect(fits({})).toBe(true);
    expect(
      fits({ function: 'a', version: '2', invocation: 'I', stream: 'stderr', level: 'warn', text: 'low s' }),
    ).toBe(true);
    for (const no of [
      { function: 'b' },
      { version: '1' },
      { invocation: 'J' },
      { stream: 'stdout' },
      { level: 'error' },
      { text: 'high' },
    ])
      expect(fits(no), JSON.stringify(no)).toBe(false);
  });
  it('make a command', () => {
    expect(toLogCommand({ ...noLogFilters, function: 'a', text: 'x y' })).toBe(
      "hearth logs -f a --grep 'x y'",
    );
  });
});
