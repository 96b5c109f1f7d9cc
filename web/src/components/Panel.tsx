import { Fragment, type ReactNode, useId } from 'react';
import classes from './Panel.module.css';

/** A part of a screen with a name. */
export function Panel({
  title,
  about,
  actions,
  children,
  id,
}: {
  title: ReactNode;
  about?: ReactNode;
  /** At the right of the title. */
  actions?: ReactNode;
  children?: ReactNode;
  id?: string;
}) {
  const label = useId();
  return (
    <section className={classes.panel} aria-labelledby={label} id={id}>
      <div className={classes.head}>
        <div>
          <h2 className={classes.title} id={label}>
            {title}
          </h2>
          {about && <div className={classes.about}>{about}</div>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
      <div className={classes.body}>{children}</div>
    </section>
  );
}

/** Names and what is known under them. Those without a value are left out. */
export function Facts({ of }: { of: [name: ReactNode, value: ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {of
        .filter(([, value]) => value !== null && value !== undefined && value !== '')
        .map(([name, value], i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: facts keep their places
          <Fragment key={i}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}

/** What a panel says that has nothing to show. */
export function Nothing({ children }: { children: ReactNode }) {
  return <p className={classes.nothing}>{children}</p>;
}
