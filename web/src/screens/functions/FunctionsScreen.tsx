import { Box, TextInput } from '@mantine/core';
import { IconSearch, IconWorld } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef } from 'react';
import { api, unwrap } from '../../api/client';
import { type FunctionInfo, type FunctionMetrics, useFunctions } from '../../api/queries';
import { CodeBlock } from '../../components/CodeBlock';
import { type Column, DataTable } from '../../components/DataTable';
import { formatRate, formatSeconds, formatShare, parseDuration } from '../../components/format';
import { Tag } from '../../components/OutcomeBadge';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, QueryState } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { useKeys } from '../../hooks/useKeys';
import { useUrlState } from '../../hooks/useUrlState';
import { usePolling } from '../../live/context';

interface Row {
  info: FunctionInfo;
  metrics?: FunctionMetrics;
}

const columns: Column<Row>[] = [
  {
    key: 'name',
    title: 'Function',
    sort: (r) => r.info.name,
    render: ({ info }) => (
      <>
        <b>{info.name}</b> {info.public && <IconWorld size={14} aria-label="public" />}
      </>
    ),
  },
  {
    key: 'runtime',
    title: 'Runtime',
    width: 140,
    from: 'sm',
    sort: (r) => r.info.version?.runtime,
    render: ({ info }) => (info.version ? <Tag>{info.version.runtime}</Tag> : '–'),
  },
  {
    key: 'version',
    title: 'Version',
    width: 90,
    from: 'md',
    align: 'right',
    sort: (r) => r.info.active_version,
    render: ({ info }) => (info.active_version ? `v${info.active_version}` : '–'),
  },
  {
    key: 'rate',
    title: 'Calls',
    width: 100,
    align: 'right',
    greatestFirst: true,
    sort: (r) => r.metrics?.rate,
    render: ({ metrics }) => (metrics?.invocations ? formatRate(metrics.rate) : '–'),
  },
  {
    key: 'errors',
    title: 'Errors',
    width: 90,
    align: 'right',
    greatestFirst: true,
    sort: (r) => (r.metrics?.invocations ? r.metrics.errors / r.metrics.invocations : null),
    render: ({ metrics }) => (metrics?.invocations ? formatShare(metrics.errors / metrics.invocations) : '–'),
  },
  {
    key: 'p50',
    title: 'p50',
    width: 100,
    from: 'sm',
    align: 'right',
    greatestFirst: true,
    sort: (r) => (r.metrics?.invocations ? parseDuration(r.metrics.p50) : null),
    render: ({ metrics }) => (metrics?.invocations ? formatSeconds(parseDuration(metrics.p50)) : '–'),
  },
  {
    key: 'deployed',
    title: 'Deployed',
    width: 130,
    from: 'md',
    align: 'right',
    greatestFirst: true,
    sort: (r) => r.info.version?.created_at,
    render: ({ info }) => <RelativeTime at={info.version?.created_at} />,
  },
];

export default function FunctionsScreen() {
  const functions = useFunctions();
  const metrics = useQuery({
    queryKey: ['metrics', 'summary'],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/metrics', { params: { query: { span: '5m' } }, signal })),
    refetchInterval: usePolling(2_000),
  });
  const [filter, setFilter] = useUrlState('filter');
  const search = useRef<HTMLInputElement>(null);
  useKeys([{ keys: '/', label: 'Filter', run: () => search.current?.focus() }]);
  const rows = useMemo(() => {
    const by = new Map(metrics.data?.functions?.map((m) => [m.function, m]));
    return (functions.data ?? [])
      .filter((f) => f.name.includes(filter.trim().toLowerCase()))
      .map((info) => ({ info, metrics: by.get(info.name) }));
  }, [functions.data, metrics.data, filter]);
  return (
    <>
      <PageHeader
        title="Functions"
        about={functions.data && `${functions.data.length} deployed`}
        cli="hearth list"
        curl="/api/v1/functions"
      />
      <QueryState query={functions}>
        {(all) =>
          all.length === 0 ? (
            <div id="empty">
              <EmptyState title="No functions yet">
                Write one and deploy it:
                <CodeBlock
                  text={`echo 'def handler(event, context): return {"hello": event.get("name", "world")}' > main.py\nhearth deploy main.py --name hello`}
                />
              </EmptyState>
            </div>
          ) : (
            <>
              <TextInput
                ref={search}
                value={filter}
                onChange={(event) => setFilter(event.currentTarget.value)}
                placeholder="Filter by name"
                aria-label="Filter by name"
                leftSection={<IconSearch size={16} stroke={1.6} />}
                mb="md"
                maw={320}
              />
              <Box id="functions">
                <DataTable
                  label="Functions"
                  columns={columns}
                  rows={rows}
                  rowKey={(r) => r.info.name}
                  sort="name"
                />
              </Box>
            </>
          )
        }
      </QueryState>
    </>
  );
}
