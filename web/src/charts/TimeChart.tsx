// A chart over time: lines, stacked areas, a band between two lines, bars or dots. It draws on a canvas,
// so it also says in words what it shows, has a table, and a cursor that the arrow keys move.
import 'uplot/dist/uPlot.min.css';
import { ActionIcon, Table, Tooltip, useComputedColorScheme } from '@mantine/core';
import { IconChartLine, IconTable } from '@tabler/icons-react';
import { memo, type ReactNode, useEffect, useEffectEvent, useId, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import { formatTime } from '../components/format';
import { useTimeRange } from '../hooks/useTimeRange';
import { lonely, positive, seriesAt, stack, summarize, timeLabels, type Values } from './data';
import classes from './TimeChart.module.css';

export interface ChartSeries {
  key: string;
  label: string;
  /** One for each step. null is a gap. */
  values: Values;
  /** A variable of tokens.css. */
  color: string;
  /** A line if not given. Stacked charts draw areas in any case. */
  kind?: 'line' | 'area' | 'dots';
  dashed?: boolean;
}

export interface ChartMarker {
  /** Unix seconds. */
  at: number;
  /** Short, as in "v12". */
  label: string;
  /** The whole, on hover. */
  about: string;
}

export interface TimeChartProps {
  title: string;
  /** Starts of the steps, unix seconds, ascending. */
  at: number[];
  /** Seconds from one to the next. */
  step: number;
  series: ChartSeries[];
  /** Writes a value: formatSeconds, formatBytes, … */
  format: (value: number) => string;
  /** The scale has lines at multiples of powers of two, as bytes want it. */
  binary?: boolean;
  stacked?: boolean;
  /** Fills between two series: [lower key, upper key]. */
  band?: [string, string];
  /** A horizontal line, such as a limit. */
  threshold?: { value: number; label: string };
  markers?: ChartMarker[];
  logarithmic?: boolean;
  /** Charts with the same name share the crosshair; "" shares none. */
  sync?: string;
  height?: number;
  /** The greatest value of the scale at least: keeps small noise from filling the chart. */
  atLeast?: number;
  /** Dragging zooms the time range of the address, unless this takes it. */
  onZoom?: (from: number, to: number) => void;
  /** A click or Enter on a step: opens what is behind it. Of a click, the key of the series it meant. */
  onPoint?: (from: number, to: number, key?: string) => void;
  /** Between title and the table's button. */
  actions?: ReactNode;
}

const css = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim() || '#888';
const fade = (name: string, alpha: number) => {
  const hex = css(name);
  return /^#[\da-f]{6}$/i.test(hex)
    ? hex +
        Math.round(alpha * 255)
          .toString(16)
          .padStart(2, '0')
    : hex;
};

/** 1 B to 1 TiB. */
const powersOfTwo = Array.from({ length: 41 }, (_, i) => 2 ** i);

interface Cursor {
  index: number;
  left: number;
  /** Whether this chart moves it, and not one it shares the crosshair with. */
  own: boolean;
}

export const TimeChart = memo(function TimeChart(props: TimeChartProps) {
  const {
    title,
    at,
    step,
    series,
    format,
    stacked = false,
    band,
    threshold,
    markers,
    logarithmic = false,
  } = props;
  const { sync = 'time', height = 200, atLeast = 0, onPoint, actions } = props;
  const { zoom } = useTimeRange();
  const scheme = useComputedColorScheme('light');
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<Cursor | null>(null);
  const [marks, setMarks] = useState<{ left: number; marker: ChartMarker }[]>([]);
  const titleId = useId();

  const shown = useMemo(() => series.filter((s) => !hidden.has(s.key)), [series, hidden]);
  const data = useMemo<uPlot.AlignedData>(() => {
    const values = shown.map((s) => (logarithmic ? positive(s.values) : s.values));
    return [at, ...(stacked ? stack(values) : values)];
  }, [at, shown, stacked, logarithmic]);
  const empty = series.every((s) => s.values.every((v) => v === null || v === undefined));

  const onCursor = useEffectEvent((u: uPlot) => {
    const index = u.cursor.idx;
    if (index === null || index === undefined || (u.cursor.left ?? -1) < 0) return setCursor(null);
    setCursor({
      index,
      left: u.valToPos(u.data[0]![index]!, 'x') + u.bbox.left / devicePixelRatio,
      own: host.current?.matches(':hover, :focus') ?? false,
    });
  });
  const onSelect = useEffectEvent((u: uPlot) => {
    if (u.select.width < 6) return;
    const from = u.posToVal(u.select.left, 'x');
    const to = u.posToVal(u.select.left + u.select.width, 'x');
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (to - from >= 1) (props.onZoom ?? zoom)(from, to);
  });
  const onClick = useEffectEvent((u: uPlot, pointed: boolean) => {
    const index = u.cursor.idx;
    if (index === null || index === undefined || !onPoint) return;
    const y = pointed ? u.posToVal(u.cursor.top ?? 0, 'y') : Number.NaN;
    onPoint(
      at[index]!,
      at[index]! + step,
      shown[seriesAt(u.data.slice(1) as Values[], index, y, stacked)]?.key,
    );
  });
  const onDraw = useEffectEvent((u: uPlot) => {
    const placed = (markers ?? [])
      .map((marker) => ({ left: u.valToPos(marker.at, 'x'), marker }))
      .filter(({ left }) => left >= 0 && left <= u.bbox.width / devicePixelRatio)
      .map(({ left, marker }) => ({ left: left + u.bbox.left / devicePixelRatio, marker }));
    const { ctx, bbox } = u;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.strokeStyle = css('--h-accent');
    for (const { left } of placed) {
      const x = Math.round(left * devicePixelRatio) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    if (threshold) {
      const y = Math.round(u.valToPos(threshold.value, 'y', true)) + 0.5;
      if (y >= bbox.top && y <= bbox.top + bbox.height) {
        ctx.strokeStyle = css('--h-bad');
        ctx.beginPath();
        ctx.moveTo(bbox.left, y);
        ctx.lineTo(bbox.left + bbox.width, y);
        ctx.stroke();
        ctx.fillStyle = css('--h-bad');
        ctx.font = `${11 * devicePixelRatio}px ${getComputedStyle(document.body).fontFamily}`;
        ctx.textAlign = 'right';
        ctx.fillText(
          threshold.label,
          bbox.left + bbox.width - 4 * devicePixelRatio,
          y - 4 * devicePixelRatio,
        );
      }
    }
    ctx.restore();
    setMarks((before) => (sameMarks(before, placed) ? before : placed));
  });
  const current = useEffectEvent(() => data);
  const write = useEffectEvent((value: number) => format(value));

  // A new chart only when what it is made of changes; new values come by setData below.
  const shape = JSON.stringify([
    shown.map((s) => [s.key, s.color, s.kind, s.dashed]),
    stacked,
    band,
    logarithmic,
    sync,
    height,
    scheme,
    threshold?.value,
    atLeast,
    step,
  ]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: shape holds them
  useEffect(() => {
    const element = host.current;
    if (!element || asTable) return;
    const index = (key: string) => shown.findIndex((s) => s.key === key) + 1;
    const bands: uPlot.Band[] = stacked
      ? shown.slice(1).map((_, i) => ({ series: [i + 2, i + 1] }))
      : band && index(band[0]) && index(band[1])
        ? [{ series: [index(band[1]), index(band[0])], fill: fade(shown[index(band[0]) - 1]!.color, 0.12) }]
        : [];
    const stepped = uPlot.paths.stepped!({ align: 1 });
    const axis: uPlot.Axis = {
      stroke: () => css('--chart-axis'),
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: () => css('--chart-grid'), width: 1 },
      ticks: { show: false },
    };
    const u = new uPlot(
      {
        width: element.clientWidth || 600,
        height,
        padding: [12, step < 60 ? 28 : 18, 0, 0],
        legend: { show: false },
        scales: {
          x: {
            time: true,
            range: (_u, min, max) => (min === max ? [min - 1, max + 1] : [min, stacked ? max + step : max]),
          },
          y: {
            distr: logarithmic ? 3 : 1,
            range: logarithmic
              ? undefined
              : (_u, _min, max) => [
                  0,
                  Math.max(atLeast, threshold ? threshold.value * 1.1 : 0, (max ?? 0) * 1.1) || 1,
                ],
          },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            size: 26,
            space: 70,
            values: (_u, splits, _i, _s, increment) => timeLabels(splits, increment),
          },
          {
            ...axis,
            size: 58,
            incrs: props.binary ? powersOfTwo : undefined,
            // A logarithmic scale has lines at the powers of ten only.
            grid: {
              ...axis.grid,
              filter: (_u, splits) =>
                splits.map((v) =>
                  logarithmic && Math.abs(Math.log10(v) - Math.round(Math.log10(v))) > 1e-6 ? null : v,
                ),
            },
            gap: 6,
            values: (_u, splits) => splits.map((v) => (v == null ? '' : write(v))),
          },
        ],
        series: [
          {},
          ...shown.map((s): uPlot.Series => {
            const area = stacked || s.kind === 'area';
            return {
              label: s.label,
              stroke: () => css(s.color),
              fill: area ? () => fade(s.color, stacked ? 0.75 : 0.16) : undefined,
              width: stacked ? 0 : 1.75,
              dash: s.dashed ? [5, 4] : undefined,
              paths: s.kind === 'dots' ? () => null : stacked ? stepped : undefined,
              points:
                s.kind === 'dots'
                  ? { show: true, size: 4, fill: () => css(s.color) }
                  : {
                      show: !stacked,
                      size: 5,
                      filter: (plot, i) => lonely(plot.data[i] as Values, 0, plot.data[0]!.length - 1),
                    },
            };
          }),
        ],
        bands,
        cursor: {
          y: false,
          drag: { x: true, y: false, setScale: false },
          points: { size: 7, show: !stacked },
          // Only the place of the crosshair is shared, not presses of the button.
          sync: sync
            ? { key: sync, filters: { pub: (type) => type !== 'mousedown' && type !== 'mouseup' } }
            : undefined,
        },
        hooks: {
          setCursor: [(plot) => onCursor(plot)],
          setSelect: [(plot) => onSelect(plot)],
          draw: [(plot) => onDraw(plot)],
          ready: [
            (plot) => {
              let pressed = 0;
              plot.over.addEventListener('mousedown', (event) => {
                pressed = event.clientX;
              });
              plot.over.addEventListener('click', (event) => {
                if (Math.abs(event.clientX - pressed) < 4) onClick(plot, true);
              });
            },
          ],
        },
      },
      current(),
      element,
    );
    plot.current = u;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== u.width)
        u.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      u.destroy();
      plot.current = null;
      setCursor(null);
    };
  }, [shape, asTable]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: other markers must be drawn
  useEffect(() => {
    plot.current?.redraw(false);
  }, [markers]);

  const moveCursor = (by: number) => {
    const u = plot.current;
    if (!u || at.length === 0) return;
    const from = u.cursor.idx ?? (by > 0 ? -1 : at.length);
    const next = Math.max(0, Math.min(at.length - 1, from + by));
    u.setCursor({ left: u.valToPos(at[next]!, 'x'), top: 10 });
  };
  const hover = cursor && cursor.index < at.length ? cursor : null;
  const said = hover
    ? `${formatTime(at[hover.index]! * 1000, { millis: false })}: ${shown.map((s) => `${s.label} ${s.values[hover.index] == null ? 'no data' : format(s.values[hover.index]!)}`).join(', ')}`
    : '';

  return (
    <figure className={classes.frame} aria-labelledby={titleId}>
      <div className={classes.head}>
        <h3 className={classes.title} id={titleId}>
          {title}
        </h3>
        {actions}
        <Tooltip label={asTable ? 'View as chart' : 'View as table'}>
          <ActionIcon
            aria-label={`${asTable ? 'View as chart' : 'View as table'}: ${title}`}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? <IconChartLine size={16} stroke={1.6} /> : <IconTable size={16} stroke={1.6} />}
          </ActionIcon>
        </Tooltip>
      </div>
      {asTable ? (
        <ValuesTable title={title} at={at} series={series} format={format} />
      ) : (
        <div className={classes.plot}>
          {/* biome-ignore lint/a11y/useSemanticElements: there is no element for a canvas with a cursor */}
          <div
            ref={host}
            className={classes.canvas}
            style={{ minHeight: height }}
            role="group"
            // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move its cursor
            tabIndex={0}
            aria-label={`${summarize(title, shown, format)}. Left and right move the cursor.`}
            onKeyDown={(event) => {
              const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 }[
                event.key
              ];
              if (by !== undefined) {
                event.preventDefault();
                moveCursor(by);
              } else if (event.key === 'Enter' && plot.current) onClick(plot.current, false);
              else if (event.key === 'Escape') plot.current?.setCursor({ left: -10, top: -10 });
            }}
          />
          {empty && <div className={classes.empty}>No data in this range</div>}
          {marks.map(({ left, marker }) => (
            <span
              key={`${marker.at} ${marker.label}`}
              className={classes.marker}
              style={{ left }}
              data-edge={edgeOf(left, host.current?.clientWidth ?? 0)}
              title={marker.about}
            >
              {marker.label}
            </span>
          ))}
          {hover?.own && (
            <div
              className={classes.tip}
              style={
                hover.left > (host.current?.clientWidth ?? 0) / 2
                  ? { right: (host.current?.clientWidth ?? 0) - hover.left + 14 }
                  : { left: hover.left + 14 }
              }
            >
              <b className="num">{formatTime(at[hover.index]! * 1000, { millis: false })}</b>
              <dl>
                {(stacked ? [...shown].reverse() : shown).map((s) => (
                  <Row key={s.key} series={s} index={hover.index} format={format} />
                ))}
              </dl>
            </div>
          )}
          <div className="visually-hidden" aria-live="polite">
            {hover?.own ? said : ''}
          </div>
        </div>
      )}
      {series.length > 1 && !asTable && (
        <ul className={classes.legend}>
          {series.map((s) => (
            <li key={s.key}>
              <button
                type="button"
                aria-pressed={!hidden.has(s.key)}
                onClick={() => setHidden((now) => toggled(now, s.key, series.length))}
              >
                <span className={classes.swatch} style={{ background: `var(${s.color})` }} />
                {s.label}
              </button>
            </li>
          ))}
        </ul>
      )}
    </figure>
  );
});

