import {
  IconAlertTriangle,
  IconBolt,
  IconCheck,
  IconClockX,
  IconDatabaseX,
  IconFlame,
  IconHandStop,
  IconSkull,
  IconSnowflake,
  IconX,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { words } from './format';
import classes from './OutcomeBadge.module.css';

export type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'neutral';

/** A small label with an icon: what it says doesn't hang on its colour. */
export function Tag({
  tone = 'neutral',
  icon,
  children,
  title,
}: {
  tone?: Tone;
  icon?: ReactNode;
  children: ReactNode;
  title?: string;
}) {
  return (
    <span className={classes.badge} data-tone={tone} title={title}>
      {icon}
      {children}
    </span>
  );
}

const size = { size: 13, stroke: 2.2, 'aria-hidden': true } as const;

/** The outcomes of invocations, in the order in which charts stack them. */
export const outcomes: Record<string, { tone: Tone; icon: ReactNode; color: string; label: string }> = {
  ok: { tone: 'good', icon: <IconCheck {...size} />, color: '--outcome-ok', label: 'ok' },
  function_error: {
    tone: 'bad',
    icon: <IconX {...size} />,
    color: '--outcome-function-error',
    label: 'function error',
  },
  timeout: { tone: 'warn', icon: <IconClockX {...size} />, color: '--outcome-timeout', label: 'time-out' },
  out_of_memory: {
    tone: 'bad',
    icon: <IconDatabaseX {...size} />,
    color: '--outcome-out-of-memory',
    label: 'out of memory',
  },
  crashed: { tone: 'bad', icon: <IconSkull {...size} />, color: '--outcome-crashed', label: 'crashed' },
  throttled: {
    tone: 'warn',
    icon: <IconHandStop {...size} />,
    color: '--outcome-throttled',
    label: 'throttled',
  },
  cancelled: { tone: 'neutral', icon: <IconX {...size} />, color: '--outcome-cancelled', label: 'cancelled' },
  platform_error: {
    tone: 'bad',
    icon: <IconAlertTriangle {...size} />,
    color: '--outcome-platform-error',
    label: 'platform error',
  },
};

/** How an invocation ended. */
export function OutcomeBadge({ outcome }: { outcome: string }) {
  const known = outcomes[outcome];
  return (
    <Tag tone={known?.tone} icon={known?.icon}>
      {known?.label ?? words(outcome)}
    </Tag>
  );
}

/** How the sandbox of an invocation came to be. All but warm are cold starts. */
export function StartBadge({ start }: { start: string | undefined }) {
  if (!start) return <span className="soft">–</span>;
  if (start === 'warm') return <Tag icon={<IconFlame {...size} />}>warm</Tag>;
  if (start === 'prewarmed')
    return (
      <Tag tone="accent" icon={<IconBolt {...size} />}>
        prewarmed
      </Tag>
    );
  return (
    <Tag tone="warn" icon={<IconSnowflake {...size} />}>
      {start}
    </Tag>
  );
}
