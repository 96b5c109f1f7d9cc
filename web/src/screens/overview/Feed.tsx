import { Skeleton, Stack } from '@mantine/core';
import { IconAlertTriangle, IconArrowBackUp, IconRocket, IconTrash } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useMemo } from 'react';
import { Link } from 'wouter';
import { api, type Schemas, unwrap } from '../../api/client';
import { formatCount, words } from '../../components/format';
import { outcomes } from '../../components/OutcomeBadge';
import { Nothing, Panel } from '../../components/Panel';
import { ErrorState } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { hasScreen, useInvocationsHref } from '../../hooks/useInvocationsHref';
import { useScreenHref } from '../../hooks/useScreenHref';
import { momentsOf, useTimeRange } from '../../hooks/useTimeRange';
import { usePolling } from '../../live/context';
import classes from './overview.module.css';

type ErrorGroup = Schemas['ErrorGroup'];

type Item =
  | { at: string; kind: 'deploy'; deploy: Schemas['Deploy'] }
  | { at: string; kind: 'error'; error: ErrorGroup };

/** What happened lately, the newest first. */
export function feedOf(deploys: Schemas['Deploy'][], errors: ErrorGroup[], most: number): Item[] {
  const items: Item[] = [
    ...deploys.map((deploy) => ({ at: deploy.at, kind: 'deploy' as const, deploy })),
    ...errors.map((error) => ({ at: error.last, kind: 'error' as const, error })),
  ];
  return items.sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, most);
}

/** Recent deploys and the failures of the range. */
export function Feed() {
  const deploys = useQuery({
    queryKey: ['deploys', 'recent'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/deploys', { params: { query: { limit: 8 } }, signal })),
    refetchInterval: usePolling(10_000, { streamed: true }),
  });
  const { range, key } = useTimeRange();
  const every = usePolling(5_000);
  const errors = useQuery({
    queryKey: ['errors', 'recent', key],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/errors', { params: { query: momentsOf(range) }, signal })),
    refetchInterval: range.name === 'custom' ? false : every,
    placeholderData: (before) => before,
  });
  const items = useMemo(
    () => feedOf(deploys.data?.items ?? [], errors.data?.items ?? [], 7),
    [deploys.data, errors.data],
  );
  return (
    <Panel title="Deploys and incidents" id="feed">
      {deploys.data === undefined && deploys.isError ? (
        <ErrorState error={deploys.error} retry={() => void deploys.refetch()} />
      ) : deploys.data === undefined ? (
        <Stack gap={8}>
          {[1, 2, 3, 4].map((n) => (
            <Skeleton key={n} height={44} />
          ))}
        </Stack>
      ) : items.length === 0 ? (
        <Nothing>Nothing was deployed yet</Nothing>
      ) : (
        <ol className={classes.feed}>
          {items.map((item) =>
            item.kind === 'deploy' ? (
              <Deployed key={item.deploy.id} deploy={item.deploy} />
            ) : (
              <Incident key={item.error.fingerprint + item.error.function} error={item.error} />
            ),
          )}
        </ol>
      )}
    </Panel>
  );
}

function Event({
  icon,
  tone,
  at,
  children,
}: {
  icon: ReactNode;
  tone?: string;
  at: string;
  children: ReactNode;
}) {
  return (
    <li className={classes.event}>
      <span className={classes.eventIcon} data-tone={tone} aria-hidden>
        {icon}
      </span>
      <div className={classes.eventText}>{children}</div>
      <span className={classes.when}>
        <RelativeTime at={at} />
      </span>
    </li>
  );
}

const icon = { size: 16, stroke: 1.8 } as const;

function Deployed({ deploy: d }: { deploy: Schemas['Deploy'] }) {
  const href = useScreenHref();
  const name =
    d.kind !== 'deleted' && hasScreen('/functions/:name') ? (
      <Link href={href(`/functions/${d.function}`)}>{d.function}</Link>
    ) : (
      <b>{d.function}</b>
    );
  const back = d.kind === 'activated' && d.version < d.from_version;
  return (
    <Event
      at={d.at}
      tone={d.kind === 'deployed' ? 'accent' : undefined}
      icon={
        d.kind === 'deleted' ? (
          <IconTrash {...icon} />
        ) : back ? (
          <IconArrowBackUp {...icon} />
        ) : (
          <IconRocket {...icon} />
        )
      }
    >
      {name}{' '}
      {d.kind === 'deleted'
        ? 'was deleted'
        : back
          ? `went back from v${d.from_version} to v${d.version}`
          : `v${d.version} ${d.kind}`}
      {d.by && <span className="soft"> by {d.by}</span>}
      {d.message && <div className={classes.eventMore}>{d.message}</div>}
    </Event>
  );
}

function Incident({ error: e }: { error: ErrorGroup }) {
  const callsHref = useInvocationsHref();
  const title = `${e.type || (outcomes[e.outcome]?.label ?? words(e.outcome))}${e.new_in ? ` (new in v${e.new_in})` : ''}`;
  return (
    <Event at={e.last} tone="bad" icon={<IconAlertTriangle {...icon} />}>
      <Link href={callsHref({ function: e.function, fingerprint: e.fingerprint })}>{title}</Link>{' '}
      <span className="soft">
        {formatCount(e.count)} × in {e.function}
      </span>
      <div className={classes.eventMore}>
        {e.message}
        {e.frame && ` — ${e.frame}`}
      </div>
    </Event>
  );
}
