import {
  ActionIcon,
  Alert,
  Button,
  Group,
  Modal,
  Stack,
  Text,
  Textarea,
  TextInput,
  Tooltip,
} from '@mantine/core';
import { IconClipboardText, IconEye, IconEyeOff, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { CopyIcon } from '../../components/CodeBlock';
import { Panel } from '../../components/Panel';
import classes from './Configuration.module.css';
import { type EnvRow, envOf, mergeRows, parseDotEnv } from './env';

/** The environment as names and values; values are hidden until somebody asks for them. */
export function EnvEditor({
  rows,
  onChange,
  mayReveal,
  error,
}: {
  rows: EnvRow[];
  onChange: (rows: EnvRow[]) => void;
  /** Those who may change it see the values; others see the names only. */
  mayReveal: boolean;
  error?: string;
}) {
  const [shown, setShown] = useState<Set<string>>(new Set());
  const [pasting, setPasting] = useState(false);
  const all = rows.length > 0 && rows.every((r) => shown.has(r.id));
  const show = (id: string) =>
    setShown((now) => {
      const next = new Set(now);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const change = (id: string, change: Partial<EnvRow>) =>
    onChange(rows.map((r) => (r.id === id ? { ...r, ...change } : r)));
  return (
    <Panel
      title="Environment"
      id="environment"
      about={
        mayReveal
          ? 'Variables that the function finds in its environment. Developers and admins see the values, viewers the names.'
          : 'The values are seen by developers and admins.'
      }
      actions={
        mayReveal && (
          <>
            {rows.length > 0 && (
              <Button
                variant="subtle"
                color="gray"
                aria-pressed={all}
                leftSection={all ? <IconEyeOff size={16} /> : <IconEye size={16} />}
                onClick={() => setShown(all ? new Set() : new Set(rows.map((r) => r.id)))}
              >
                {all ? 'Hide values' : 'Show values'}
              </Button>
            )}
            <Button
              variant="default"
              leftSection={<IconClipboardText size={16} stroke={1.7} />}
              onClick={() => setPasting(true)}
              id="paste-env"
            >
              Paste .env
            </Button>
          </>
        )
      }
    >
      {rows.length === 0 && <p className={classes.none}>No variables.</p>}
      {mayReveal ? (
        <ul className={classes.env} aria-label="Variables">
          {rows.map((row) => {
            const open = shown.has(row.id);
            const name = row.name || 'the new variable';
            return (
              <li key={row.id} data-env={row.name}>
                <TextInput
                  aria-label={`Name of ${name}`}
                  placeholder="NAME"
                  value={row.name}
                  onChange={(event) => change(row.id, { name: event.currentTarget.value.trim() })}
                  onPaste={(event) => {
                    const text = event.clipboardData.getData('text');
                    const { values } = parseDotEnv(text);
                    if (row.name || row.value || Object.keys(values).length === 0) return;
                    event.preventDefault();
                    onChange(mergeRows(rows, values));
                  }}
                  classNames={{ input: 'mono' }}
                  autoComplete="off"
                  spellCheck={false}
                />
                {open ? (
                  <Textarea
                    aria-label={`Value of ${name}`}
                    value={row.value}
                    onChange={(event) => change(row.id, { value: event.currentTarget.value })}
                    autosize
                    minRows={1}
                    maxRows={8}
                    classNames={{ input: 'mono' }}
                    spellCheck={false}
                  />
                ) : (
                  <TextInput
                    type="password"
                    aria-label={`Value of ${name}`}
                    value={row.value.replaceAll('\n', ' ')}
                    onChange={(event) => change(row.id, { value: event.currentTarget.value })}
                    readOnly={row.value.includes('\n')}
                    autoComplete="new-password"
                  />
                )}
                <Group gap={2} wrap="nowrap">
                  <Tooltip label={open ? 'Hide' : 'Show'}>
                    <ActionIcon
                      aria-label={`${open ? 'Hide' : 'Show'} the value of ${name}`}
                      aria-pressed={open}
                      onClick={() => show(row.id)}
                    >
                      {open ? <IconEyeOff size={17} stroke={1.6} /> : <IconEye size={17} stroke={1.6} />}
                    </ActionIcon>
                  </Tooltip>
                  <CopyIcon value={row.value} label={`Copy the value of ${name}`} />
                  <Tooltip label="Take away">
                    <ActionIcon
                      aria-label={`Take away ${name}`}
                      onClick={() => onChange(rows.filter((r) => r.id !== row.id))}
                    >
                      <IconTrash size={17} stroke={1.6} />
                    </ActionIcon>
                  </Tooltip>
                </Group>
              </li>
            );
          })}
        </ul>
      ) : (
        <ul className={classes.names}>
          {rows.map((r) => (
            <li key={r.id} className="mono">
              {r.name}
            </li>
          ))}
        </ul>
      )}
      {error && (
        <Text c="var(--h-bad)" size="sm" mt="xs" role="alert">
          {error}
        </Text>
      )}
      {mayReveal && (
        <Button
          variant="subtle"
          leftSection={<IconPlus size={16} />}
          mt="sm"
          onClick={() => onChange([...rows, { id: crypto.randomUUID(), name: '', value: '' }])}
          id="add-env"
        >
          Add a variable
        </Button>
      )}
      {pasting && (
        <PasteDialog
          known={envOf(rows)}
          onClose={() => setPasting(false)}
          onPaste={(values) => {
            onChange(mergeRows(rows, values));
            setPasting(false);
          }}
        />
      )}
    </Panel>
  );
}

function PasteDialog({
  known,
  onClose,
  onPaste,
}: {
  known: Record<string, string>;
  onClose: () => void;
  onPaste: (values: Record<string, string>) => void;
}) {
  const [text, setText] = useState('');
  const { values, wrong } = parseDotEnv(text);
  const names = Object.keys(values);
  const changed = names.filter((n) => Object.hasOwn(known, n)).length;
  return (
    <Modal opened onClose={onClose} title="Paste a .env file" size="lg">
      <Stack>
        <Textarea
          label="Lines of NAME=value"
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          autosize
          minRows={8}
          maxRows={18}
          classNames={{ input: 'mono' }}
          spellCheck={false}
          data-autofocus
          id="dot-env"
        />
        {wrong.length > 0 && (
          <Alert color="yellow" title={`Not read: line ${wrong.join(', ')}`}>
            A line is NAME=value, a comment that begins with #, or empty.
          </Alert>
        )}
        <Group justify="space-between">
          <Text size="sm" className="soft">
            {names.length === 0
              ? 'Nothing is saved yet: you see the difference before.'
              : `${names.length - changed} new, ${changed} that are there already`}
          </Text>
          <Button disabled={names.length === 0} onClick={() => onPaste(values)} id="take-env">
            Take {names.length || ''}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
