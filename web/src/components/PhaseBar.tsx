import type { Schemas } from '../api/client';
import { formatSeconds, parseDuration } from './format';
import classes from './PhaseBar.module.css';

/** The phases of an invocation, in the order in which they follow each other. */
export const phases = ['queue', 'sandbox', 'load', 'import', 'handler', 'reply'] as const;
export type Phase = (typeof phases)[number];

export const phaseColor = (phase: Phase) => `var(--phase-${phase})`;

/** The phases that took time, in seconds. */
export function phaseSeconds(p: Schemas['Phases']): { phase: Phase; seconds: number }[] {
  return phases.map((phase) => ({ phase, seconds: parseDuration(p[phase]) })).filter((x) => x.seconds > 0);
}

/**
 * Where the time of a call went, as one bar. With `of` (seconds), the bar is as long as its share of
 * that, so that the bars of a list compare.
 */
export function PhaseBar({
  value,
  of,
  legend = false,
}: {
  value: Schemas['Phases'];
  of?: number;
  legend?: boolean;
}) {
  const parts = phaseSeconds(value);
  const total = parts.reduce((sum, p) => sum + p.seconds, 0);
  const text = parts.map((p) => `${p.phase} ${formatSeconds(p.seconds)}`).join(', ') || 'no time';
  return (
    <div>
      <div
        className={classes.bar}
        role="img"
        aria-label={text}
        title={text}
        style={of ? { width: `${Math.max(2, Math.min(100, (100 * total) / of))}%` } : undefined}
      >
        {parts.map((p) => (
          <div
            key={p.phase}
            className={classes.part}
            style={{ flexGrow: p.seconds / total, background: phaseColor(p.phase) }}
          />
        ))}
      </div>
      {legend && (
        <ul className={classes.legend}>
          {parts.map((p) => (
            <li key={p.phase}>
              <i style={{ background: phaseColor(p.phase) }} />
              {p.phase} <span className="num soft">{formatSeconds(p.seconds)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
