// Everything about one call: what went wrong, where its time went, what it wrote, what came in and went out.
import { Button, Group, Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBookmark, IconCopy, IconRepeat } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { useFunctions } from '../../api/queries';
import { useMay } from '../../api/session';
import { CopyIcon } from '../../components/CodeBlock';
import { formatBytes, formatSeconds, formatTime, parseDuration, words } from '../../components/format';
import { OutcomeBadge, StartBadge } from '../../components/OutcomeBadge';
import { curlOf } from '../../components/PageHeader';
import { ErrorState, SkeletonRows } from '../../components/states';
import { Bytes, Duration, RelativeTime } from '../../components/values';
import { useScreenHref } from '../../hooks/useScreenHref';
import { CallLogs } from '../logs/CallLogs';
import { CapturePart } from './CapturePart';
import { curlOfCapture, useCapture } from './captured';
import { gbSeconds, type Invocation, memoryShare } from './filters';
import classes from './InvocationDetail.module.css';
import { ReplayResult, useReplay } from './Replay';
import { SaveEvent } from './SaveEvent';
import { StackTrace } from './StackTrace';
import { Waterfall } from './Waterfall';

/** One call by its id. `row` is shown until it is read. */
export function useInvocation(id: string, row?: Invocation) {
  return useQuery({
    queryKey: ['invocations', 'one', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/invocations/{id}', { params: { path: { id } }, signal })),
    placeholderData: row,
    staleTime: 60_000,
    retry: (n, error) => n < 3 && (asProblem(error).passing || asProblem(error).status === 404),
  });
}

export function InvocationDetail({ id, row }: { id: string; row?: Invocation }) {
  const query = useInvocation(id, row);
  if (query.data) return <Detail key={id} of={query.data} />;
  if (query.error) return <ErrorState error={query.error} retry={() => void query.refetch()} />;
  return <SkeletonRows rows={6} />;
}

function Detail({ of: i }: { of: Invocation }) {
  const href = useScreenHref();
  const trace = i.trace_id;
  const share = memoryShare(i);
  const replay = useReplay(i.id);
  return (
    <article className={classes.detail} id="invocation" data-id={i.id}>
      <div className={classes.head}>
        <Group gap="xs" wrap="wrap">
          <OutcomeBadge outcome={i.outcome} />
          <StartBadge start={i.start} />
          <span className="soft">
            {formatTime(i.at)} · <RelativeTime at={i.at} />
          </span>
        </Group>
        <Actions of={i} replay={replay} />
      </div>
      <ReplayResult replay={replay} />

      {i.error && (
        <section className={classes.error} aria-label="Error">
          <h3>
            {i.error.type ? `${i.error.type}: ` : ''}
            {i.error.message}
          </h3>
          {i.error.hint && <p>{i.error.hint}</p>}
          {i.fingerprint && (
            <p>
              <Link
                href={href('/invocations', { fingerprint: i.fingerprint, function: i.function, range: '7d' })}
              >
                All calls with this error
              </Link>
            </p>
          )}
          {i.error.trace && <StackTrace trace={i.error.trace} name={i.function} version={i.version} />}
        </section>
      )}

      <Part title="Time" aside={<Duration value={i.duration} />}>
        <Waterfall of={i} />
      </Part>

      <Part title="Output">
        <CallLogs id={i.id} error={!!i.error} />
      </Part>

      <Part title="Request and reply">
        <CapturePart of={i} />
      </Part>

      <Part title="Usage">
        <dl className={classes.facts}>
          <Fact name="CPU">{i.usage ? <Duration value={i.usage.cpu} /> : 'shared with other calls'}</Fact>
          <Fact name="Peak memory">
            {i.usage ? (
              <>
                <Bytes value={i.usage.memory_peak} />
                {share !== null && (
                  <>
                    <span className="soft num">
                      {' '}
                      of {formatBytes(i.memory_limit)} ({Math.round(share * 100)} %)
                    </span>
                    <span className={classes.meter} aria-hidden>
                      <i
                        data-near={share >= 0.9 || undefined}
                        style={{ width: `${Math.min(100, share * 100)}%` }}
                      />
                    </span>
                  </>
                )}
              </>
            ) : (
              'shared with other calls'
            )}
          </Fact>
          <Fact name="GB-seconds">
            <span className="num">{gbSeconds(i).toPrecision(3)}</span>
          </Fact>
          <Fact name="Request">
            <Bytes value={i.request_bytes} />
          </Fact>
          <Fact name="Reply">
            <Bytes value={i.reply_bytes} />
          </Fact>
        </dl>
      </Part>

      <Part title="Facts">
        <dl className={classes.facts}>
          <Fact name="Function">
            <Link href={href('/invocations', { function: i.function })}>{i.function}</Link>
          </Fact>
          <Fact name="Version">
            <Link href={href('/invocations', { function: i.function, version: String(i.version) })}>
              v{i.version}
            </Link>
          </Fact>
          <Fact name="Status">{i.status || '–'}</Fact>
          <Fact name="Trigger">
            {i.trigger === 'http' ? 'HTTP route' : i.trigger === 'api' ? 'API' : words(i.trigger)}
            {i.replay_of && (
              <>
                {' '}
                of <Link href={href(`/invocations/${i.replay_of}`)}>an earlier call</Link>
              </>
            )}
          </Fact>
          <Fact name="Caller">{i.caller || 'the public'}</Fact>
          <Fact name="Id" copy={i.id}>
            <span className="mono">{i.id}</span>
          </Fact>
          {i.sandbox && (
            <Fact name="Sandbox" copy={i.sandbox}>
              <span className="mono">{i.sandbox}</span>
            </Fact>
          )}
          {trace && (
            <Fact name="Trace" copy={trace}>
              <span className="mono">{trace}</span>
            </Fact>
          )}
          {i.fingerprint && (
            <Fact name="Fingerprint" copy={i.fingerprint}>
              <span className="mono">{i.fingerprint}</span>
            </Fact>
          )}
        </dl>
      </Part>
    </article>
  );
}

function Part({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes.part}>
      <div className={classes.partHead}>
        <h3>{title}</h3>
        {aside}
      </div>
      {children}
    </section>
  );
}

