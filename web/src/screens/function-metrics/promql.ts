/** What Prometheus is to be asked for the same charts, of one function. */
export function promqlOf(name: string): { label: string; query: string }[] {
  const of = `{function="${name}"}`;
  const quantile = (q: number, metric: string) =>
    `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket${of}[5m])))`;
  return [
    {
      label: 'Requests by outcome',
      query: `sum by (outcome) (rate(hearth_invocations_total${of}[5m]))`,
    },
    {
      label: 'Error rate',
      query: `sum(rate(hearth_invocations_total{function="${name}",outcome!~"ok|throttled|cancelled"}[5m])) / sum(rate(hearth_invocations_total${of}[5m]))`,
    },
    { label: 'Response time, p99', query: quantile(0.99, 'hearth_invocation_duration_seconds') },
    { label: 'Queue wait, p99', query: quantile(0.99, 'hearth_invocation_queue_seconds') },
    { label: 'Cold starts', query: `sum by (start) (rate(hearth_cold_starts_total${of}[5m]))` },
    { label: 'CPU', query: `rate(hearth_invocation_cpu_seconds_total${of}[5m])` },
    { label: 'Memory peak, p99', query: quantile(0.99, 'hearth_invocation_memory_peak_bytes') },
    {
      label: 'Bytes of replies',
      query: `rate(hearth_invocation_reply_bytes_total${of}[5m])`,
    },
  ];
}
