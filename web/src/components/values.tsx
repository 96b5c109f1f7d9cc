// Values with their exact form on hover.
import { Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { formatBytes, formatRelative, formatSeconds, formatTime, parseDuration } from './format';

/** A duration: seconds as a number, or as Go writes it. */
export function Duration({ value }: { value: number | string | null | undefined }) {
  const seconds = typeof value === 'string' ? parseDuration(value) : value;
  const exact = typeof value === 'string' ? value : seconds != null ? `${seconds} s` : undefined;
  return (
    <span className="num" title={exact}>
      {formatSeconds(seconds)}
    </span>
  );
}

export function Bytes({ value }: { value: number | null | undefined }) {
  return (
    <span className="num" title={value != null ? `${value.toLocaleString('en')} bytes` : undefined}>
      {formatBytes(value)}
    </span>
  );
}

/** "5 min ago", kept true while it is shown; hover or focus tells the moment, local and UTC. */
export function RelativeTime({ at }: { at: string | number | Date | null | undefined }) {
  const [, tick] = useState(0);
  const young = at ? Math.abs(Date.now() - new Date(at).getTime()) < 120_000 : false;
  useEffect(() => {
    if (!at) return;
    const timer = setInterval(() => tick((n) => n + 1), young ? 5_000 : 60_000);
    return () => clearInterval(timer);
  }, [at, young]);
  if (!at) return <span className="soft">–</span>;
  const iso = new Date(at).toISOString();
  return (
    <Tooltip label={`${formatTime(at)} local · ${iso}`}>
      <time className="num" dateTime={iso}>
        {formatRelative(at)}
      </time>
    </Tooltip>
  );
}
