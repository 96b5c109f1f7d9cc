import { request } from '../../api/client';
import { fetchProblem, type Problem } from '../../api/problem';

/** What came of a call. */
export interface Answer {
  /** The id of the invocation, where it came so far. */
  id?: string;
  version?: string;
  start?: string;
  /** The reply as text; undefined if there was a problem. */
  body?: string;
  problem?: Problem;
  /** Seconds from here to there and back. */
  seconds: number;
}

/** Writes JSON so that people can read it; other texts stay as they are. */
export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Says what is wrong with an event; undefined if nothing is. An empty one is null. */
export function complaint(event: string): string | undefined {
  if (event.trim() === '') return;
  try {
    JSON.parse(event);
  } catch (error) {
    return error instanceof Error ? error.message : 'This is not JSON';
  }
}

/** Calls a function with an event of JSON. */
export async function invoke(name: string, event: string): Promise<Answer> {
  const began = performance.now();
  const took = () => (performance.now() - began) / 1000;
  try {
    const response = await request(`/api/v1/functions/${encodeURIComponent(name)}/invoke`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: event.trim() || undefined,
    });
    const body = await response.text();
    const header = (what: string) => response.headers.get(`X-Hearth-${what}`) ?? undefined;
    return {
      id: header('Invocation-Id'),
      version: header('Version'),
      start: header('Start'),
      body,
      seconds: took(),
    };
  } catch (error) {
    const problem = fetchProblem(error);
    return { id: problem.invocation, problem, seconds: took() };
  }
}
