import { expect, it } from 'vitest';
import type { FunctionInfo } from '../../api/queries';
import { sparkStep, stateOf } from './rows';

const info = (active_version: number) => ({ active_version }) as FunctionInfo;

it('tells what a function is up to', () => {
  expect(stateOf(info(0), { idle: [1] }).kind).toBe('none');
  expect(stateOf(info(1))).toEqual({ kind: 'idle', sandboxes: 0 });
  expect(stateOf(info(1), { idle: [2, 0], busy: [0, 0] }).kind).toBe('idle');
  expect(stateOf(info(1), { idle: [0, 0.4], busy: [2, 1.2, null] })).toEqual({ kind: 'warm', sandboxes: 2 });
});

it('chooses steps for sparklines', () => {
  expect([900, 3600, 21_600, 86_400, 604_800].map(sparkStep)).toEqual([
    '30s',
    '120s',
    '600s',
    '1800s',
    '14400s',
  ]);
  expect(sparkStep(60 * 86_400)).toBe('103680s');
});
