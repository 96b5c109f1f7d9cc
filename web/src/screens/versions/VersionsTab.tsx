import { ActionIcon, Button, Group, Select, Skeleton, Tooltip } from '@mantine/core';
import {
  IconArrowBackUp,
  IconArrowLeft,
  IconFlame,
  IconGitCompare,
  IconPlayerPlay,
  IconRocket,
  IconTrash,
} from '@tabler/icons-react';
import { useMemo } from 'react';
import { Link, useLocation } from 'wouter';
import { useFunction, type Version } from '../../api/queries';
import { useMay } from '../../api/session';
import { CopyIcon } from '../../components/CodeBlock';
import { type Column, DataTable } from '../../components/DataTable';
import { Tag } from '../../components/OutcomeBadge';
import { CopyCommand } from '../../components/PageHeader';
import { Panel } from '../../components/Panel';
import { EmptyState, QueryState } from '../../components/states';
import { Bytes, RelativeTime } from '../../components/values';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useUrlState } from '../../hooks/useUrlState';
import { CompareView } from './CompareView';
import { useDeploys, useServe, useVersions, useWarm } from './queries';
import classes from './Versions.module.css';

/** The versions of a function: what serves, what served, and what differs. */
export default function VersionsTab({ params }: { params: Record<string, string> }) {
  const name = params.name!;
  const versions = useVersions(name);
  return (
    <QueryState query={versions}>
      {(list) =>
        list.length === 0 ? (
          <EmptyState title="No versions" icon={<IconRocket size={22} stroke={1.6} />}>
            Each deploy makes one: <code className="mono">hearth deploy . --name {name}</code>
          </EmptyState>
        ) : (
          <Versions name={name} versions={list} />
        )
      }
    </QueryState>
  );
}

function Versions({ name, versions }: { name: string; versions: Version[] }) {
  const fn = useFunction(name);
  const active = fn.data?.active_version ?? 0;
  const [left] = useUrlState('left');
  const [right] = useUrlState('right');
  const by = (text: string) => versions.find((v) => v.number === Number(text));
  if (left && right)
    return <Compare name={name} versions={versions} left={by(left)} right={by(right)} active={active} />;
  return (
    <>
      <Serving name={name} versions={versions} active={active} />
      <List name={name} versions={versions} active={active} />
      <History name={name} />
    </>
  );
}

/** What will happen when a version takes over, in words. */
function willHappen(to: number, active: number, warm: number): string {
  const first =
    warm > 0
      ? `It has ${warm === 1 ? 'a warm sandbox' : `${warm} warm sandboxes`}, so nobody waits.`
      : 'None of its sandboxes is warm: the first call is a cold start.';
  const then = active > 0 ? ` Calls in flight end on version ${active}, which stays.` : '';
  return `Version ${to} takes all new calls at once. ${first}${then}`;
}

/** The version that serves, and the way back to the one before. */
function Serving({ name, versions, active }: { name: string; versions: Version[]; active: number }) {
  const may = useMay('developer');
  const warm = useWarm(name);
  const serve = useServe(name);
  const current = versions.find((v) => v.number === active);
  const before = versions.find((v) => v.number < active);
  const last = current ? before : versions[0];
  return (
    <Panel
      title={current ? `Version ${active} serves` : 'No version serves'}
      id="serving"
      about={
        current && (
          <>
            Deployed <RelativeTime at={current.created_at} /> by {current.created_by}
            {current.message && `: ${current.message}`}
          </>
        )
      }
      actions={
        <>
          <CopyCommand
            cli={last ? `hearth rollback ${name} ${last.number}` : `hearth versions ${name}`}
            curl={`/api/v1/functions/${name}/versions`}
          />
          {may && last && (
            <Button
              leftSection={<IconArrowBackUp size={17} stroke={1.7} />}
              loading={serve.isPending}
              onClick={() => serve.mutate({ to: last.number, from: active })}
              aria-describedby="what-happens"
              id="rollback"
            >
              {current ? `Roll back to version ${last.number}` : `Let version ${last.number} serve`}
            </Button>
          )}
        </>
      }
    >
      <p className={classes.happens} id="what-happens">
        {last
          ? willHappen(last.number, active, warm.data?.get(last.number) ?? 0)
          : 'It is the first: there is none to go back to.'}
      </p>
    </Panel>
  );
}

