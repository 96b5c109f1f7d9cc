// S9: an event to call the function with, and what came of it.
import {
  ActionIcon,
  Anchor,
  Button,
  Group,
  Menu,
  Modal,
  SegmentedControl,
  Select,
  Tabs,
  TextInput,
  Tooltip,
} from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  IconDeviceFloppy,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlus,
  IconTrash,
  IconX,
} from '@tabler/icons-react';
import { useEffect, useImperativeHandle, useRef, useState } from 'react';
import { useInvocation, useOutput } from '../api/calls';
import { asProblem } from '../api/problem';
import { useMay } from '../api/session';
import { inputOf, useDeleteTestEvent, useSaveTestEvent, useTestEvents } from '../api/testEvents';
import { LazyEditor } from '../code/LazyEditor';
import { innermost, type Location } from '../code/locations';
import { CodeBlock } from '../components/CodeBlock';
import { formatBytes, formatSeconds, formatTime, parseDuration } from '../components/format';
import { OutcomeBadge, StartBadge, Tag } from '../components/OutcomeBadge';
import { CopyCommand } from '../components/PageHeader';
import { PhaseBar } from '../components/PhaseBar';
import { useSessionState } from '../hooks/useSessionState';
import { diffLines } from './diff';
import { emptyInput } from './input';
import { commandsOf, pretty, runTest, type TestInput, type TestResult } from './run';
import classes from './TestPanel.module.css';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];
const kept = 12; // results

export interface TestHandle {
  run: () => void;
}

interface TestPanelProps {
  name: string;
  /** The event to begin with, where none is kept. */
  initial?: TestInput;
  /** The paths of the function's files, to find places of errors in. */
  paths: string[];
  onLocate?: (at: Location) => void;
  /** Versions that can be called, newest first, and the one that serves. */
  versions?: number[];
  active?: number;
  /** Said above the button, as of changes that aren't deployed. */
  note?: React.ReactNode;
  ref?: React.Ref<TestHandle>;
}

