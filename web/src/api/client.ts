// The REST API, typed from the server's own OpenAPI document. Use `unwrap` around every call: it gives
// the document, or throws a Problem.
import createClient from 'openapi-fetch';
import { fetchProblem, Problem, type ProblemDocument, problemOf } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

let onSignedOut = () => {};

/** Tells whom to call when the server no longer knows the session. */
export function whenSignedOut(act: () => void) {
  onSignedOut = act;
}

/** For calls that don't go through here: the server said that nobody is signed in. */
export const whenSignedOutNow = () => onSignedOut();

export const api = createClient<paths>({
  baseUrl: location.origin,
  // Looked up with each call, so that tests can put their own in its place.
  fetch: (request) => globalThis.fetch(request),
  querySerializer: { array: { style: 'form', explode: true } },
});

interface Reply<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Returns the document of a reply, or throws its Problem. */
export async function unwrap<T>(call: Promise<Reply<T>>): Promise<T> {
  let reply: Reply<T>;
  try {
    reply = await call;
  } catch (error) {
    throw fetchProblem(error);
  }
  if (reply.response.ok) return reply.data as T;
  if (reply.response.status === 401) onSignedOut();
  const doc = reply.error;
  throw typeof doc === 'object' && doc !== null
    ? new Problem({ ...(doc as ProblemDocument), status: reply.response.status })
    : new Problem({ status: reply.response.status, detail: String(doc ?? reply.response.statusText) });
}

/** fetch for what isn't a JSON document of the API; throws a Problem unless the answer is ok. */
export async function request(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw fetchProblem(error);
  }
  if (response.ok) return response;
  if (response.status === 401 && path.startsWith('/api/')) onSignedOut();
  throw await problemOf(response);
}

/** Whether the server has an operation at this path, as in "/api/v1/stream". */
export function offers(path: string): boolean {
  return __PATHS__.includes(path);
}
