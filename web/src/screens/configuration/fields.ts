// What a version's configuration is made of, in the order and words in which people see it.
import type { Schemas } from '../../api/client';
import type { Version } from '../../api/queries';
import { parseDuration } from '../../components/format';

export type Bounds = Schemas['Bounds'];
export type Defaults = Schemas['Defaults'];

export type Group = 'resources' | 'scaling' | 'behaviour' | 'code';

export interface Field {
  /** The member of the configuration, as a patch names it: "limits.memory". */
  key: string;
  label: string;
  group: Group;
  kind: 'whole' | 'number' | 'duration' | 'choice' | 'text';
  unit?: string;
  about: string;
  /** The server's range for it. */
  range?: (bounds: Bounds) => { min: number | string; max: number | string };
  /** What the server's default is; nothing, where there is none. */
  usual?: (defaults: Defaults) => string;
  /** The value that means: as the server says. */
  server?: string;
  choices?: { value: string; label: string }[];
}

const config = (of: (c: Defaults['config']) => unknown) => (d: Defaults) => String(of(d.config) ?? '');

export const fields: Field[] = [
  {
    key: 'limits.memory',
    label: 'Memory',
    group: 'resources',
    kind: 'whole',
    unit: 'MiB',
    about: 'Of each sandbox, without swap; beyond it the sandbox is killed.',
    range: (b) => b.memory,
    usual: config((c) => c.limits.memory),
  },
  {
    key: 'limits.cpu',
    label: 'CPU',
    group: 'resources',
    kind: 'number',
    unit: 'cores',
    about: 'The most that a sandbox may use.',
    range: (b) => b.cpu,
    usual: config((c) => c.limits.cpu),
  },
  {
    key: 'limits.timeout',
    label: 'Time-out',
    group: 'resources',
    kind: 'duration',
    about: 'Of one call, waiting for a place not counted.',
    range: (b) => b.timeout,
    usual: config((c) => c.limits.timeout),
  },
  {
    key: 'limits.idle_chunk',
    label: 'Silence in a stream',
    group: 'resources',
    kind: 'duration',
    about: 'The longest pause between chunks of a streamed reply.',
    range: (b) => b.idle_chunk,
    usual: config((c) => c.limits.idle_chunk),
  },
  {
    key: 'limits.pids',
    label: 'Processes',
    group: 'resources',
    kind: 'whole',
    about: 'Processes and threads of a sandbox.',
    range: (b) => b.pids,
    usual: config((c) => c.limits.pids),
  },
  {
    key: 'limits.tmp',
    label: 'Space in /tmp',
    group: 'resources',
    kind: 'whole',
    unit: 'MiB',
    about: 'Counts as memory.',
    range: (b) => b.tmp,
    usual: config((c) => c.limits.tmp),
  },
  {
    key: 'concurrency',
    label: 'Calls in a sandbox',
    group: 'scaling',
    kind: 'whole',
    about: 'At once. More than one for handlers that wait, such as async ones.',
    range: (b) => b.concurrency,
    usual: config((c) => c.concurrency),
  },
  {
    key: 'max_scale',
    label: 'Sandboxes at most',
    group: 'scaling',
    kind: 'whole',
    about: '0: as many as the server has room for.',
    range: (b) => b.max_scale,
    usual: config((c) => c.max_scale),
    server: '0',
  },
  {
    key: 'min_warm',
    label: 'Sandboxes kept warm',
    group: 'scaling',
    kind: 'whole',
    about: 'Ready even when nobody calls. 0: scales to zero.',
    range: (b) => b.min_warm,
    usual: config((c) => c.min_warm),
  },
  {
    key: 'keep_alive',
    label: 'Keep-alive',
    group: 'scaling',
    kind: 'duration',
    about: 'Idle time before a sandbox is let go. 0s: as the server says.',
    range: (b) => b.keep_alive,
    usual: () => '0s',
    server: '0s',
  },
  {
    key: 'batch.size',
    label: 'Batch size',
    group: 'scaling',
    kind: 'whole',
    about: 'Calls given to the handler together, as a list. 0: one by one.',
    range: (b) => b.batch_size,
    usual: () => '0',
  },
  {
    key: 'batch.wait',
    label: 'Batch wait',
    group: 'scaling',
    kind: 'duration',
    about: 'The longest that a call waits for others to join it.',
    range: (b) => b.batch_wait,
    usual: () => '0s',
  },
  {
    key: 'network',
    label: 'Network',
    group: 'behaviour',
    kind: 'choice',
    about: 'What the function may reach.',
    usual: config((c) => c.network),
    choices: [
      { value: 'none', label: 'none: nothing' },
      { value: 'egress', label: 'egress: the internet, nothing of the host' },
    ],
  },
  {
    key: 'on_disconnect',
    label: 'When the caller leaves',
    group: 'behaviour',
    kind: 'choice',
    about: 'What becomes of a call that nobody waits for any more.',
    usual: config((c) => c.on_disconnect),
    choices: [
      { value: 'cancel', label: 'cancel: it ends' },
      { value: 'finish', label: 'finish: it runs to its end' },
    ],
  },
  {
    key: 'capture',
    label: 'Capture',
    group: 'behaviour',
    kind: 'choice',
    about: 'Which requests and replies are kept to look at and to replay; secrets are taken out.',
    usual: config((c) => c.capture || 'errors'),
    choices: [
      { value: 'off', label: 'off: none' },
      { value: 'errors', label: 'errors: of calls that fail' },
      { value: 'sampled', label: 'sampled: also of a share of the others' },
    ],
  },
  {
    key: 'runtime',
    label: 'Runtime',
    group: 'code',
    kind: 'choice',
    about: 'The language and its version.',
  },
  {
    key: 'handler',
    label: 'Handler',
    group: 'code',
    kind: 'text',
    about: 'Module and function, as in main.handler.',
  },
  {
    key: 'sandbox',
    label: 'Sandbox',
    group: 'code',
    kind: 'choice',
    about: 'The technology that isolates it.',
    usual: (d) => d.sandbox,
  },
];

