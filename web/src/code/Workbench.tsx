// Files at the left, what is open in tabs, the editor below them. It holds no files: the screen does.
import { ActionIcon, Button, Group, Menu, Modal, TextInput, Tooltip } from '@mantine/core';
import {
  IconArrowBackUp,
  IconDots,
  IconFile,
  IconFilePlus,
  IconPencil,
  IconTrash,
  IconX,
} from '@tabler/icons-react';
import { type DragEvent, useEffect, useState } from 'react';
import { filesFromDrop } from './drop';
import type { Marker } from './Editor';
import { LazyEditor } from './LazyEditor';
import type { Location } from './locations';
import classes from './Workbench.module.css';
import {
  add,
  changes,
  edit,
  find,
  isChanged,
  remove,
  rename,
  type SourceFile,
  type Workspace,
  wrongPath,
} from './workspace';

interface WorkbenchProps {
  workspace: Workspace;
  onChange: (next: Workspace) => void;
  readOnly?: boolean;
  /** By path. */
  markers?: Record<string, Marker[]>;
  /** Opens a file at a line whenever it is another object. */
  goTo?: Location | null;
  onSave?: () => void;
  onRun?: () => void;
  /** Says what was wrong with dropped files. */
  onProblem?: (error: unknown) => void;
}

/** The file that a person wants to see first. */
export function mainFile(w: Workspace): string {
  const paths = w.files.filter((f) => f.text !== null).map((f) => f.path);
  const usual = /^(main|index|handler|app|lambda_function)\.(py|[cm]?[jt]s)$/;
  return (
    paths.find((p) => usual.test(p)) ?? paths.find((p) => /\.(py|[cm]?[jt]s)$/.test(p)) ?? paths[0] ?? ''
  );
}

const folderOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Those of no folder first, then folder by folder. */
function inFolders(files: SourceFile[]): SourceFile[] {
  return [...files].sort(
    (a, b) => folderOf(a.path).localeCompare(folderOf(b.path)) || a.path.localeCompare(b.path),
  );
}

