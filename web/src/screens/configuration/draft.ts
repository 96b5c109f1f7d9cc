// The configuration as a form holds it, what differs from the server's, and the patch that makes it so.
import type { Schemas } from '../../api/client';
import type { FunctionInfo } from '../../api/queries';
import { parseDuration } from '../../components/format';
import { checkEnv, type EnvRow, envOf, rowsOf } from './env';
import {
  type Bounds,
  type Change,
  changesBetween,
  type Defaults,
  type Field,
  fieldOf,
  fields,
  sameValue,
  type Values,
  valuesOf,
} from './fields';

export interface CorsDraft {
  origins: string[];
  methods: string[];
  headers: string[];
  credentials: boolean;
  max_age: string;
}

export interface RouteDraft {
  id: string;
  /** "" is any. */
  method: string;
  path: string;
  /** As the function's, none, or its own. */
  cors: 'inherit' | 'none' | CorsDraft;
}

export interface Draft {
  values: Values;
  env: EnvRow[];
  public: boolean;
  routes: RouteDraft[];
  cors: CorsDraft | null;
}

export const emptyCors: CorsDraft = {
  origins: [],
  methods: [],
  headers: [],
  credentials: false,
  max_age: '',
};

const corsDraft = (c: Schemas['CORS']): CorsDraft => ({
  origins: c.origins ?? [],
  methods: c.methods ?? [],
  headers: c.headers ?? [],
  credentials: c.credentials ?? false,
  max_age: c.max_age && c.max_age !== '0s' ? c.max_age : '',
});

export function draftOf(info: FunctionInfo): Draft {
  return {
    values: info.version ? valuesOf(info.version) : {},
    env: rowsOf(info.version?.config.env),
    public: info.public,
    routes: (info.routes ?? []).map((r, i) => ({
      id: `was ${i}`,
      method: r.method ?? '',
      path: r.path,
      cors: !r.cors ? 'inherit' : (r.cors.origins ?? []).length === 0 ? 'none' : corsDraft(r.cors),
    })),
    cors: info.cors ? corsDraft(info.cors) : null,
  };
}

/** Empty fields mean the default. */
export function filled(values: Values, defaults: Defaults): Values {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      value.trim() === '' ? (fieldOf(key)?.usual?.(defaults) ?? '') : value.trim(),
    ]),
  );
}

function corsDocument(c: CorsDraft): Schemas['CORS'] {
  return {
    origins: c.origins,
    ...(c.methods.length > 0 && { methods: c.methods }),
    ...(c.headers.length > 0 && { headers: c.headers }),
    ...(c.credentials && { credentials: true }),
    ...(c.max_age.trim() && { max_age: c.max_age.trim() }),
  };
}

export function routeDocument(r: RouteDraft): Schemas['Route'] {
  return {
    path: r.path.trim(),
    ...(r.method && { method: r.method }),
    ...(r.cors === 'none' && { cors: { origins: [] } }),
    ...(typeof r.cors === 'object' && { cors: corsDocument(r.cors) }),
  };
}

/** "any origin", "https://a.example, GET, with credentials": a CORS in words. */
export function corsWords(c: CorsDraft | null): string {
  if (!c) return 'none';
  return [
    c.origins.includes('*') ? 'any origin' : c.origins.join(' '),
    c.methods.join(' '),
    c.headers.join(' '),
    c.credentials && 'with credentials',
    c.max_age && `for ${c.max_age}`,
  ]
    .filter(Boolean)
    .join(', ');
}

export function routeWords(r: RouteDraft): string {
  const cors = r.cors === 'inherit' ? '' : ` (CORS: ${r.cors === 'none' ? 'none' : corsWords(r.cors)})`;
  return `${r.method ? `${r.method} ` : ''}${r.path.trim()}${cors}`;
}

const routesWords = (rs: RouteDraft[]) => rs.map(routeWords).join('\n') || 'none';
const publicWords = (yes: boolean) => (yes ? 'public: anybody' : 'whoever has a key');

/** What differs between two drafts. Those of the function itself need no new version. */
export function draftChanges(before: Draft, after: Draft): { version: Change[]; function: Change[] } {
  const own: Change[] = [];
  const add = (key: string, label: string, a: string, b: string) => {
    if (a !== b) own.push({ key, label, before: a, after: b });
  };
  add('public', 'Who may call', publicWords(before.public), publicWords(after.public));
  add('routes', 'Routes', routesWords(before.routes), routesWords(after.routes));
  add('cors', 'CORS', corsWords(before.cors), corsWords(after.cors));
  return {
    version: changesBetween(before.values, after.values, envOf(before.env), envOf(after.env)),
    function: own,
  };
}

type Patch = Record<string, unknown>;