export const fieldOf = (key: string): Field | undefined => fields.find((f) => f.key === key);

/** Values of fields by key, as a form holds them. */
export type Values = Record<string, string>;

/** The values of a version. */
export function valuesOf(version: Version): Values {
  const c = version.config;
  return {
    'limits.memory': String(c.limits.memory ?? ''),
    'limits.cpu': String(c.limits.cpu ?? ''),
    'limits.timeout': c.limits.timeout ?? '',
    'limits.idle_chunk': c.limits.idle_chunk ?? '',
    'limits.pids': String(c.limits.pids ?? ''),
    'limits.tmp': String(c.limits.tmp ?? ''),
    concurrency: String(c.concurrency),
    max_scale: String(c.max_scale),
    min_warm: String(c.min_warm),
    keep_alive: c.keep_alive,
    'batch.size': String(c.batch.size ?? 0),
    'batch.wait': c.batch.wait ?? '0s',
    network: c.network,
    on_disconnect: c.on_disconnect || 'cancel',
    capture: c.capture || 'errors',
    runtime: version.runtime,
    handler: version.handler,
    sandbox: version.sandbox,
  };
}

/** Whether two values of a field mean the same: "60s" is "1m0s". */
export function sameValue(field: Field, a: string, b: string): boolean {
  if (a === b) return true;
  if (field.kind === 'duration') return parseDuration(a) === parseDuration(b);
  if (field.kind === 'whole' || field.kind === 'number')
    return a.trim() !== '' && b.trim() !== '' && Number(a) === Number(b);
  return false;
}

/** "128 MiB", "none", "10s": a value with its unit. */
export function withUnit(field: Field, value: string): string {
  if (!value) return '–';
  return field.unit ? `${value} ${field.unit}` : value;
}

export interface Change {
  key: string;
  label: string;
  before?: string;
  after?: string;
  /** A value of the environment: hidden until asked for. */
  secret?: boolean;
}

/** What differs between two configurations, environment included. */
export function changesBetween(
  before: Values,
  after: Values,
  envBefore: Record<string, string> = {},
  envAfter: Record<string, string> = {},
): Change[] {
  const changes: Change[] = [];
  for (const field of fields) {
    const a = before[field.key];
    const b = after[field.key];
    if (a === undefined && b === undefined) continue;
    if (a !== undefined && b !== undefined && sameValue(field, a, b)) continue;
    changes.push({
      key: field.key,
      label: field.label,
      before: a === undefined ? undefined : withUnit(field, a),
      after: b === undefined ? undefined : withUnit(field, b),
    });
  }
  for (const name of [...new Set([...Object.keys(envBefore), ...Object.keys(envAfter)])].sort())
    if (envBefore[name] !== envAfter[name])
      changes.push({
        key: `env.${name}`,
        label: name,
        before: envBefore[name],
        after: envAfter[name],
        secret: true,
      });
  return changes;
}
