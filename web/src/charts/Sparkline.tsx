import { memo } from 'react';
import { greatest, sparkPaths, type Values } from './data';

interface SparklineProps {
  values: Values;
  /** What a screen reader says instead, as in "requests of hello: at most 12/s". */
  label: string;
  width?: number;
  height?: number;
  /** A variable of tokens.css. */
  color?: string;
  /** The top of the scale; the greatest value if not given. */
  max?: number;
  /** Takes the width that its place has. */
  stretch?: boolean;
}

/** A small line without axes. Gaps are gaps. */
export const Sparkline = memo(function Sparkline(props: SparklineProps) {
  const { values, label, width = 100, height = 28, color = '--chart-1', max, stretch } = props;
  const top = max ?? greatest(values) ?? 0;
  const paths = sparkPaths(values, width, height - 3, top);
  return (
    <svg
      style={{ display: 'block', overflow: 'visible' }}
      width={stretch ? '100%' : width}
      height={height}
      viewBox={`0 -1.5 ${width} ${height}`}
      preserveAspectRatio={stretch ? 'none' : undefined}
      role="img"
      aria-label={label}
    >
      {paths.map((d) => {
        const start = /^M([\d.]+)/.exec(d)?.[1];
        const end = /([\d.]+) [\d.]+$/.exec(d)?.[1] ?? start;
        return (
          <g key={d}>
            {d.includes('L') && (
              <path
                d={`${d}L${end} ${height - 3}L${start} ${height - 3}Z`}
                fill={`var(${color})`}
                opacity={0.14}
              />
            )}
            <path
              d={d}
              fill="none"
              stroke={`var(${color})`}
              strokeWidth={d.includes('L') ? 1.5 : 4}
              vectorEffect="non-scaling-stroke"
              strokeLinecap="round"
              strokeLinejoin="round"
            />
          </g>
        );
      })}
    </svg>
  );
});
