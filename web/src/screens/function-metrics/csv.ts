// Series as comma-separated values, for spreadsheets: a row for each step.
import type { Schemas } from '../../api/client';
import type { MetricSeries } from '../../api/metrics';
import type { Values } from '../../charts/data';

/** The columns of a series by name, as the API names them. Seconds and bytes stay what they are. */
export function columnsOf(series: MetricSeries): [string, Values][] {
  const columns: [string, Values][] = [];
  const add = (name: string, values: Values | null | undefined) => values && columns.push([name, values]);
  add('requests', series.requests);
  add('errors', series.errors);
  for (const [name, values] of Object.entries(series.outcomes ?? {})) add(`outcome_${name}`, values);
  for (const [name, values] of Object.entries(series.starts ?? {})) add(`start_${name}`, values);
  const units = { duration: 'seconds', queue: 'seconds', start: 'seconds', memory: 'bytes' } as const;
  for (const [name, unit] of Object.entries(units))
    for (const [q, values] of Object.entries(series[name as keyof typeof units] ?? {}))
      add(`${name === 'start' ? 'cold_start' : name}_${q}_${unit}`, values);
  add('cpu_seconds', series.cpu);
  add('bytes_in', series.bytes_in);
  add('bytes_out', series.bytes_out);
  for (const [name, values] of Object.entries(series.sandboxes ?? {})) add(`sandboxes_${name}`, values);
  return columns;
}

/** A gap is an empty cell, a zero is a zero. */
export function toCsv(data: Schemas['MetricData'], series: MetricSeries): string {
  const columns = columnsOf(series);
  const rows = [['time', ...columns.map(([name]) => name)]];
  data.at.forEach((at, i) => {
    rows.push([new Date(at * 1000).toISOString(), ...columns.map(([, values]) => String(values[i] ?? ''))]);
  });
  return rows.map((row) => `${row.join(',')}\r\n`).join('');
}

/** Hands a text to the browser as a file to keep. */
export function download(name: string, text: string, type = 'text/csv') {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