function List({ name, versions, active }: { name: string; versions: Version[]; active: number }) {
  const may = useMay('developer');
  const href = useScreenHref();
  const [, navigate] = useLocation();
  const warm = useWarm(name);
  const serve = useServe(name);
  const here = `/functions/${name}/versions`;
  const compareWith = (v: Version) => {
    const other =
      v.number === active
        ? versions.find((x) => x.number < active)
        : (versions.find((x) => x.number === active) ?? versions.find((x) => x.number !== v.number));
    if (!other) return null;
    const [a, b] = [v.number, other.number].sort((x, y) => x - y);
    return href(here, { left: String(a), right: String(b) });
  };
  const columns: Column<Version>[] = [
    {
      key: 'number',
      title: 'Version',
      width: 165,
      greatestFirst: true,
      sort: (v) => v.number,
      render: (v) => (
        <Group gap={6} wrap="nowrap">
          <b>v{v.number}</b>
          {v.number === active && <Tag tone="accent">active</Tag>}
          <Warm count={warm.data?.get(v.number) ?? 0} />
        </Group>
      ),
    },
    {
      key: 'message',
      title: 'Message',
      from: 'sm',
      render: (v) =>
        v.message ? <span title={v.message}>{v.message}</span> : <span className="soft">–</span>,
    },
    {
      key: 'by',
      title: 'By',
      width: 110,
      from: 'md',
      sort: (v) => v.created_by,
      render: (v) => v.created_by,
    },
    {
      key: 'at',
      title: 'Made',
      width: 115,
      from: 'sm',
      greatestFirst: true,
      sort: (v) => v.created_at,
      render: (v) => <RelativeTime at={v.created_at} />,
    },
    {
      key: 'size',
      title: 'Code',
      width: 90,
      from: 'lg',
      align: 'right',
      greatestFirst: true,
      sort: (v) => v.code_bytes,
      render: (v) => <Bytes value={v.code_bytes} />,
    },
    {
      key: 'digest',
      title: 'Digest',
      width: 150,
      from: 'lg',
      render: (v) => (
        <Group gap={2} wrap="nowrap">
          <span className="mono soft" title={v.code_digest}>
            {v.code_digest.replace('sha256:', '').slice(0, 10)}
          </span>
          <CopyIcon value={v.code_digest} label={`Copy the digest of version ${v.number}`} />
        </Group>
      ),
    },
    {
      key: 'actions',
      title: 'Actions',
      width: may ? 135 : 85,
      align: 'right',
      render: (v) => {
        const to = compareWith(v);
        return (
          <Group gap={4} justify="flex-end" wrap="nowrap">
            {to && (
              <Tooltip label="Compare">
                <ActionIcon component={Link} href={to} aria-label={`Compare version ${v.number}`}>
                  <IconGitCompare size={17} stroke={1.6} />
                </ActionIcon>
              </Tooltip>
            )}
            {may && v.number !== active && (
              <Tooltip label={willHappen(v.number, active, warm.data?.get(v.number) ?? 0)} multiline w={280}>
                <Button
                  size="compact-sm"
                  variant="default"
                  data-serve={v.number}
                  aria-label={`Let version ${v.number} serve`}
                  loading={serve.isPending && serve.variables?.to === v.number}
                  onClick={() => serve.mutate({ to: v.number, from: active })}
                >
                  Serve
                </Button>
              </Tooltip>
            )}
          </Group>
        );
      },
    },
  ];
  return (
    <div className={classes.list} id="versions">
      <DataTable
        label="Versions"
        columns={columns}
        rows={versions}
        rowKey={(v) => String(v.number)}
        sort="-number"
        onOpen={(v) => {
          const to = compareWith(v);
          if (to) navigate(to);
        }}
      />
    </div>
  );
}

