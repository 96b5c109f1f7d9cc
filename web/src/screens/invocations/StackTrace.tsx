import { Link } from 'wouter';
import { CopyIcon } from '../../components/CodeBlock';
import { screens } from '..';
import classes from './InvocationDetail.module.css';
import { codeHref, parseTrace } from './trace';

/** Whether there is a screen that shows code. */
export const showsCode = () => screens.some((s) => /^\/functions\/:name\/(code|:|\*|\?)/.test(s.path));

/** A trace whose frames in the function's code lead to the line. */
export function StackTrace({ trace, name, version }: { trace: string; name: string; version: number }) {
  const links = showsCode();
  return (
    <div className={classes.trace}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        {parseTrace(trace).map((l, i) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: the lines never change places
            key={i}
            data-own={l.frame?.own || undefined}
            data-foreign={(l.place && !l.frame?.own) || undefined}
          >
            {l.before}
            {l.frame && links ? <Link href={codeHref(name, version, l.frame)}>{l.place}</Link> : l.place}
            {l.after}
            {'\n'}
          </span>
        ))}
      </pre>
      <div className={classes.copy}>
        <CopyIcon value={trace} label="Copy the trace" />
      </div>
    </div>
  );
}
