import { Checkbox, Group, Skeleton, Stack, TextInput } from '@mantine/core';
import { IconAlertTriangle, IconCheck, IconSearch, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Schemas, unwrap } from '../../api/client';
import { useRuntimes } from '../../api/queries';
import { CopyIcon } from '../../components/CodeBlock';
import { formatBytes, formatCount, formatSeconds, parseDuration } from '../../components/format';
import { Tag } from '../../components/OutcomeBadge';
import { Facts, Panel } from '../../components/Panel';
import { QueryState } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { usePolling } from '../../live/context';
import classes from './Settings.module.css';

type Driver = Schemas['Driver'];
type Server = Schemas['Server'];

/** What the server is, what its host can enforce, and how it is configured. */
export function ServerTab() {
  const server = useQuery({
    queryKey: ['server'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/server', { signal })),
    refetchInterval: usePolling(10_000), // for what it does now
  });
  const runtimes = useRuntimes();
  return (
    <QueryState query={server} skeleton={<Skeleton height={320} radius="lg" aria-label="Loading" />}>
      {(s) => (
        <>
          <About server={s} />
          <Panel
            title="Sandboxes"
            about="What isolates functions on this host, and how well: the findings of hearth doctor."
            id="drivers"
          >
            <div className={classes.drivers}>
              {(s.sandboxes ?? []).map((driver) => (
                <DriverCard key={driver.name} driver={driver} usual={driver.name === s.sandbox} />
              ))}
            </div>
          </Panel>
          <Panel title="Languages" about="Found on this host when the server began." id="runtimes">
            <QueryState query={runtimes} skeleton={<Skeleton height={60} />}>
              {(list) => (
                <Facts
                  of={(list.items ?? []).map((r) => [
                    <b key="n">{r.name}</b>,
                    <>
                      {r.version} <span className="mono soft">{r.interpreter}</span>
                    </>,
                  ])}
                />
              )}
            </QueryState>
          </Panel>
          <SettingsList settings={s.settings ?? []} />
        </>
      )}
    </QueryState>
  );
}

function About({ server: s }: { server: Server }) {
  const d = s.defaults;
  const days = parseDuration(d.retention);
  return (
    <Panel
      title={
        <Group gap="sm">
          Hearth {s.version}
          {s.draining ? (
            <Tag tone="warn" icon={<IconAlertTriangle size={13} aria-hidden />}>
              draining
            </Tag>
          ) : (
            <Tag tone="good" icon={<IconCheck size={13} aria-hidden />}>
              serving
            </Tag>
          )}
        </Group>
      }
      id="about-server"
    >
      <Facts
        of={[
          [
            'Address',
            <Group key="url" gap={4} wrap="nowrap">
              <span className="mono">{s.url}</span>
              <CopyIcon value={s.url} label="Copy the address" />
            </Group>,
          ],
          [
            'Instance',
            <span className="mono" key="i">
              {s.instance}
            </span>,
          ],
          [
            'Up since',
            <>
              {formatSeconds(Math.max(0, (Date.now() - new Date(s.started_at).getTime()) / 1000))}{' '}
              <span className="soft">
                (<RelativeTime at={s.started_at} />)
              </span>
            </>,
          ],
          [
            'Now',
            `${formatCount(s.load.running)} calls run, ${formatCount(s.load.waiting)} wait, ${formatCount(s.load.sandboxes)} sandboxes of ${formatBytes(s.load.memory_mib * 2 ** 20)}`,
          ],
          ['Calls at once', `${d.concurrency}, then ${d.queue} of each function wait up to ${d.queue_wait}`],
          ['Memory', d.memory_mib ? `${formatBytes(d.memory_mib * 2 ** 20)} for all sandboxes` : 'no bound'],
          [
            'Sizes',
            `requests up to ${d.max_request_mib} MiB, replies up to ${d.max_reply_mib} MiB, code up to ${d.max_code_mib} MiB`,
          ],
          ['Keeps', days > 0 ? `calls and logs for ${formatSeconds(days)}` : 'calls and logs for ever'],
          ['Idle sandboxes', `let go after ${d.keep_alive}`],
          s.dropped > 0
            ? [
                'Lost records',
                <Tag key="d" tone="warn" icon={<IconAlertTriangle size={13} aria-hidden />}>
                  {formatCount(s.dropped)} since the start
                </Tag>,
              ]
            : ['', ''],
        ]}
      />
    </Panel>
  );
}

const icons = { ok: IconCheck, weak: IconAlertTriangle, missing: IconX } as const;
const size = { size: 13, stroke: 2.2, 'aria-hidden': true } as const;

function DriverCard({ driver, usual }: { driver: Driver; usual: boolean }) {
  const findings = driver.findings ?? [];
  const weak = findings.some((f) => f.status !== 'ok');
  return (
    <article className={classes.driver}>
      <h3>
        {driver.name}
        {driver.error ? (
          <Tag icon={<IconX {...size} />}>not usable here</Tag>
        ) : weak ? (
          <Tag tone="warn" icon={<IconAlertTriangle {...size} />}>
            with gaps
          </Tag>
        ) : (
          <Tag tone="good" icon={<IconCheck {...size} />}>
            ready
          </Tag>
        )}
        {usual && <Tag tone="accent">default</Tag>}
      </h3>
      {driver.isolation && <p className="soft">{driver.isolation}</p>}
      {driver.error && <p className="soft">{driver.error}</p>}
      {findings.length > 0 && (
        <ul className={classes.findings}>
          {findings.map((f) => {
            const Icon = icons[f.status as keyof typeof icons] ?? IconAlertTriangle;
            return (
              <li key={f.name}>
                <Icon size={15} stroke={2} data-status={f.status} aria-label={f.status} />
                <div>
                  <b>{f.name}</b> <span className="soft">{f.detail}</span>
                  {f.fix && <span className={classes.fix}>→ {f.fix}</span>}
                </div>
              </li>
            );
          })}
        </ul>
      )}
    </article>
  );
}

/** The server's configuration, with who chose each value. */
function SettingsList({ settings }: { settings: Schemas['Setting'][] }) {
  const [find, setFind] = useState('');
  const [chosen, setChosen] = useState(false);
  const shown = settings.filter(
    (s) =>
      (!chosen || s.value !== s.default) && `${s.name} ${s.usage}`.toLowerCase().includes(find.toLowerCase()),
  );
  return (
    <Panel
      title="Configuration"
      about="Set by a flag of hearth serve, the environment (HEARTH_…) or the configuration file, and read at the start."
      id="settings"
    >
      <Stack gap="sm">
        <Group>
          <TextInput
            value={find}
            onChange={(event) => setFind(event.currentTarget.value)}
            placeholder="Find a setting"
            aria-label="Find a setting"
            leftSection={<IconSearch size={16} stroke={1.6} />}
          />
          <Checkbox
            label="Only what isn’t the default"
            checked={chosen}
            onChange={(event) => setChosen(event.currentTarget.checked)}
          />
        </Group>
        {shown.length === 0 ? (
          <span className="soft">{chosen && !find ? 'All is as the defaults say.' : 'No such setting.'}</span>
        ) : (
          <table className={classes.settings}>
            <thead>
              <tr>
                <th scope="col">Setting</th>
                <th scope="col">Value</th>
                <th scope="col" className={classes.wide}>
                  What it does
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((s) => (
                <tr key={s.name}>
                  <th scope="row" className="mono" title={`HEARTH_${s.name.toUpperCase()}`}>
                    --{s.name.replaceAll('_', '-')}
                  </th>
                  <td>
                    <span className="mono">{s.value || '–'}</span>{' '}
                    {s.value !== s.default && <Tag tone="accent">set</Tag>}
                  </td>
                  <td className={`soft ${classes.wide}`}>{s.usage}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Stack>
    </Panel>
  );
}