function Row({
  series,
  index,
  format,
}: {
  series: ChartSeries;
  index: number;
  format: (n: number) => string;
}) {
  const value = series.values[index];
  return (
    <>
      <span className={classes.swatch} style={{ background: `var(${series.color})` }} />
      <dt>{series.label}</dt>
      <dd className="num">{value == null ? '–' : format(value)}</dd>
    </>
  );
}

function ValuesTable({
  title,
  at,
  series,
  format,
}: Pick<TimeChartProps, 'title' | 'at' | 'series' | 'format'>) {
  const some = at.map((_, i) => i).filter((i) => series.some((s) => s.values[i] != null));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className={classes.table} tabIndex={0} aria-label={`${title}, as a table`}>
      <Table stickyHeader verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Time</Table.Th>
            {series.map((s) => (
              <Table.Th key={s.key} ta="right">
                {s.label}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {some.reverse().map((i) => (
            <Table.Tr key={at[i]}>
              <Table.Td className="num">{formatTime(at[i]! * 1000, { millis: false })}</Table.Td>
              {series.map((s) => (
                <Table.Td key={s.key} className="num" ta="right">
                  {s.values[i] == null ? '–' : format(s.values[i]!)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
          {some.length === 0 && (
            <Table.Tr>
              <Table.Td colSpan={series.length + 1}>No data in this range</Table.Td>
            </Table.Tr>
          )}
        </Table.Tbody>
      </Table>
    </section>
  );
}

/** Hides or shows one; the last one that is shown stays. */
export function toggled(hidden: ReadonlySet<string>, key: string, count: number): ReadonlySet<string> {
  const next = new Set(hidden);
  if (!next.delete(key)) next.add(key);
  return next.size < count ? next : hidden;
}

/** The side at which a mark in the middle of its place would stick out. */
function edgeOf(left: number, width: number): 'left' | 'right' | undefined {
  return left > width - 60 ? 'right' : left < 60 ? 'left' : undefined;
}

function sameMarks(a: { left: number; marker: ChartMarker }[], b: { left: number; marker: ChartMarker }[]) {
  return (
    a.length === b.length &&
    a.every((m, i) => Math.abs(m.left - b[i]!.left) < 0.5 && m.marker === b[i]!.marker)
  );
}
