import { Alert, Button, Group } from '@mantine/core';
import { IconUsers } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import type { FunctionInfo } from '../../api/queries';
import { RelativeTime } from '../../components/values';
import { ChangeTable } from './ChangeTable';
import classes from './Configuration.module.css';
import { type Draft, draftChanges, draftOf } from './draft';

/** Tells that somebody changed the function while it was edited here: who, what, and what can be done. */
export function StaleAlert({
  base,
  mine,
  latest,
  by,
  onTheirs,
  onMine,
}: {
  /** What the edit began with. */
  base: FunctionInfo;
  mine: Draft;
  latest: FunctionInfo;
  /** Who made the last change, if the live stream told it. */
  by?: string;
  onTheirs: () => void;
  onMine: () => void;
}) {
  const deploys = useQuery({
    queryKey: ['deploys', base.name, 'since', base.updated_at],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/v1/deploys', {
          params: { query: { function: base.name, from: base.updated_at, limit: 10 } },
          signal,
        }),
      ),
  });
  const since = (deploys.data?.items ?? []).filter(
    (d) => new Date(d.at).getTime() > new Date(base.updated_at).getTime(),
  );
  const from = draftOf(base);
  const theirs = draftChanges(from, draftOf(latest));
  const own = draftChanges(from, mine);
  const changes = [...theirs.version, ...theirs.function];
  const mineToo = new Set([...own.version, ...own.function].map((c) => c.key));
  const both = changes.filter((c) => mineToo.has(c.key));
  const who = by ?? since[0]?.by ?? 'Somebody';
  return (
    <Alert
      color="yellow"
      icon={<IconUsers size={19} />}
      title={`${who} changed ${base.name} while you were editing`}
      id="stale"
      mb="lg"
      role="alert"
    >
      {since.length > 0 && (
        <ul className={classes.since}>
          {since.map((d) => (
            <li key={d.id}>
              {d.by} {d.kind === 'activated' ? 'let version' : 'deployed version'} {d.version}
              {d.kind === 'activated' && ' serve'} <RelativeTime at={d.at} />
              {d.message && `: ${d.message}`}
            </li>
          ))}
        </ul>
      )}
      {changes.length > 0 ? (
        <ChangeTable
          label="What they changed"
          changes={changes}
          before="When you began"
          after="Now"
          mayReveal
        />
      ) : (
        <p className={classes.none}>The configuration is the same as before; the code may be another.</p>
      )}
      {both.length > 0 && (
        <p>
          <b>You changed {both.map((c) => c.label).join(', ')} too</b>: keeping your changes overwrites theirs
          there.
        </p>
      )}
      <Group mt="sm">
        <Button variant="default" onClick={onTheirs} id="take-theirs">
          Reload, drop my changes
        </Button>
        <Button onClick={onMine} id="keep-mine">
          Keep my changes on top
        </Button>
      </Group>
    </Alert>
  );
}