export function TestPanel(props: TestPanelProps) {
  const { name, initial, paths, onLocate, versions = [], active, note, ref } = props;
  const [input, setInput] = useSessionState<TestInput | null>(`hearth.test.${name}`, null);
  const [event, setEvent] = useSessionState<string | null>(`hearth.test.${name}.event`, null);
  const [results, setResults] = useSessionState<TestResult[]>(`hearth.results.${name}`, []);
  const [shown, setShown] = useState(0);
  const [version, setVersion] = useState<string | null>(null);
  const [saving, setSaving] = useState(false);
  const running = useRef<AbortController | null>(null);
  const [busy, setBusy] = useState(false);
  const events = useTestEvents(name);
  const mayRun = useMay('developer');
  const forget = useDeleteTestEvent(name);

  const items = events.data?.items ?? [];
  const first = items[0];
  const now = input ?? (first ? inputOf(first) : undefined) ?? initial ?? emptyInput;
  const chosen = event ?? (input === null ? (first?.name ?? null) : null);
  const change = (part: Partial<TestInput>) => setInput({ ...now, ...part });
  useEffect(() => () => running.current?.abort(), []);

  const run = async () => {
    if (busy || !mayRun) return;
    const controller = new AbortController();
    running.current = controller;
    setBusy(true);
    try {
      const result = await runTest(name, now, {
        version: version ? Number(version) : undefined,
        signal: controller.signal,
      });
      setResults((before) => [trimmed(result), ...before].slice(0, kept));
      setShown(0);
    } catch {
      // stopped by the user
    } finally {
      setBusy(false);
    }
  };
  useImperativeHandle(ref, () => ({ run: () => void run() }));

  const result = results[shown];
  return (
    <section className={classes.panel} aria-label="Test">
      <div className={classes.bar}>
        <Select
          size="xs"
          aria-label="Test event"
          placeholder="An event that isn’t kept"
          data={items.map((e) => e.name)}
          value={items.some((e) => e.name === chosen) ? chosen : null}
          onChange={(value) => {
            const found = items.find((e) => e.name === value);
            if (!found) return;
            setEvent(found.name);
            setInput(inputOf(found));
          }}
          style={{ flex: '1 1 9rem' }}
          allowDeselect={false}
        />
        {mayRun && (
          <>
            <Tooltip label="Keep this event with the function">
              <ActionIcon aria-label="Keep this event" onClick={() => setSaving(true)}>
                <IconDeviceFloppy size={17} stroke={1.6} />
              </ActionIcon>
            </Tooltip>
            {chosen && items.some((e) => e.name === chosen) && (
              <Tooltip label="Forget this event">
                <ActionIcon
                  aria-label={`Forget the event ${chosen}`}
                  onClick={() => {
                    setInput(now);
                    setEvent(null);
                    forget.mutate(chosen);
                  }}
                >
                  <IconTrash size={17} stroke={1.6} />
                </ActionIcon>
              </Tooltip>
            )}
          </>
        )}
        <CopyCommand {...commandsOf(name, now)} />
      </div>
      <div className={classes.input}>
        <Group gap="xs" wrap="nowrap">
          <SegmentedControl
            size="xs"
            aria-label="Kind of event"
            value={now.kind}
            onChange={(kind) =>
              change({
                kind: kind as TestInput['kind'],
                ...(kind === 'json' && now.body === '' && { body: '{}' }),
              })
            }
            data={[
              { value: 'json', label: 'JSON' },
              { value: 'http', label: 'HTTP' },
            ]}
          />
          {now.kind === 'json' && versions.length > 1 && (
            <Select
              size="xs"
              aria-label="Version"
              data={versions.map((v) => ({
                value: String(v),
                label: `v${v}${v === active ? ' (serves)' : ''}`,
              }))}
              value={version ?? String(active ?? '')}
              onChange={(v) => setVersion(v === String(active) ? null : v)}
              w={120}
              allowDeselect={false}
            />
          )}
        </Group>
        {now.kind === 'http' && <HttpInput value={now} onChange={change} />}
        {(now.kind === 'json' || (now.method !== 'GET' && now.method !== 'HEAD')) && (
          <div className={classes.body}>
            <LazyEditor
              plain
              path={now.kind === 'json' ? 'event.json' : 'body.txt'}
              value={now.body}
              label={now.kind === 'json' ? 'The event' : 'The body'}
              onChange={(body) => change({ body })}
              onRun={run}
            />
          </div>
        )}
        {note}
        <Group justify="flex-end" mt="xs" gap="xs">
          {busy && (
            <Button
              size="xs"
              variant="default"
              leftSection={<IconPlayerStop size={15} />}
              onClick={() => running.current?.abort()}
            >
              Stop
            </Button>
          )}
          <Tooltip label={mayRun ? 'Ctrl-Enter' : 'Viewers can’t call functions'}>
            <Button
              size="xs"
              leftSection={<IconPlayerPlay size={15} />}
              onClick={run}
              loading={busy}
              disabled={!mayRun}
            >
              Test
            </Button>
          </Tooltip>
        </Group>
      </div>
      <div className={classes.result} aria-live="polite" id="test-result">
        {result ? (
          <Result name={name} result={result} before={results[shown + 1]} paths={paths} onLocate={onLocate} />
        ) : (
          <div className={classes.none}>
            Test the function, and see here what it answers, how long it took and what it printed.
          </div>
        )}
        {results.length > 1 && (
          <>
            <h3 className={classes.section}>History</h3>
            <div className={classes.history}>
              {results.map((r, i) => (
                <button
                  type="button"
                  key={`${r.at} ${r.id}`}
                  className={classes.past}
                  aria-pressed={i === shown}
                  onClick={() => setShown(i)}
                >
                  <span className="num">{formatTime(r.at, { date: false, millis: false })}</span>
                  <span>{r.problem ? r.problem.code.replaceAll('_', ' ') : `status ${r.status}`}</span>
                  <span className="soft num">{formatSeconds(r.took / 1000)}</span>
                  <span className="soft">
                    {r.input.kind === 'http' ? `${r.input.method} ${r.input.path}` : 'JSON'}
                  </span>
                </button>
              ))}
            </div>
            <Group justify="flex-end">
              <Button
                size="compact-xs"
                variant="subtle"
                color="gray"
                onClick={() => {
                  setResults([]);
                  setShown(0);
                }}
              >
                Clear
              </Button>
            </Group>
          </>
        )}
      </div>
      {saving && (
        <SaveEvent
          name={name}
          input={now}
          suggestion={chosen ?? ''}
          onClose={() => setSaving(false)}
          onSaved={(saved) => {
            setEvent(saved);
            setInput(now);
          }}
        />
      )}
    </section>
  );
}

