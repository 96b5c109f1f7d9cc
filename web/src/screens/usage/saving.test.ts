import { expect, it } from 'vitest';
import type { FunctionUsage } from '../../api/usage';
import { saving, savings } from './saving';

const usage = (limit: number, gbs: number, suggested?: number) =>
  ({
    memory_limit: limit * 2 ** 20,
    gb_seconds: gbs,
    suggestion: suggested ? { memory_mib: suggested, text: '' } : null,
  }) as FunctionUsage;

it('tells what another memory limit would have saved', () => {
  expect(saving(usage(512, 100, 128))).toBe(75);
  expect(saving(usage(128, 100, 256))).toBe(-100);
  expect(saving(usage(128, 100))).toBeNull();
  expect(saving(usage(0, 0, 64))).toBeNull();
  expect(savings([usage(512, 100, 128), usage(128, 5)])).toBe(75);
});
