import { Skeleton } from '@mantine/core';
import { useRef, useState } from 'react';
import { formatCount, formatTime } from '../../components/format';
import { useTimeRange } from '../../hooks/useTimeRange';
import type { LogFilters } from './filters';
import classes from './Histogram.module.css';
import { useLogHistogram } from './useLogs';

/** How many lines there were when; dragging over it, or Shift and the arrow keys with Enter, narrows the time. */
export function Histogram({ filters }: { filters: LogFilters }) {
  const query = useLogHistogram(filters);
  const { zoom, range, choose } = useTimeRange();
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const svg = useRef<HTMLDivElement>(null);
  if (query.error) return null; // the lines say what is wrong
  if (!query.data) return <Skeleton height={72} mb="sm" radius="md" />;
  const { at, counts, step } = query.data;
  const n = counts.length;
  if (n === 0) return null;
  const most = Math.max(1, ...counts);
  const total = counts.reduce((a, b) => a + b, 0);
  const indexAt = (x: number) => {
    const box = svg.current!.getBoundingClientRect();
    return Math.max(0, Math.min(n - 1, Math.floor(((x - box.left) / box.width) * n)));
  };
  const narrow = (a: number, b: number) => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    zoom(at[from]!, at[to]! + step);
    setCursor(null); // the bars are others now
    setDrag(null);
  };
  const selected = drag ? [Math.min(...drag), Math.max(...drag)] : null;
  const pointed = cursor ?? drag?.[1] ?? null;
  const shown = pointed !== null && pointed < n ? pointed : null;
  return (
    <div className={classes.histogram}>
      <div
        ref={svg}
        className={classes.bars}
        role="slider"
        tabIndex={0}
        aria-label={`Lines over time: ${formatCount(total)}, at most ${formatCount(most)} at once. Shift and arrows select, Enter narrows the time.`}
        aria-valuemin={0}
        aria-valuemax={n - 1}
        aria-valuenow={shown ?? n - 1}
        aria-valuetext={
          shown === null
            ? 'none'
            : `${formatTime(at[shown]! * 1000, { millis: false })}: ${counts[shown]} lines`
        }
        onPointerDown={(e) => {
          if (e.button !== 0) return;
          e.currentTarget.setPointerCapture(e.pointerId);
          const i = indexAt(e.clientX);
          setDrag([i, i]);
        }}
        onPointerMove={(e) => {
          const i = indexAt(e.clientX);
          setCursor(i);
          if (e.currentTarget.hasPointerCapture(e.pointerId)) setDrag((d) => d && [d[0], i]);
        }}
        onPointerUp={() => {
          if (drag) narrow(...drag);
          setDrag(null);
        }}
        onPointerCancel={() => setDrag(null)}
        onPointerLeave={() => setCursor(null)}
        onBlur={() => {
          setCursor(null);
          setDrag(null);
        }}
        onKeyDown={(e) => {
          const by = e.key === 'ArrowLeft' ? -1 : e.key === 'ArrowRight' ? 1 : 0;
          if (by) {
            const was = cursor ?? n - 1;
            const next = Math.max(0, Math.min(n - 1, was + by));
            setCursor(next);
            setDrag(e.shiftKey ? [drag?.[0] ?? was, next] : null);
          } else if (e.key === 'Enter' && cursor !== null) narrow(...(drag ?? [cursor, cursor]));
          else return;
          e.preventDefault();
        }}
      >
        {counts.map((count, i) => (
          <i
            key={at[i]}
            data-in={(selected ? i >= selected[0]! && i <= selected[1]! : i === cursor) || undefined}
            style={{ height: count === 0 ? 1 : `max(3px, ${(100 * count) / most}%)` }}
          />
        ))}
      </div>
      <div className={classes.axis}>
        <span className="num">
          {formatTime(at[0]! * 1000, { millis: false, date: range.seconds > 43_200 })}
        </span>
        <span className="num">
          {shown !== null
            ? `${formatTime(at[shown]! * 1000, { millis: false, date: false })} · ${formatCount(counts[shown])} lines`
            : range.name === 'custom'
              ? null
              : `${formatCount(total)} lines`}
          {range.name === 'custom' && shown === null && (
            <button type="button" className={classes.reset} onClick={() => choose('1h')}>
              Back to the last hour
            </button>
          )}
        </span>
        <span className="num">
          {formatTime((at[n - 1]! + step) * 1000, { millis: false, date: range.seconds > 43_200 })}
        </span>
      </div>
    </div>
  );
}