function Fact({ name, copy, children }: { name: string; copy?: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {children}
        {copy && <CopyIcon value={copy} label={`Copy the ${name.toLowerCase()}`} />}
      </dd>
    </div>
  );
}

function Actions({ of: i, replay }: { of: Invocation; replay: ReturnType<typeof useReplay> }) {
  const may = useMay('developer');
  const capture = useCapture(i);
  const functions = useFunctions();
  const [saving, setSaving] = useState(false);
  const isPublic = functions.data?.find((f) => f.name === i.function)?.public ?? false;
  const copy = (text: string) => {
    const show = (title: string) => notifications.show({ title, message: text });
    navigator.clipboard?.writeText(text).then(
      () => show('Copied'),
      () => show('Copy it from here'),
    ) ?? show('Copy it from here');
  };
  const kept = capture.data;
  return (
    <Group gap="xs">
      {may && (
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconRepeat size={15} stroke={1.8} />}
          loading={replay.isPending}
          disabled={!i.captured}
          title={i.captured ? undefined : 'Its request was not kept'}
          onClick={() => replay.mutate(false)}
        >
          Replay
        </Button>
      )}
      {may && kept && (
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconBookmark size={15} stroke={1.8} />}
          onClick={() => setSaving(true)}
        >
          Save as test event
        </Button>
      )}
      <Menu position="bottom-end" width={230}>
        <Menu.Target>
          <Button variant="default" size="compact-sm" leftSection={<IconCopy size={15} stroke={1.8} />}>
            Copy
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {kept && (
            <Menu.Item onClick={() => copy(curlOfCapture(i.function, kept, isPublic))}>
              The call as curl
            </Menu.Item>
          )}
          <Menu.Item onClick={() => copy(`hearth invocations ${i.id}`)}>Command line</Menu.Item>
          <Menu.Item onClick={() => copy(curlOf(`/api/v1/invocations/${i.id}`))}>
            This record with curl
          </Menu.Item>
          <Menu.Item onClick={() => copy(i.id)}>The id</Menu.Item>
          <Menu.Item onClick={() => copy(`${location.origin}/ui/invocations/${i.id}`)}>
            A link to this page
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {kept && <SaveEvent of={i} capture={kept} opened={saving} onClose={() => setSaving(false)} />}
    </Group>
  );
}

/** Its name as a title. */
export const titleOf = (i: Invocation | undefined): string =>
  i ? `${i.function} v${i.version} · ${formatSeconds(parseDuration(i.duration))}` : 'Invocation';
