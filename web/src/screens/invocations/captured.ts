// The captured request and reply of a call, and what can be made of them.
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { useMay } from '../../api/session';
import { curlOf } from '../../components/PageHeader';
import { type Invocation, quote } from './filters';

export interface CapturedBody {
  body: string;
  /** The body is that of bytes that aren't text. */
  base64: boolean;
  truncated: boolean;
  /** How long it was, all of it. */
  bytes: number;
}

export type Headers = Record<string, string[] | null>;

export interface Capture {
  invocation: string;
  function: string;
  version: number;
  request: CapturedBody & {
    /** http or json. */
    kind: string;
    http?: {
      method: string;
      /** Below /fn/{name}. */
      path: string;
      /** As it was sent. */
      raw_path: string;
      raw_query: string;
      headers: Headers | null;
    };
    /** What was taken out of the request. */
    redacted?: string[] | null;
  };
  reply?: (CapturedBody & { status: number; headers?: Headers | null }) | null;
  /** What was taken out of both: "header authorization", "body password". */
  redacted?: string[] | null;
}

/** What was kept of a call, for those who may see it; nothing is asked of calls of which nothing was kept. */
export function useCapture(i: Invocation) {
  const may = useMay('developer');
  return useQuery<Capture>({
    queryKey: ['invocations', 'capture', i.id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/invocations/{id}/capture', { params: { path: { id: i.id } }, signal })),
    enabled: may && !!i.captured,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The text of a body; null where it is bytes that aren't text. */
export function textOf(b: CapturedBody): string | null {
  if (!b.base64) return b.body;
  try {
    const bytes = Uint8Array.from(atob(b.body), (c) => c.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** JSON set out in lines; null for what isn't a document of JSON. */
export function prettyJSON(text: string): string | null {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

// What curl and proxies add by themselves.
const unsaid =
  /^(host|content-length|connection|accept-encoding|user-agent|x-forwarded-\w+|traceparent|tracestate)$/i;

/** The call as a curl command. */
export function curlOfCapture(name: string, c: Capture, isPublic: boolean): string {
  const r = c.request;
  const parts: string[] = [];
  const text = textOf(r);
  if (r.http) {
    if (r.http.method !== 'GET') parts.push(`-X ${r.http.method}`);
    for (const [header, values] of Object.entries(r.http.headers ?? {}))
      if (!unsaid.test(header) && !/^(authorization|cookie)$/i.test(header))
        for (const value of values ?? []) parts.push(`-H ${quote(`${header}: ${value}`)}`);
  } else parts.push('-X POST');
  if (text) parts.push(`--data-raw ${quote(text)}`);
  const path = r.http
    ? r.http.raw_path + (r.http.raw_query ? `?${r.http.raw_query}` : '')
    : `/api/v1/functions/${name}/invoke`;
  if (r.http && isPublic) return ['curl', ...parts, quote(location.origin + path)].join(' ');
  return curlOf(path, ...parts);
}
