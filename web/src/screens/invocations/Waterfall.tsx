import { formatSeconds, parseDuration } from '../../components/format';
import { phaseColor, phaseSeconds } from '../../components/PhaseBar';
import type { Invocation } from './filters';
import classes from './InvocationDetail.module.css';

const meaning: Record<string, string> = {
  queue: 'waiting for a place',
  sandbox: 'taking or making the sandbox',
  load: 'giving it the code',
  import: "the function's module",
  handler: 'until the first byte of the reply',
  reply: 'sending the rest',
};

const starts: Record<string, string> = {
  warm: 'Warm: the sandbox had served this version before.',
  prewarmed: 'Cold, prewarmed: a sandbox that was ready and waiting took this version in.',
  forked: 'Cold, forked: none was waiting, so one was forked while the call waited.',
  spawned: 'Cold, spawned: none was waiting, so one was started while the call waited.',
  restored: 'Cold, restored: the sandbox came from a snapshot.',
};

/** How the sandbox came to be, in a sentence. */
export const startSentence = (i: Invocation): string =>
  i.start ? (starts[i.start] ?? `Started: ${i.start}.`) : 'It never got a sandbox.';

/** Where the time of a call went, phase under phase. */
export function Waterfall({ of }: { of: Invocation }) {
  const parts = phaseSeconds(of.phases);
  const sum = parts.reduce((n, p) => n + p.seconds, 0);
  const total = Math.max(parseDuration(of.duration), sum);
  let at = 0;
  return (
    <div>
      <ol className={classes.waterfall} aria-label={`Phases of ${formatSeconds(total)}`}>
        {parts.map((p) => {
          const left = total > 0 ? (100 * at) / total : 0;
          const width = total > 0 ? (100 * p.seconds) / total : 0;
          at += p.seconds;
          return (
            <li key={p.phase} title={meaning[p.phase]}>
              <span className={classes.phase}>{p.phase}</span>
              <span className={classes.track} aria-hidden>
                <i
                  style={{
                    left: `min(${left}%, calc(100% - 3px))`,
                    width: `max(3px, ${width}%)`,
                    background: phaseColor(p.phase),
                  }}
                />
              </span>
              <span className="num">{formatSeconds(p.seconds)}</span>
            </li>
          );
        })}
      </ol>
      <p className={classes.small}>{startSentence(of)}</p>
    </div>
  );
}
