// Reads the server's OpenAPI document into what the reference shows.

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: boolean | Schema;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
  contentMediaType?: string;
}

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  schema?: Schema;
}

export interface Body {
  mediaType: string;
  schema: Schema;
}

export interface Answer {
  status: string;
  description: string;
  body?: Body;
  headers: { name: string; schema?: Schema; description?: string }[];
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  tag: string;
  summary: string;
  description?: string;
  role?: string;
  parameters: Parameter[];
  body?: Body & { required: boolean };
  answers: Answer[];
}

export interface Reference {
  title: string;
  version: string;
  description?: string;
  operations: Operation[];
  schemas: Record<string, Schema>;
}

interface Content {
  content?: Record<string, { schema?: Schema }>;
}

export interface Document {
  info: { title: string; version: string; description?: string };
  paths: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, Schema> };
}

interface RawOperation {
  operationId?: string;
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: Content & { required?: boolean };
  responses?: Record<
    string,
    Content & { description?: string; headers?: Record<string, { schema?: Schema; description?: string }> }
  >;
  'x-role'?: string;
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

/** The operations in the order of the document's paths, each path's reads before its changes. */
export function readDocument(doc: Document): Reference {
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(doc.paths))
    for (const method of methods) {
      const raw = item[method];
      if (!raw) continue;
      operations.push({
        id: raw.operationId ?? `${method} ${path}`,
        method: method.toUpperCase(),
        path,
        tag: raw.tags?.[0] ?? 'other',
        summary: raw.summary ?? '',
        description: raw.description,
        role: raw['x-role'],
        parameters: raw.parameters ?? [],
        body: raw.requestBody && {
          ...bodyOf(raw.requestBody)!,
          required: raw.requestBody.required ?? false,
        },
        answers: Object.entries(raw.responses ?? {}).map(([status, answer]) => ({
          status,
          description: answer.description ?? '',
          body: bodyOf(answer),
          headers: Object.entries(answer.headers ?? {}).map(([name, h]) => ({ name, ...h })),
        })),
      });
    }
  return { ...doc.info, operations, schemas: doc.components?.schemas ?? {} };
}

function bodyOf({ content }: Content): Body | undefined {
  const first = Object.entries(content ?? {})[0];
  return first && { mediaType: first[0], schema: first[1].schema ?? {} };
}

/** The operations under their tags, in the order in which tags first occur. */
export function byTag(operations: Operation[]): [tag: string, Operation[]][] {
  const tags = new Map<string, Operation[]>();
  for (const op of operations) tags.set(op.tag, [...(tags.get(op.tag) ?? []), op]);
  return [...tags];
}