/** What of a result is kept over a reload. */
function trimmed(r: TestResult): TestResult {
  const body =
    r.body?.text && r.body.text.length > 32 << 10
      ? { ...r.body, text: r.body.text.slice(0, 32 << 10), cut: true }
      : r.body;
  return { ...r, body: body?.image && body.image.length > 256 << 10 ? { ...body, image: undefined } : body };
}

function HttpInput({ value, onChange }: { value: TestInput; onChange: (part: Partial<TestInput>) => void }) {
  const headers = value.headers;
  const setHeader = (i: number, header: [string, string]) =>
    onChange({ headers: headers.map((h, j) => (j === i ? header : h)) });
  return (
    <>
      <Group gap={4} wrap="nowrap" mt="xs">
        <Select
          size="xs"
          aria-label="Method"
          data={methods}
          value={value.method}
          onChange={(method) => method && onChange({ method })}
          w={96}
          allowDeselect={false}
        />
        <TextInput
          size="xs"
          aria-label="Path and query"
          placeholder="/items?q=1"
          value={value.path}
          onChange={(event) => onChange({ path: event.currentTarget.value })}
          className="mono"
          style={{ flex: 1 }}
        />
        <Menu position="bottom-end" shadow="md">
          <Menu.Target>
            <ActionIcon aria-label="Add a header">
              <IconPlus size={16} stroke={1.6} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {[
              'Content-Type: application/json',
              'Content-Type: text/plain',
              'Accept: application/json',
              'Header…',
            ].map((preset) => (
              <Menu.Item
                key={preset}
                onClick={() => {
                  const [k = '', v = ''] = preset.split(': ');
                  onChange({ headers: [...headers, preset === 'Header…' ? ['', ''] : [k, v]] });
                }}
              >
                {preset}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      </Group>
      {headers.map(([k, v], i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: headers have no other identity while they are typed
        <div key={i} className={classes.header}>
          <TextInput
            size="xs"
            aria-label={`Name of header ${i + 1}`}
            value={k}
            onChange={(event) => setHeader(i, [event.currentTarget.value, v])}
          />
          <TextInput
            size="xs"
            aria-label={`Value of header ${i + 1}`}
            value={v}
            onChange={(event) => setHeader(i, [k, event.currentTarget.value])}
          />
          <ActionIcon
            aria-label={`Remove header ${k || i + 1}`}
            onClick={() => onChange({ headers: headers.filter((_, j) => j !== i) })}
          >
            <IconX size={15} />
          </ActionIcon>
        </div>
      ))}
    </>
  );
}

/** What came of a call. */
export function Result({
  name,
  result,
  before,
  paths,
  onLocate,
}: {
  name: string;
  result: TestResult;
  before?: TestResult;
  paths: string[];
  onLocate?: (at: Location) => void;
}) {
  const record = useInvocation(result.id).data;
  const output = useOutput(result.id);
  const text = result.body?.text ?? null;
  const indented = text === null ? null : pretty(text);
  const earlier = before?.body?.text ?? null;
  const error = record?.error;
  const trace = error?.trace ?? result.problem?.trace;
  const place = onLocate ? innermost(trace, paths) : null;
  const seconds = record ? parseDuration(record.duration) : result.took / 1000;
  return (
    <>
      <div className={classes.facts}>
        {record ? (
          <OutcomeBadge outcome={record.outcome} />
        ) : result.problem ? (
          <Tag tone="bad">{result.problem.code.replaceAll('_', ' ')}</Tag>
        ) : null}
        {result.status > 0 && (
          <Tag tone={result.status >= 400 ? 'warn' : 'neutral'}>HTTP {result.status}</Tag>
        )}
        {(record?.start || result.start) && <StartBadge start={record?.start || result.start} />}
        <b className="num">{formatSeconds(seconds)}</b>
        {record?.usage && (
          <>
            <span className="soft" title="CPU time, as the kernel counts it">
              CPU <span className="num">{formatSeconds(parseDuration(record.usage.cpu))}</span>
            </span>
            <span className="soft" title="The most memory that its sandbox had used">
              peak <span className="num">{formatBytes(record.usage.memory_peak)}</span>
            </span>
          </>
        )}
        {(record?.version || result.version > 0) && (
          <span className="soft">v{record?.version || result.version}</span>
        )}
      </div>
      {record && <PhaseBar value={record.phases} legend />}
      {(error || result.problem) && (
        <div className={classes.problem} style={{ marginTop: '0.75rem' }}>
          <b>
            {[error?.type ?? result.problem?.errorType, error?.message ?? result.problem?.message]
              .filter(Boolean)
              .join(': ')}
          </b>
          {(error?.hint ?? result.problem?.hint) && <div>{error?.hint ?? result.problem?.hint}</div>}
          {place && (
            <div>
              <Anchor component="button" type="button" size="sm" onClick={() => onLocate!(place)}>
                Go to {place.path}, line {place.line}
              </Anchor>
            </div>
          )}
        </div>
      )}
      <Tabs defaultValue="reply" mt="xs" keepMounted={false} key={result.at}>
        <Tabs.List>
          <Tabs.Tab value="reply">{result.problem ? 'Trace' : 'Reply'}</Tabs.Tab>
          {indented !== null && <Tabs.Tab value="raw">Raw</Tabs.Tab>}
          <Tabs.Tab value="output">Output{output.data?.length ? ` (${output.data.length})` : ''}</Tabs.Tab>
          {result.headers.length > 0 && <Tabs.Tab value="headers">Headers</Tabs.Tab>}
          {text !== null && earlier !== null && <Tabs.Tab value="diff">Diff</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="reply" pt="xs">
          {result.body?.image ? (
            <img className={classes.image} src={result.body.image} alt={`The reply of ${name}`} />
          ) : result.problem ? (
            <CodeBlock text={trace || result.problem.message} wrap label="Copy the trace" />
          ) : text === null ? (
            <div className={classes.none}>
              {result.body
                ? `${formatBytes(result.body.bytes)} of ${result.body.type || 'bytes'}, which isn’t text`
                : 'Nothing'}
            </div>
          ) : (
            <CodeBlock text={(indented ?? text) || '(empty)'} wrap label="Copy the reply" />
          )}
          {result.body?.cut && (
            <div className="soft">Cut: the reply has {formatBytes(result.body.bytes)}.</div>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="raw" pt="xs">
          <CodeBlock text={text ?? ''} wrap label="Copy the reply" />
        </Tabs.Panel>
        <Tabs.Panel value="output" pt="xs">
          {output.data?.length ? (
            <CodeBlock text={output.data.map((l) => l.text).join('\n')} wrap label="Copy the output" />
          ) : (
            <div className={classes.none}>{output.isLoading ? 'Reading…' : 'It printed nothing.'}</div>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="headers" pt="xs">
          <CodeBlock
            text={result.headers.map(([k, v]) => `${k}: ${v}`).join('\n')}
            wrap
            label="Copy the headers"
          />
        </Tabs.Panel>
        <Tabs.Panel value="diff" pt="xs">
          {earlier !== null && text !== null && (
            <Diff before={pretty(earlier) ?? earlier} after={indented ?? text} />
          )}
        </Tabs.Panel>
      </Tabs>
    </>
  );
}

function Diff({ before, after }: { before: string; after: string }) {
  if (before === after) return <div className={classes.none}>The same as the result before.</div>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={classes.diff} tabIndex={0} aria-label="What differs from the result before">
      {diffLines(before, after).map((line, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines of a diff have no other identity
        <div key={i} data-kind={line.kind}>
          {{ same: '  ', gone: '− ', new: '+ ' }[line.kind]}
          {line.text}
        </div>
      ))}
    </section>
  );
}

function SaveEvent({
  name,
  input,
  suggestion,
  onClose,
  onSaved,
}: {
  name: string;
  input: TestInput;
  suggestion: string;
  onClose: () => void;
  onSaved: (event: string) => void;
}) {
  const [event, setEvent] = useState(suggestion);
  const save = useSaveTestEvent(name);
  return (
    <Modal opened onClose={onClose} title="Keep this event" size="sm">
      <form
        onSubmit={async (e) => {
          e.preventDefault();
          try {
            await save.mutateAsync({ event: event.trim(), input });
            onSaved(event.trim());
            notifications.show({ message: `“${event.trim()}” is kept with ${name}` });
            onClose();
          } catch {
            // shown at the field
          }
        }}
      >
        <TextInput
          label="Name"
          description="Everybody who sees the function can use it. A known name replaces that event."
          placeholder="an order of two lamps"
          value={event}
          onChange={(e) => setEvent(e.currentTarget.value)}
          error={
            save.error &&
            [asProblem(save.error).message, asProblem(save.error).hint].filter(Boolean).join(' — ')
          }
          data-autofocus
        />
        <Group justify="flex-end" mt="md">
          <Button type="submit" disabled={event.trim() === ''} loading={save.isPending}>
            Keep it
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