export function Workbench(props: WorkbenchProps) {
  const { workspace: w, onChange, readOnly = false, markers = {}, goTo, onSave, onRun, onProblem } = props;
  const [tabs, setTabs] = useState<string[]>(() => [mainFile(w)].filter(Boolean));
  const [active, setActive] = useState(tabs[0] ?? '');
  const [naming, setNaming] = useState<{ from?: string } | null>(null);
  const [over, setOver] = useState(false);
  const open = (path: string) => {
    setTabs((now) => (now.includes(path) ? now : [...now, path]));
    setActive(path);
  };
  const close = (path: string) => {
    const left = tabs.filter((t) => t !== path);
    setTabs(left);
    if (active === path) setActive(left[left.length - 1] ?? '');
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: each place is gone to once
  useEffect(() => {
    if (goTo) open(goTo.path);
  }, [goTo]);

  const current = find(w, active) ? active : mainFile(w);
  const file = find(w, current);
  const shownTabs = tabs.filter((t) => find(w, t));
  const gone = changes(w).filter((path) => !find(w, path));
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (readOnly) return;
    try {
      const files = await filesFromDrop(event.dataTransfer);
      if (files.length === 0) return;
      onChange(add(w, ...files));
      const first = files.find((f) => f.text !== null);
      if (first) open(first.path);
    } catch (error) {
      onProblem?.(error);
    }
  };

  let folder = '';
  return (
    <section
      className={`${classes.bench} ${over ? classes.drop : ''}`}
      aria-label="Code"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(!readOnly);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div className={classes.files}>
        <div className={classes.head}>
          Files
          {!readOnly && (
            <Tooltip label="New file">
              <ActionIcon size="sm" aria-label="New file" onClick={() => setNaming({})}>
                <IconFilePlus size={16} stroke={1.6} />
              </ActionIcon>
            </Tooltip>
          )}
        </div>
        {inFolders(w.files).map((f) => {
          const at = f.path.lastIndexOf('/');
          const dir = folderOf(f.path);
          const heading = dir !== folder && dir !== '' ? dir : null;
          folder = dir;
          return (
            <div key={f.path}>
              {heading && <div className={classes.folder}>{heading}/</div>}
              <div
                className={classes.file}
                style={{ marginLeft: dir ? 10 : 0 }}
                data-open={f.path === current || undefined}
              >
                <button
                  type="button"
                  className={classes.open}
                  onClick={() => open(f.path)}
                  title={f.path}
                  aria-current={f.path === current || undefined}
                >
                  <IconFile size={14} stroke={1.6} aria-hidden />
                  <span>{f.path.slice(at + 1)}</span>
                  {isChanged(w, f.path) && <i className={classes.dot} role="img" aria-label="changed" />}
                </button>
                {!readOnly && (
                  <Menu position="bottom-end" width={170} shadow="md">
                    <Menu.Target>
                      <ActionIcon size="xs" aria-label={`More about ${f.path}`} mr={4}>
                        <IconDots size={14} />
                      </ActionIcon>
                    </Menu.Target>
                    <Menu.Dropdown>
                      <Menu.Item
                        leftSection={<IconPencil size={15} stroke={1.6} />}
                        onClick={() => setNaming({ from: f.path })}
                      >
                        Rename…
                      </Menu.Item>
                      {isChanged(w, f.path) && w.deployed.has(f.path) && (
                        <Menu.Item
                          leftSection={<IconArrowBackUp size={15} stroke={1.6} />}
                          onClick={() => onChange(add(w, w.deployed.get(f.path)!))}
                        >
                          Undo all changes
                        </Menu.Item>
                      )}
                      <Menu.Item
                        color="red"
                        leftSection={<IconTrash size={15} stroke={1.6} />}
                        onClick={() => onChange(remove(w, f.path))}
                      >
                        Delete
                      </Menu.Item>
                    </Menu.Dropdown>
                  </Menu>
                )}
              </div>
            </div>
          );
        })}
        {gone.map((path) => (
          <div key={path} className={`${classes.file} ${classes.gone}`}>
            <button
              type="button"
              className={classes.open}
              onClick={() => onChange(add(w, w.deployed.get(path)!))}
              title="Bring it back"
            >
              <IconArrowBackUp size={14} stroke={1.6} aria-label="deleted; bring back" />
              <span>{path}</span>
            </button>
          </div>
        ))}
      </div>
      <div className={classes.pane}>
        <div className={classes.tabs}>
          {shownTabs.map((path) => (
            <div key={path} className={classes.tab} data-active={path === current || undefined}>
              <button
                type="button"
                aria-pressed={path === current}
                onClick={() => setActive(path)}
                title={path}
              >
                {path.slice(path.lastIndexOf('/') + 1)}
                {isChanged(w, path) && <i className={classes.dot} role="img" aria-label="changed" />}
              </button>
              <button type="button" aria-label={`Close ${path}`} onClick={() => close(path)}>
                <IconX size={13} />
              </button>
            </div>
          ))}
        </div>
        {!file ? (
          <div className={classes.none}>
            {readOnly ? 'There are no files.' : 'No file is open. Make one, or drop files here.'}
          </div>
        ) : file.text === null ? (
          <div className={classes.none}>{file.path} isn’t text; it is deployed as it is.</div>
        ) : (
          <div className={classes.editor}>
            <LazyEditor
              path={file.path}
              value={file.text}
              readOnly={readOnly}
              label={`Code of ${file.path}`}
              markers={markers[file.path]}
              goTo={goTo?.path === file.path ? goTo : null}
              onChange={(text) => onChange(edit(w, file.path, text))}
              onSave={onSave}
              onRun={onRun}
            />
          </div>
        )}
      </div>
      {naming && (
        <NameFile
          workspace={w}
          from={naming.from}
          onClose={() => setNaming(null)}
          onName={(path) => {
            const from = naming.from;
            setNaming(null);
            if (from === undefined) onChange(add(w, { path, text: '' }));
            else {
              onChange(rename(w, from, path));
              setTabs((now) => now.map((t) => (t === from ? path : t)));
            }
            open(path);
          }}
        />
      )}
    </section>
  );
}

function NameFile({
  workspace,
  from,
  onClose,
  onName,
}: {
  workspace: Workspace;
  from?: string;
  onClose: () => void;
  onName: (path: string) => void;
}) {
  const [path, setPath] = useState(from ?? '');
  const wrong = wrongPath(workspace, path.trim(), from);
  return (
    <Modal opened onClose={onClose} title={from === undefined ? 'New file' : `Rename ${from}`} size="sm">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!wrong) onName(path.trim());
        }}
      >
        <TextInput
          label="Path"
          placeholder="lib/prices.py"
          value={path}
          onChange={(event) => setPath(event.currentTarget.value)}
          error={path !== '' && wrong}
          data-autofocus
        />
        <Group justify="flex-end" mt="md">
          <Button type="submit" disabled={!!wrong}>
            {from === undefined ? 'Make it' : 'Rename'}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