/** The merge patch (RFC 7396) that turns one draft into another, and whether it needs a new version. */
export function patchOf(before: Draft, after: Draft): { patch: Patch; deploys: boolean } {
  const patch: Patch = {};
  const changes = draftChanges(before, after);
  const env = envOf(after.env);
  for (const { key } of changes.version) {
    if (key.startsWith('env.')) {
      const name = key.slice(4);
      patch.env = { ...(patch.env as Patch), [name]: env[name] ?? null };
      continue;
    }
    const field = fieldOf(key)!;
    const text = after.values[key]!;
    const value =
      text === '' ? null : field.kind === 'whole' || field.kind === 'number' ? Number(text) : text;
    const [outer, inner] = key.split('.') as [string, string?];
    if (inner) patch[outer] = { ...(patch[outer] as Patch), [inner]: value };
    else patch[outer] = value;
  }
  for (const { key } of changes.function) {
    if (key === 'public') patch.public = after.public;
    if (key === 'routes') patch.routes = after.routes.map(routeDocument);
    if (key === 'cors') patch.cors = after.cors ? corsDocument(after.cors) : { origins: [] };
  }
  return { patch, deploys: changes.version.length > 0 };
}

/** What I changed since `base`, on top of what the others made of it. */
export function rebase(base: Draft, mine: Draft, theirs: Draft): Draft {
  const values: Values = { ...theirs.values };
  for (const field of fields) {
    const own = mine.values[field.key];
    const was = base.values[field.key];
    if (own !== undefined && was !== undefined && !sameValue(field, was, own)) values[field.key] = own;
  }
  const was = envOf(base.env);
  const own = envOf(mine.env);
  const env = { ...envOf(theirs.env) };
  for (const name of new Set([...Object.keys(was), ...Object.keys(own)]))
    if (was[name] !== own[name]) {
      if (own[name] === undefined) delete env[name];
      else env[name] = own[name];
    }
  const changed = new Set(draftChanges(base, mine).function.map((c) => c.key));
  return {
    values,
    env: rowsOf(env),
    public: changed.has('public') ? mine.public : theirs.public,
    routes: changed.has('routes') ? mine.routes : theirs.routes,
    cors: changed.has('cors') ? mine.cors : theirs.cors,
  };
}

/** What is wrong with a value, in the server's words; nothing if nothing is. */
export function checkValue(field: Field, text: string, bounds: Bounds, runtime = ''): string | undefined {
  const value = text.trim();
  const name = field.key.replace('limits.', '');
  if (value === '' || field.kind === 'choice' || field.kind === 'text') return undefined;
  const number = field.kind === 'duration' ? parseDuration(value) : Number(value);
  if (Number.isNaN(number))
    return field.kind === 'duration'
      ? `${JSON.stringify(value)} is not a duration: write it like "300ms", "3s" or "2m"`
      : `${name} can't be ${JSON.stringify(value)}: give it a number`;
  if (field.kind === 'whole' && !Number.isInteger(number))
    return `${name} can't be ${value}: give it a whole number`;
  const range = field.range?.(bounds);
  if (!range) return undefined;
  const end = (v: number | string) => (typeof v === 'string' ? parseDuration(v) : v);
  if (number < end(range.min) || number > end(range.max)) {
    const unit = field.unit === 'MiB' ? ' MiB' : '';
    const hint = field.key.startsWith('limits.')
      ? `give ${name} a value from ${range.min} to ${range.max}`
      : `use ${range.min} to ${range.max}`;
    return `${name} is ${value}${unit}, out of range: ${hint}`;
  }
  const least = bounds.min_memory[runtime];
  if (field.key === 'limits.memory' && least && number < least)
    return `memory is ${value} MiB, with which ${runtime} doesn't start: give it at least ${least}`;
  return undefined;
}

/** All that is wrong with a draft, by field ("env" and "routes" among them). */
export function checkDraft(draft: Draft, bounds: Bounds): Record<string, string> {
  const wrong: Record<string, string> = {};
  for (const [key, value] of Object.entries(draft.values)) {
    const field = fieldOf(key);
    const trouble = field && checkValue(field, value, bounds, draft.values.runtime);
    if (trouble) wrong[key] = trouble;
  }
  const env = checkEnv(draft.env, bounds.env_bytes);
  if (env) wrong.env = env;
  if (draft.routes.some((r) => !r.path.trim().startsWith('/')))
    wrong.routes = 'a route is not a path: start with /, and end with /* for everything below';
  else if (new Set(draft.routes.map((r) => `${r.method} ${r.path.trim()}`)).size < draft.routes.length)
    wrong.routes = 'a route is there twice: take one away';
  if (draft.cors && draft.cors.origins.length === 0)
    wrong.cors = 'cors names no origins: list origins like "https://app.example.org", or "*"';
  return wrong;
}

/** The field of the form that a problem of the server is about. */
export function fieldOfProblem(field: string | undefined): string | undefined {
  if (!field) return undefined;
  if (field.startsWith('route')) return 'routes';
  if (fieldOf(field) || ['env', 'cors', 'public'].includes(field)) return field;
  return fieldOf(`limits.${field}`) ? `limits.${field}` : undefined;
}