/** The operations that a search finds: all its words occur in what names one. */
export function findOperations(operations: Operation[], search: string): Operation[] {
  const wanted = search.toLowerCase().split(/\s+/).filter(Boolean);
  return operations.filter((op) => {
    const text =
      `${op.method} ${op.path} ${op.id} ${op.summary} ${op.tag} ${op.parameters.map((p) => p.name).join(' ')}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

/** The name of a schema that others refer to, if it has one. */
export const refName = (schema: Schema): string | undefined => schema.$ref?.split('/').pop();

/** The schema itself, in place of a reference to it. */
export function resolve(schema: Schema, schemas: Record<string, Schema>): Schema {
  const name = refName(schema);
  return name ? { ...schemas[name], ...(schema.description && { description: schema.description }) } : schema;
}

/** "string", "list of Route", "text → string": a type as people say it. */
export function typeName(schema: Schema, schemas: Record<string, Schema>): string {
  const name = refName(schema);
  if (name) return name;
  const types = [schema.type ?? []].flat();
  const base = types.filter((t) => t !== 'null');
  const orNull = types.includes('null') && !base.includes('array') ? ' or null' : '';
  if (base.includes('array')) return `list of ${schema.items ? typeName(schema.items, schemas) : 'anything'}`;
  if (typeof schema.additionalProperties === 'object')
    return `names to ${typeName(schema.additionalProperties, schemas)}`;
  if (schema.format === 'date-time') return `time${orNull}`;
  if (schema.format === 'binary' || schema.contentMediaType) return 'bytes';
  return (base.join(' or ') || 'anything') + orNull;
}

/** What bounds a value, in words. */
export function boundsOf(schema: Schema): string {
  const words: string[] = [];
  const { minimum: min, maximum: max, minLength, maxLength } = schema;
  if (min !== undefined && max !== undefined) words.push(`${min} to ${max}`);
  else if (min !== undefined) words.push(`at least ${min}`);
  else if (max !== undefined) words.push(`at most ${max}`);
  if (maxLength !== undefined) words.push(`${minLength ?? 0} to ${maxLength} characters`);
  else if (minLength !== undefined) words.push(`at least ${minLength} characters`);
  if (schema.enum) words.push(`one of ${schema.enum.join(', ')}`);
  if (schema.default !== undefined) words.push(`${JSON.stringify(schema.default)} if not given`);
  return words.join(' · ');
}

/** The schema whose members are worth showing below: that of a list's items, for a list. */
export function membersOf(
  schema: Schema,
  schemas: Record<string, Schema>,
): { name?: string; schema: Schema } | null {
  const own = resolve(schema, schemas);
  if (own.properties) return { name: refName(schema), schema: own };
  if (own.items) return membersOf(own.items, schemas);
  if (typeof own.additionalProperties === 'object') return membersOf(own.additionalProperties, schemas);
  return null;
}

const examples: Record<string, unknown> = {
  name: 'hello',
  function: 'hello',
  number: 2,
  version: 2,
  runtime: 'python3.11',
  handler: 'main.handler',
  message: 'Say why',
  role: 'developer',
  user: 'ada',
  path: '/hello',
  method: 'GET',
  ttl: '720h',
  timeout: '3s',
  idle_chunk: '30s',
  keep_alive: '5m',
  wait: '5ms',
  max_age: '10m',
  memory: 256,
  cpu: 1,
  network: 'egress',
  on_disconnect: 'finish',
  capture: 'errors',
  sandbox: 'native',
  origins: ['https://app.example.org'],
  methods: ['GET', 'POST'],
  headers: ['X-Request-Id'],
  env: { GREETING: 'hello' },
};

/** A document that fits a schema; names that are known get values that make sense. */
export function exampleOf(schema: Schema, schemas: Record<string, Schema>, name = '', depth = 0): unknown {
  const own = resolve(schema, schemas);
  const types = [own.type ?? []].flat();
  if (Object.hasOwn(examples, name)) {
    const known = examples[name];
    const kind = Array.isArray(known) ? 'array' : typeof known === 'object' ? 'object' : typeof known;
    if (types.includes(kind) || (kind === 'number' && types.includes('integer'))) return known;
  }
  if (own.default !== undefined) return own.default;
  if (own.enum?.length) return own.enum[0];
  if (own.properties) {
    if (depth > 2) return {};
    return Object.fromEntries(
      Object.entries(own.properties).map(([key, member]) => [
        key,
        exampleOf(member, schemas, key, depth + 1),
      ]),
    );
  }
  if (types.includes('array'))
    return own.items && depth <= 2 ? [exampleOf(own.items, schemas, '', depth + 1)] : [];
  if (types.includes('integer') || types.includes('number')) return own.minimum ?? 1;
  if (types.includes('boolean')) return true;
  if (own.format === 'date-time') return '2026-01-31T12:00:00Z';
  if (types.includes('string')) return 'text';
  return {};
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A curl command for an operation on a server. The key comes from the environment: never a real one. */
export function curlFor(op: Operation, server: string, schemas: Record<string, Schema>): string {
  const path = op.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const schema = op.parameters.find((p) => p.name === name)?.schema ?? {};
    const example = Object.hasOwn(examples, name)
      ? examples[name]
      : schema.type === 'integer'
        ? 1
        : name.toUpperCase();
    return String(example);
  });
  const query = op.parameters
    .filter((p) => p.in === 'query' && p.required)
    .map((p) => `${p.name}=${encodeURIComponent(String(exampleOf(p.schema ?? {}, schemas, p.name)))}`);
  const lines = [`curl${op.method === 'GET' ? '' : ` -X ${op.method}`}`];
  if (op.answers.some((a) => a.body?.mediaType === 'text/event-stream')) lines[0] += ' -N';
  lines.push('-H "Authorization: Bearer $HEARTH_API_KEY"');
  if (op.body?.mediaType === 'multipart/form-data') lines.push(`-F config='{}'`, '-F code=@main.py');
  else if (op.body) {
    lines.push(`-H 'Content-Type: ${op.body.mediaType}'`);
    if (op.body.mediaType.includes('json'))
      lines.push(`-d ${quote(JSON.stringify(exampleOf(op.body.schema, schemas)))}`);
    else lines.push('--data-binary @file');
  }
  lines.push(quote(`${server}${path}${query.length ? `?${query.join('&')}` : ''}`));
  return lines.join(' \\\n  ');
}
