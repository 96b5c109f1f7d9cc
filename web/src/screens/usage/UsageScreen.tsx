// What functions used in the range of time, and the memory that they would do with.
import { Button, Group, Modal, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconReceipt } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { changed } from '../../api/changed';
import { api, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { useFunctions } from '../../api/queries';
import { useMay } from '../../api/session';
import { type FunctionUsage, useUsage } from '../../api/usage';
import { type Column, DataTable } from '../../components/DataTable';
import { formatBytes, formatCount, formatSeconds, parseDuration } from '../../components/format';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, QueryState } from '../../components/states';
import { useScreenHref } from '../../hooks/useScreenHref';
import { rangeFlags, useTimeRange } from '../../hooks/useTimeRange';
import { saving, savings } from './saving';
import classes from './usage.module.css';

/** GB-seconds, CPU seconds: small ones matter too. */
const amount = (n: number) => (n > 0 && n < 0.01 ? '<0.01' : formatCount(Number(n.toPrecision(3))));

interface Row extends FunctionUsage {
  /** Whether it is the version that serves: only its memory can be set. */
  serves: boolean;
}

function Name({ row }: { row: Row }) {
  const href = useScreenHref();
  return (
    <>
      <Link
        href={href(`/functions/${row.function}/metrics`, { version: String(row.version) })}
        className={classes.name}
      >
        {row.function}
      </Link>
      <span className={classes.sub}>
        v{row.version}
        {row.serves ? '' : row.memory_limit > 0 ? ', not serving' : ', deleted'}
      </span>
    </>
  );
}

function columnsOf(apply: ((row: Row) => void) | null): Column<Row>[] {
  return [
    { key: 'function', title: 'Function', sort: (r) => r.function, render: (r) => <Name row={r} /> },
    {
      key: 'requests',
      title: 'Requests',
      width: 96,
      from: 'sm',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.requests,
      render: (r) => <span className="num">{r.requests.toLocaleString('en')}</span>,
    },
    {
      key: 'cpu',
      title: 'CPU-s',
      width: 90,
      from: 'sm',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.cpu_seconds,
      render: (r) => (
        <span className="num" title={formatSeconds(r.cpu_seconds)}>
          {amount(r.cpu_seconds)}
        </span>
      ),
    },
    {
      key: 'gbs',
      title: 'GB-s',
      width: 84,
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.gb_seconds,
      render: (r) => <span className="num">{amount(r.gb_seconds)}</span>,
    },
    {
      key: 'p95',
      title: 'p95 of time-out',
      width: 150,
      from: 'lg',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.duration_p95,
      render: (r) => (
        <span className="num">
          {formatSeconds(r.duration_p95)}
          {parseDuration(r.timeout) > 0 && (
            <span className="soft"> of {formatSeconds(parseDuration(r.timeout))}</span>
          )}
        </span>
      ),
    },
    {
      key: 'memory',
      title: 'Memory peak',
      width: 180,
      from: 'md',
      align: 'right',
      greatestFirst: true,
      sort: (r) => (r.memory_limit ? r.memory_peak / r.memory_limit : null),
      render: (r) => {
        if (!r.memory_peak) return <span className="soft">not measured</span>;
        const share = r.memory_limit ? r.memory_peak / r.memory_limit : 0;
        return (
          <span className="num" title={`99 of 100 calls stayed below ${formatBytes(r.memory_p99)}`}>
            {formatBytes(r.memory_peak)}
            {r.memory_limit > 0 && <span className="soft"> of {formatBytes(r.memory_limit)}</span>}
            <span className={classes.bar} aria-hidden>
              <i style={{ width: `${Math.min(100, share * 100)}%` }} data-high={share > 0.9 || undefined} />
            </span>
          </span>
        );
      },
    },
    {
      key: 'advice',
      title: 'Advice',
      width: 'clamp(122px, 24vw, 310px)',
      greatestFirst: true,
      sort: saving,
      render: (r) => {
        if (!r.suggestion)
          return (
            <span className="soft" title="Nothing should change, or too little is known yet">
              none
            </span>
          );
        return (
          <Group gap="xs" wrap="nowrap">
            <Text size="sm" className="mantine-visible-from-sm" truncate title={r.suggestion.text}>
              {r.suggestion.text.replace(/: set \d+$/, '')}
            </Text>
            {apply && r.serves && (
              <Button
                size="compact-xs"
                variant="light"
                style={{ flex: 'none' }}
                onClick={() => apply(r)}
                aria-label={`Set ${r.suggestion.memory_mib} MiB for ${r.function}`}
              >
                Set {r.suggestion.memory_mib} MiB
              </Button>
            )}
          </Group>
        );
      },
    },
  ];
}

