import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { formatTime } from '../../components/format';
import { ErrorState, SkeletonRows } from '../../components/states';
import { useScreenHref } from '../../hooks/useScreenHref';
import { LogText } from './LogText';
import classes from './LogView.module.css';
import { levelOf } from './line';

const most = 500;

/** What one call wrote, oldest first. */
export function CallLogs({ id, error }: { id: string; error?: boolean }) {
  const [all, setAll] = useState(false);
  const href = useScreenHref();
  const logs = useQuery({
    queryKey: ['logs', 'call', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/logs', { params: { query: { invocation: id, limit: most } }, signal })),
    staleTime: 60_000,
  });
  if (logs.isPending) return <SkeletonRows rows={3} height={22} />;
  if (logs.error) return <ErrorState error={logs.error} retry={() => void logs.refetch()} />;
  const everything = logs.data.items ?? [];
  // The platform's own lines tell the error again, which stands above.
  const lines = error && !all ? everything.filter((l) => l.stream !== 'platform') : everything;
  const hidden = everything.length - lines.length;
  const more = hidden > 0 && (
    <p className={classes.none}>
      <button type="button" className={classes.textButton} onClick={() => setAll(true)}>
        Show {hidden} {hidden === 1 ? 'line' : 'lines'} that the platform wrote about the error
      </button>
    </p>
  );
  if (lines.length === 0)
    return (
      <>
        <p className={classes.none}>It wrote nothing.</p>
        {more}
      </>
    );
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <ol className={classes.call} tabIndex={0} aria-label="Output of the call">
        {lines.map((l) => (
          <li key={l.seq} data-level={levelOf(l.level)} data-stream={l.stream}>
            <time dateTime={l.at} title={l.at}>
              {formatTime(l.at, { date: false })}
            </time>
            <span className={classes.mark} title={l.level ?? l.stream}>
              {(l.level ?? l.stream).toLowerCase()}
            </span>
            <span className={classes.callText}>
              <LogText text={l.text} />
            </span>
          </li>
        ))}
      </ol>
      {more}
      {logs.data.next && (
        <p className={classes.none}>
          These are the first {most} lines.{' '}
          <Link href={href('/logs', { invocation: id, range: '7d' })}>Show all</Link>
        </p>
      )}
    </>
  );
}
