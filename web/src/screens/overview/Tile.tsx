import { Skeleton } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { Values } from '../../charts/data';
import { Sparkline } from '../../charts/Sparkline';
import type { Delta } from './figures';
import classes from './overview.module.css';

interface TileProps {
  label: string;
  /** Nothing while it is loaded. */
  value?: string;
  /** The change since the period before. */
  delta?: Delta | null;
  /** Below the value. */
  more?: ReactNode;
  values: Values;
  /** A variable of tokens.css. */
  color: string;
  /** What stands behind the number. */
  href?: string;
}

/** A number with its change since the period before and its course. */
export function Tile({ label, value, delta, more, values, color, href }: TileProps) {
  const Arrow = delta?.up ? IconArrowUp : IconArrowDown;
  const content = (
    <>
      <div className={classes.label}>{label}</div>
      <div className={classes.figure}>
        {value === undefined ? (
          <Skeleton height={32} width={96} />
        ) : (
          <span className={`${classes.value} num`}>{value}</span>
        )}
        {delta && (
          <span
            className={classes.delta}
            data-tone={delta.tone}
            title={`${delta.text} ${delta.up ? 'more' : 'less'} than in the period before`}
          >
            {(delta.up || delta.tone) && (
              <Arrow size={14} stroke={2.4} aria-label={delta.up ? 'up' : 'down'} />
            )}
            {delta.text}
          </span>
        )}
      </div>
      <div className={classes.more}>{value !== undefined && (more ?? '\u00a0')}</div>
      <div className={classes.spark}>
        <Sparkline
          values={values}
          label={`${label} over the range`}
          width={300}
          height={36}
          color={color}
          stretch
        />
      </div>
    </>
  );
  return href ? (
    <Link href={href} className={classes.tile} data-tile={label}>
      {content}
    </Link>
  ) : (
    <div className={classes.tile} data-tile={label}>
      {content}
    </div>
  );
}