export default function UsageScreen() {
  const { range } = useTimeRange();
  const usage = useUsage();
  const functions = useFunctions();
  const may = useMay('developer');
  const [chosen, choose] = useState<Row | null>(null);
  const apply = useCallback((row: Row) => choose(row), []);
  const columns = useMemo(() => columnsOf(may ? apply : null), [may, apply]);
  const rows = useMemo<Row[]>(() => {
    const active = new Map(functions.data?.map((f) => [f.name, f.active_version]));
    return (usage.data?.functions ?? []).map((u) => ({ ...u, serves: active.get(u.function) === u.version }));
  }, [usage.data, functions.data]);
  return (
    <>
      <PageHeader
        title="Usage"
        about="What functions used in this range of time, and what they would need"
        cli={`hearth usage ${rangeFlags(range)}`}
        curl="/api/v1/usage"
      />
      <QueryState query={usage}>
        {(data) =>
          rows.length === 0 ? (
            <div id="empty">
              <EmptyState title="Nothing was used" icon={<IconReceipt size={22} stroke={1.6} />}>
                No function was called in this range of time.
              </EmptyState>
            </div>
          ) : (
            <>
              <dl className={classes.totals} id="totals">
                {[
                  ['Requests', data.total.requests.toLocaleString('en')],
                  ['CPU-seconds', amount(data.total.cpu_seconds)],
                  ['GB-seconds', amount(data.total.gb_seconds)],
                  ['Advice would have saved', `${amount(Math.max(0, savings(data.functions)))} GB-s`],
                ].map(([label, value]) => (
                  <div key={label}>
                    <dt>{label}</dt>
                    <dd className="num">{value}</dd>
                  </div>
                ))}
              </dl>
              <div id="usage">
                <DataTable
                  label="Usage"
                  columns={columns}
                  rows={rows}
                  rowKey={(r) => `${r.function}@${r.version}`}
                  rowHeight={56}
                  sort="-gbs"
                />
              </div>
            </>
          )
        }
      </QueryState>
      <Apply row={chosen} close={() => choose(null)} />
    </>
  );
}

/** Asks before it sets the memory that is suggested. */
function Apply({ row, close }: { row: Row | null; close: () => void }) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  if (!row?.suggestion) return null;
  const mebibytes = row.suggestion.memory_mib;
  const run = async () => {
    setBusy(true);
    try {
      const deployed = await unwrap(
        api.PATCH('/api/v1/functions/{name}/config', {
          params: { path: { name: row.function } },
          headers: { 'Content-Type': 'application/merge-patch+json' },
          body: { limits: { memory: mebibytes }, message: `memory: ${row.suggestion!.text}` },
        }),
      );
      notifications.show({
        message: `${row.function} v${deployed.version.number} serves with ${mebibytes} MiB`,
      });
      close();
    } catch (error) {
      const { message, hint } = asProblem(error);
      notifications.show({ color: 'red', title: message, message: hint });
    } finally {
      setBusy(false);
      changed(queries);
      void queries.invalidateQueries({ queryKey: ['usage'] });
    }
  };
  return (
    <Modal opened onClose={close} title={`Set the memory of ${row.function}?`}>
      <Text>
        From {formatBytes(row.memory_limit)} to <b>{mebibytes} MiB</b>: {row.suggestion.text}.
      </Text>
      <Text className="soft" mt="xs" size="sm">
        It is deployed as a new version with the same code, and serves when its first sandbox is ready. A call
        that needs more memory than that fails.
      </Text>
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button loading={busy} onClick={() => void run()} data-autofocus>
          Set {mebibytes} MiB
        </Button>
      </Group>
    </Modal>
  );
}
