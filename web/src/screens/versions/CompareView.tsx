import { Skeleton } from '@mantine/core';
import { IconChevronRight, IconEqual } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import type { Version } from '../../api/queries';
import { useMay } from '../../api/session';
import { formatBytes } from '../../components/format';
import { Tag, type Tone } from '../../components/OutcomeBadge';
import { Panel } from '../../components/Panel';
import { QueryState } from '../../components/states';
import { ChangeTable } from '../configuration/ChangeTable';
import { changesBetween, valuesOf } from '../configuration/fields';
import { changedFiles, type FileChange, type VersionFile } from './files';
import { useVersionFiles } from './queries';
import classes from './Versions.module.css';

const MergeDiff = lazy(() => import('./MergeDiff'));

/** All that differs between two versions: settings, environment, code. */
export function CompareView({ name, before, after }: { name: string; before: Version; after: Version }) {
  const mayReveal = useMay('developer');
  const changes = changesBetween(valuesOf(before), valuesOf(after), before.config.env, after.config.env);
  const sameCode = before.code_digest === after.code_digest;
  return (
    <>
      <Panel title="Configuration" id="configuration-diff">
        {changes.length === 0 ? (
          <Same>Both are configured the same.</Same>
        ) : (
          <ChangeTable
            label="What differs in the configuration"
            changes={changes}
            before={`v${before.number}`}
            after={`v${after.number}`}
            mayReveal={mayReveal}
          />
        )}
      </Panel>
      <Panel title="Code" id="code-diff">
        {sameCode ? (
          <Same>Both have the same code.</Same>
        ) : (
          <CodeChanges name={name} before={before} after={after} />
        )}
      </Panel>
    </>
  );
}

function Same({ children }: { children: string }) {
  return (
    <p className={classes.same}>
      <IconEqual size={17} aria-hidden /> {children}
    </p>
  );
}

function CodeChanges({ name, before, after }: { name: string; before: Version; after: Version }) {
  const was = useVersionFiles(name, before.number);
  const is = useVersionFiles(name, after.number);
  const skeleton = <Skeleton height={240} aria-label="Loading" />;
  return (
    <QueryState query={was} skeleton={skeleton}>
      {(a) => (
        <QueryState query={is} skeleton={skeleton}>
          {(b) => {
            const changes = changedFiles(a.files ?? [], b.files ?? []);
            return (
              <>
                {(a.truncated || b.truncated) && (
                  <p className="soft">
                    There is more code than is shown here: <code>hearth versions {name}</code> tells the
                    digests, and the download of a version has all files.
                  </p>
                )}
                {changes.length === 0 ? (
                  <Same>The files that are shown here are the same.</Same>
                ) : (
                  changes.map((change, i) => (
                    <FileDiff
                      key={change.path}
                      change={change}
                      labels={[`version ${before.number}`, `version ${after.number}`]}
                      open={i < 8 && change.kind !== 'unknown'}
                    />
                  ))
                )}
              </>
            );
          }}
        </QueryState>
      )}
    </QueryState>
  );
}

const kinds: Record<FileChange['kind'], { tone: Tone; text: string }> = {
  added: { tone: 'good', text: 'added' },
  removed: { tone: 'bad', text: 'removed' },
  changed: { tone: 'warn', text: 'changed' },
  unknown: { tone: 'neutral', text: 'can’t be compared' },
};

function FileDiff({
  change,
  labels,
  open: opened,
}: {
  change: FileChange;
  labels: [string, string];
  open: boolean;
}) {
  const [open, setOpen] = useState(opened);
  const { before, after, path } = change;
  const readable = [before, after].every((f) => !f || (f.text !== null && !f.link));
  return (
    <section className={classes.file} aria-label={path} data-file={path}>
      <button type="button" className={classes.fileHead} aria-expanded={open} onClick={() => setOpen(!open)}>
        <IconChevronRight size={15} aria-hidden data-open={open || undefined} />
        <span className="mono">{path}</span>
        <Tag tone={kinds[change.kind].tone}>{kinds[change.kind].text}</Tag>
        <span className={classes.fileSize}>{sizes(before, after)}</span>
      </button>
      {open &&
        (readable && before?.text !== after?.text ? (
          <Suspense fallback={<Skeleton height={160} />}>
            <MergeDiff path={path} before={before?.text ?? ''} after={after?.text ?? ''} labels={labels} />
          </Suspense>
        ) : (
          <p className={classes.fileNote}>{note(before, after)}</p>
        ))}
    </section>
  );
}

function sizes(before?: VersionFile, after?: VersionFile): string {
  if (!before || !after || before.bytes === after.bytes) return formatBytes((after ?? before)!.bytes);
  return `${formatBytes(before.bytes)} → ${formatBytes(after.bytes)}`;
}

function note(before?: VersionFile, after?: VersionFile): string {
  if (before?.link || after?.link) return `A link to ${after?.link ?? before?.link}.`;
  if (before && after && before.text !== null && before.text === after.text)
    return after.executable ? 'It can be executed now.' : 'It can’t be executed any more.';
  return 'It isn’t text, or is over 256 KiB: it can’t be shown here.';
}
