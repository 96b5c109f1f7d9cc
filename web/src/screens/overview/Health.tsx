import { Skeleton } from '@mantine/core';
import {
  IconAlertTriangle,
  IconBolt,
  IconBox,
  IconCircleCheck,
  IconDatabase,
  IconHourglass,
  IconTrashX,
} from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { api, type Schemas, unwrap } from '../../api/client';
import { Tag, type Tone } from '../../components/OutcomeBadge';
import { usePolling } from '../../live/context';
import classes from './overview.module.css';

interface Sign {
  tone: Tone;
  icon: ReactNode;
  text: string;
  title: string;
}

const size = { size: 14, stroke: 2, 'aria-hidden': true } as const;

/** What the parts of the server say of themselves, each as one sign. */
export function signsOf(server: Schemas['Server'], pools: Schemas['Pool'][] | undefined): Sign[] {
  const { load, dropped, defaults } = server;
  const usable = server.sandboxes?.filter((d) => !d.error) ?? [];
  const standard = server.sandboxes?.find((d) => d.name === server.sandbox);
  const signs: Sign[] = [];
  if (server.draining)
    signs.push({
      tone: 'warn',
      icon: <IconAlertTriangle {...size} />,
      text: 'Stopping',
      title: 'The server takes no new calls and ends when those that run have ended',
    });
  // What it says of itself it reads through the database: an answer is the proof.
  signs.push({
    tone: 'good',
    icon: <IconDatabase {...size} />,
    text: 'Database ok',
    title: 'The database answers',
  });
  const full = load.running >= defaults.concurrency;
  signs.push({
    tone: load.waiting > 0 ? 'warn' : 'good',
    icon: <IconHourglass {...size} />,
    text: load.waiting > 0 ? `${load.waiting} waiting` : 'No queue',
    title: `${load.running} of ${defaults.concurrency} places taken, ${load.waiting} calls wait${full ? ': the server is full' : ''}`,
  });
  signs.push(
    standard?.error || usable.length === 0
      ? {
          tone: 'bad',
          icon: <IconAlertTriangle {...size} />,
          text: `Sandbox ${server.sandbox} unusable`,
          title: standard?.error ?? 'No sandbox can be made on this host: see hearth doctor',
        }
      : {
          tone: 'good',
          icon: <IconBox {...size} />,
          text: `Sandbox ${usable.map((d) => d.name).join(', ')}`,
          title: usable.map((d) => `${d.name}: ${d.isolation || 'ready'}`).join('\n'),
        },
  );
  if (pools) {
    const sum = (of: (p: Schemas['Pool']) => number) => pools.reduce((n, p) => n + of(p), 0);
    const ready = sum((p) => p.ready);
    const target = sum((p) => p.target);
    const broken = pools.filter((p) => p.error);
    signs.push({
      tone: broken.length ? 'bad' : 'good',
      icon: <IconBolt {...size} />,
      text: `${ready} of ${target} prewarmed`,
      title: broken.length
        ? broken.map((p) => `${p.runtime}: ${p.error}`).join('\n')
        : pools.map((p) => `${p.runtime}, network ${p.network}: ${p.ready} of ${p.target}`).join('\n'),
    });
  }
  signs.push({
    tone: dropped > 0 ? 'warn' : 'good',
    icon: dropped > 0 ? <IconTrashX {...size} /> : <IconCircleCheck {...size} />,
    text: dropped > 0 ? `${dropped} records dropped` : 'No telemetry dropped',
    title: 'Records of calls and logs that were given up since the start, because the database was too slow',
  });
  return signs;
}

/** How the parts of the server are. */
export function Health() {
  const every = usePolling(5_000);
  const server = useQuery({
    queryKey: ['server', 'health'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/server', { signal })),
    refetchInterval: every,
  });
  const pools = useQuery({
    queryKey: ['pools'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/pools', { signal })),
    refetchInterval: every,
  });
  if (server.isPending) return <Skeleton height={25} mb="1.25rem" maw={640} radius="xl" />;
  return (
    <ul className={classes.health} aria-label="Health">
      {server.isError ? (
        <li>
          <Tag tone="bad" icon={<IconAlertTriangle {...size} />}>
            The server doesn't answer
          </Tag>
        </li>
      ) : (
        signsOf(server.data, pools.data?.items ?? undefined).map((sign) => (
          <li key={sign.text}>
            <Tag tone={sign.tone} icon={sign.icon} title={sign.title}>
              {sign.text}
            </Tag>
          </li>
        ))
      )}
    </ul>
  );
}
