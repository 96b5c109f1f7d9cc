// Calls a function as a test does, and keeps what came of it.

import { whenSignedOutNow } from '../api/client';
import { fetchProblem, Problem, problemOf } from '../api/problem';

export interface TestInput {
  kind: 'json' | 'http';
  /** http only. */
  method: string;
  /** http only: below the function's address, with its query. */
  path: string;
  /** http only. */
  headers: [string, string][];
  body: string;
}

export interface TestBody {
  /** null: it isn't text. */
  text: string | null;
  /** An image, as an address that holds it. */
  image?: string;
  bytes: number;
  type: string;
  /** There is more than is kept. */
  cut?: boolean;
}

/** Plain, so that it can be kept as JSON. */
export interface TestResult {
  /** Of the invocation; "" if none came to be, or the browser hides it. */
  id: string;
  at: number;
  /** Milliseconds, as the browser saw it. */
  took: number;
  status: number;
  headers: [string, string][];
  start: string;
  version: number;
  body: TestBody | null;
  problem: { code: string; message: string; hint?: string; trace?: string; errorType?: string } | null;
  input: TestInput;
}

/** Of a reply that is kept and shown. */
const shown = 256 << 10;

const bodiless = (method: string) => method === 'GET' || method === 'HEAD';

/** The request that a test makes. */
export function requestOf(
  name: string,
  input: TestInput,
  version?: number,
): { url: string; init: RequestInit } {
  if (input.kind === 'json')
    return {
      url: `/api/v1/functions/${name}/invoke${version ? `?version=${version}` : ''}`,
      init: { method: 'POST', body: input.body, headers: { 'Content-Type': 'application/json' } },
    };
  return {
    url: `/fn/${name}/${input.path.replace(/^\//, '')}`,
    init: {
      method: input.method,
      headers: input.headers.filter(([k]) => k.trim() !== ''),
      // A redirect would lead the browser away, maybe to another host.
      redirect: 'manual',
      ...(!bodiless(input.method) && input.body !== '' && { body: input.body }),
    },
  };
}

/** The same in a terminal; addresses of public functions need no key. */
export function commandsOf(
  name: string,
  input: TestInput,
  { open = false } = {},
): { cli?: string; curl: string } {
  const quote = (s: string) => `'${s.replaceAll("'", `'\\''`)}'`;
  const auth = `-H "Authorization: Bearer $HEARTH_API_KEY"`;
  const { url } = requestOf(name, input);
  const address = quote(location.origin + url);
  if (input.kind === 'json')
    return {
      cli: `hearth invoke ${name} -d ${quote(input.body || 'null')}`,
      curl: `curl ${auth} -d ${quote(input.body)} ${address}`,
    };
  const headers = input.headers.filter(([k]) => k).map(([k, v]) => `-H ${quote(`${k}: ${v}`)}`);
  const body = !bodiless(input.method) && input.body ? [`--data-raw ${quote(input.body)}`] : [];
  const method = input.method === 'GET' ? [] : [`-X ${input.method}`];
  return { curl: ['curl -i', ...method, ...(open ? [] : [auth]), ...headers, ...body, address].join(' ') };
}

/** Makes the call. It returns what came, be it a failure of the function; it throws only when aborted. */
export async function runTest(
  name: string,
  input: TestInput,
  options: { version?: number; signal?: AbortSignal } = {},
) {
  const { url, init } = requestOf(name, input, options.version);
  const at = Date.now();
  const started = performance.now();
  const result: TestResult = {
    id: '',
    at,
    took: 0,
    status: 0,
    headers: [],
    start: '',
    version: 0,
    body: null,
    problem: null,
    input,
  };
  const fail = (p: Problem) => {
    const { code, message, hint, trace, errorType } = p;
    result.problem = { code, message, hint, trace, errorType };
  };
  try {
    const reply = await fetch(url, { ...init, signal: options.signal });
    if (reply.type === 'opaqueredirect') {
      fail(
        new Problem({
          code: 'redirect',
          detail: 'The function answered with a redirect, which browsers don’t show to pages.',
          hint: 'See it with curl: Copy as → curl.',
        }),
      );
    } else {
      result.status = reply.status;
      result.id = reply.headers.get('X-Hearth-Invocation-Id') ?? '';
      result.start = reply.headers.get('X-Hearth-Start') ?? '';
      result.version = Number(reply.headers.get('X-Hearth-Version') ?? 0);
      result.headers = [...reply.headers]
        .map(([k, v]): [string, string] => [k.toLowerCase(), v])
        .filter(([k]) => !k.startsWith('x-hearth-'));
      const own = reply.headers.get('Content-Type')?.startsWith('application/problem+json') && !result.start;
      if (own) {
        const problem = await problemOf(reply);
        if (reply.status === 401) whenSignedOutNow();
        result.id ||= problem.invocation ?? '';
        fail(problem);
      } else
        result.body = bodyOf(
          new Uint8Array(await reply.arrayBuffer()),
          reply.headers.get('Content-Type') ?? '',
        );
    }
  } catch (error) {
    if (options.signal?.aborted) throw error;
    fail(fetchProblem(error));
  }
  result.took = performance.now() - started;
  return result;
}

/** A reply's body in the form that it can be shown in. */
export function bodyOf(bytes: Uint8Array, type: string): TestBody {
  const cut = bytes.length > shown;
  const body: TestBody = { text: null, bytes: bytes.length, type, ...(cut && { cut }) };
  if (/^image\/(png|jpeg|gif|webp|svg\+xml|avif)/.test(type) && !cut) {
    let binary = '';
    for (const b of bytes) binary += String.fromCharCode(b);
    body.image = `data:${type.split(';')[0]};base64,${btoa(binary)}`;
    if (!type.startsWith('image/svg')) return body;
  }
  try {
    // Not fatal at a cut, which may be within a character.
    body.text = new TextDecoder('utf-8', { fatal: !cut }).decode(bytes.subarray(0, shown));
  } catch {
    // no text
  }
  return body;
}

/** JSON, indented; null if it is none. */
export function pretty(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}
