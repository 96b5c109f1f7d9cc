import type { TestInput } from './run';

/** An event with nothing in it. */
export const emptyInput: TestInput = { kind: 'json', method: 'GET', path: '/', headers: [], body: '{}' };