function Warm({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <Tag
      icon={<IconFlame size={13} stroke={2} aria-hidden />}
      title={`${count} warm: sandboxes that are ready`}
    >
      {count}
      <span className="visually-hidden"> warm</span>
    </Tag>
  );
}

const kinds: Record<string, { icon: typeof IconRocket; text: string }> = {
  deployed: { icon: IconRocket, text: 'deployed' },
  activated: { icon: IconPlayerPlay, text: 'let serve' },
  deleted: { icon: IconTrash, text: 'deleted' },
};

/** What served when, and who wanted it. */
function History({ name }: { name: string }) {
  const deploys = useDeploys(name);
  const items = deploys.data?.pages.flatMap((page) => page.items ?? []) ?? [];
  return (
    <div className={classes.history}>
      <Panel
        title="History"
        about="Deploys and rollbacks, newest first."
        id="history"
        actions={<CopyCommand curl={`/api/v1/deploys?function=${name}`} />}
      >
        {deploys.isPending ? (
          <Skeleton height={120} aria-label="Loading" />
        ) : items.length === 0 ? (
          <span className="soft">
            {deploys.error ? 'It can’t be read now.' : 'Nothing since the history began.'}
          </span>
        ) : (
          <>
            <ol className={classes.events}>
              {items.map((d) => {
                const kind = kinds[d.kind];
                const Icon = kind?.icon ?? IconRocket;
                return (
                  <li key={d.id}>
                    <Icon size={17} stroke={1.7} aria-hidden />
                    <div>
                      {d.kind === 'deleted' ? (
                        <b>The function was deleted</b>
                      ) : (
                        <>
                          <b>Version {d.version}</b> {kind?.text ?? d.kind}
                        </>
                      )}
                      {d.from_version > 0 && d.from_version !== d.version && (
                        <span className="soft"> in place of {d.from_version}</span>
                      )}
                      <span className="soft"> by {d.by}</span>
                      {d.message && <div className={classes.message}>{d.message}</div>}
                    </div>
                    <span className="soft">
                      <RelativeTime at={d.at} />
                    </span>
                  </li>
                );
              })}
            </ol>
            {deploys.hasNextPage && (
              <Button
                variant="default"
                mt="sm"
                loading={deploys.isFetchingNextPage}
                onClick={() => void deploys.fetchNextPage()}
              >
                Earlier
              </Button>
            )}
          </>
        )}
      </Panel>
    </div>
  );
}

/** Two versions beside each other; which ones is in the address. */
function Compare({
  name,
  versions,
  left,
  right,
  active,
}: {
  name: string;
  versions: Version[];
  left?: Version;
  right?: Version;
  active: number;
}) {
  const href = useScreenHref();
  const [, navigate] = useLocation();
  const here = `/functions/${name}/versions`;
  const options = useMemo(
    () =>
      versions.map((v) => ({
        value: String(v.number),
        label: `v${v.number}${v.number === active ? ' · active' : ''}${v.message ? ` · ${v.message}` : ''}`,
      })),
    [versions, active],
  );
  const show = (a: number | string, b: number | string) =>
    navigate(href(here, { left: String(a), right: String(b) }), { replace: true });
  useKeys([{ keys: 'Escape', label: 'All versions', run: () => navigate(href(here)) }]);
  return (
    <>
      <Link href={href(here)} className={classes.back}>
        <IconArrowLeft size={16} stroke={1.7} aria-hidden /> All versions
      </Link>
      <div className={classes.choice}>
        <Select
          label="Before"
          data={options}
          value={left ? String(left.number) : null}
          onChange={(v) => v && show(v, right?.number ?? v)}
          allowDeselect={false}
          searchable
        />
        <Select
          label="After"
          data={options}
          value={right ? String(right.number) : null}
          onChange={(v) => v && show(left?.number ?? v, v)}
          allowDeselect={false}
          searchable
        />
        {left && right && (
          <Button variant="default" onClick={() => show(right.number, left.number)}>
            Swap
          </Button>
        )}
      </div>
      {left && right ? (
        <CompareView name={name} before={left} after={right} />
      ) : (
        <EmptyState title="There is no such version">Choose two of those that there are.</EmptyState>
      )}
    </>
  );
}
