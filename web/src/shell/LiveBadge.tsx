import { Tooltip } from '@mantine/core';
import { useKeys } from '../hooks/useKeys';
import type { LiveStatus } from '../live/client';
import { useLiveClient, useLiveStatus } from '../live/context';
import classes from './Shell.module.css';

const meaning: Record<LiveStatus, { label: string; about: string }> = {
  live: { label: 'Live', about: 'Updates arrive as they happen. Click to pause.' },
  reconnecting: { label: 'Reconnecting', about: 'The connection was lost; it is made again by itself.' },
  paused: { label: 'Paused', about: 'Nothing changes until you click to go on.' },
  polling: { label: 'Polling', about: 'Asks the server again every few seconds. Click to pause.' },
  idle: { label: 'Idle', about: 'Nothing on this screen is live.' },
};

/** What the live updates are doing; a click pauses them and lets them go on. */
export function LiveBadge() {
  const client = useLiveClient();
  const status = useLiveStatus();
  const paused = status === 'paused';
  const { label, about } = meaning[status];
  useKeys([{ keys: 'p', label: 'Pause or resume live updates', run: () => client.pause(!paused) }]);
  return (
    <Tooltip label={about}>
      <button
        type="button"
        className={classes.live}
        data-status={status}
        aria-pressed={paused}
        aria-label={`Live updates: ${label}`}
        onClick={() => client.pause(!paused)}
      >
        <span className={classes.dot} />
        <span className="mantine-visible-from-sm">{label}</span>
      </button>
    </Tooltip>
  );
}
