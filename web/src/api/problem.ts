import type { components } from './schema';

export type ProblemDocument = components['schemas']['Problem'];

/** An error of the server, as its problem document (RFC 9457) tells it. */
export class Problem extends Error {
  readonly status: number;
  /** The stable name, such as not_found; "network" if there was no answer at all. */
  readonly code: string;
  readonly hint?: string;
  readonly field?: string;
  readonly errorType?: string;
  readonly trace?: string;
  readonly invocation?: string;

  constructor(doc: Partial<ProblemDocument>) {
    super(doc.detail || doc.title || 'The server answered with an error.');
    this.name = 'Problem';
    this.status = doc.status ?? 0;
    this.code = doc.code ?? 'unknown';
    this.hint = doc.hint;
    this.field = doc.field;
    this.errorType = doc.error_type;
    this.trace = doc.trace;
    this.invocation = doc.invocation;
  }

  /** Whether trying the very same again may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Makes a Problem of anything that was thrown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({ code: 'unknown', detail: error instanceof Error ? error.message : String(error) });
}

/** What went wrong with a fetch: without an answer it throws a TypeError. */
export function fetchProblem(error: unknown): Problem {
  return error instanceof TypeError
    ? new Problem({
        code: 'network',
        detail: "The server doesn't answer.",
        hint: 'Check that hearth serve still runs.',
      })
    : asProblem(error);
}

/** Reads the problem of an answer that isn't ok. */
export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    return new Problem({ ...(JSON.parse(text) as ProblemDocument), status: response.status });
  } catch {
    return new Problem({
      status: response.status,
      detail: text.slice(0, 300) || `The server answered ${response.status}.`,
    });
  }
}
