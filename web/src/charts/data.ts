// Turns series into what uPlot draws. null is a gap: nobody was there to count. Zero is a zero.

export type Values = (number | null)[];

/** Running sums, the lowest first. Where all series have a gap, there is a gap; else a gap counts as none. */
export function stack(series: Values[]): Values[] {
  const length = series[0]?.length ?? 0;
  const sums: Values = new Array(length).fill(null);
  return series.map((values) => {
    for (let i = 0; i < length; i++) {
      const v = values[i];
      if (v !== null && v !== undefined) sums[i] = (sums[i] ?? 0) + v;
      else if (series.some((s) => s[i] !== null && s[i] !== undefined)) sums[i] ??= 0;
    }
    return [...sums];
  });
}

/** For a logarithmic scale, which has no place for zero. */
export const positive = (values: Values): Values => values.map((v) => (v !== null && v > 0 ? v : null));

/** Indices of points that have a gap on both sides: a line doesn't show them. */
export function lonely(values: Values, from: number, to: number): number[] {
  const found: number[] = [];
  for (let i = from; i <= to; i++)
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) found.push(i);
  return found;
}

/**
 * The index of the series that is drawn at height y of a step: of stacked sums, the area around it; of
 * lines, the nearest. -1 if there is none.
 */
export function seriesAt(series: Values[], step: number, y: number, stacked: boolean): number {
  let found = -1;
  let best = Number.POSITIVE_INFINITY;
  series.forEach((values, i) => {
    const v = values[step];
    if (v == null || Number.isNaN(y)) return;
    const distance = stacked ? v - y : Math.abs(v - y);
    if (distance < 0 || distance >= best) return;
    best = distance;
    found = i;
  });
  return found;
}

/** The greatest value, null if there is none. */
export function greatest(values: Values): number | null {
  let max: number | null = null;
  for (const v of values) if (v !== null && v !== undefined && (max === null || v > max)) max = v;
  return max;
}

/** The last value that is there. */
export function latest(values: Values): number | null {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] != null) return values[i]!;
  return null;
}

/** What a screen reader says of a chart: for each series its last and its greatest value. */
export function summarize(
  title: string,
  series: { label: string; values: Values }[],
  format: (n: number) => string,
): string {
  const parts = series
    .map(({ label, values }) => {
      const max = greatest(values);
      return max === null ? null : `${label} ${format(latest(values)!)}, at most ${format(max)}`;
    })
    .filter((part) => part !== null);
  return `${title}: ${parts.length ? parts.join('; ') : 'no data in this range'}`;
}

/** Labels of a time axis: the time of day, and the day where one begins. Seconds only where they differ. */
export function timeLabels(splits: number[], increment: number): string[] {
  const two = (n: number) => String(n).padStart(2, '0');
  return splits.map((s) => {
    const d = new Date(s * 1000);
    const day = `${d.getDate()} ${d.toLocaleString('en', { month: 'short' })}`;
    if (increment >= 86_400 || (d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0))
      return day;
    const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
    return increment >= 60 ? time : `${time}:${two(d.getSeconds())}`;
  });
}

/** The points of a sparkline as SVG paths, one for each stretch without a gap. */
export function sparkPaths(values: Values, width: number, height: number, max: number): string[] {
  const x = (i: number) => (values.length < 2 ? width / 2 : (i / (values.length - 1)) * width);
  const y = (v: number) => height - (max > 0 ? (v / max) * height : 0);
  const paths: string[] = [];
  let path = '';
  values.forEach((v, i) => {
    if (v === null || v === undefined) {
      if (path) paths.push(path);
      path = '';
    } else path += `${path ? 'L' : 'M'}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
  });
  if (path) paths.push(path);
  // A lone point has no length: a short stroke shows it.
  return paths.map((p) => (p.includes('L') ? p : `${p}h0.01`));
}
