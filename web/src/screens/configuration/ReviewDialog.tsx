import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { asProblem } from '../../api/problem';
import { CodeBlock } from '../../components/CodeBlock';
import { CopyCommand, curlOf } from '../../components/PageHeader';
import { Trouble } from '../../components/Trouble';
import { ChangeTable } from './ChangeTable';
import type { Change } from './fields';

/** Shows what is about to change, and does it. */
export function ReviewDialog({
  name,
  changes,
  deploys,
  patch,
  mostMessage,
  saving,
  error,
  onSave,
  onClose,
}: {
  name: string;
  changes: Change[];
  /** Whether it makes a new version. */
  deploys: boolean;
  patch: Record<string, unknown>;
  mostMessage: number;
  saving: boolean;
  error: unknown;
  onSave: (message: string) => void;
  onClose: () => void;
}) {
  const [message, setMessage] = useState('');
  const problem = error ? asProblem(error) : null;
  const path = `/api/v1/functions/${name}${deploys ? '/config' : ''}`;
  return (
    <Modal
      opened
      onClose={onClose}
      title={deploys ? 'Deploy with these changes?' : 'Save these changes?'}
      size="xl"
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onSave(message.trim());
        }}
      >
        <Stack>
          <div id="review-changes">
            <ChangeTable label="What changes" changes={changes} before="Now" after="Then" mayReveal />
          </div>
          <Text size="sm" className="soft">
            {deploys
              ? 'A new version with the code that serves now. It takes over when it is loaded; if that fails, nothing changes.'
              : 'It holds at once. The version stays.'}
          </Text>
          {deploys && (
            <TextInput
              label="Message"
              description="Why, for those who read the history"
              value={message}
              onChange={(event) => setMessage(event.currentTarget.value)}
              maxLength={mostMessage}
              data-autofocus
              id="save-message"
            />
          )}
          {problem && <Trouble problem={problem} />}
          {problem?.trace && <CodeBlock text={problem.trace} label="Copy the trace" />}
          <Group justify="space-between">
            <CopyCommand
              curl={curlOf(
                path,
                '-X PATCH',
                `-H 'Content-Type: application/${deploys ? 'merge-patch+json' : 'json'}'`,
                `-d '${JSON.stringify(withoutSecrets(patch)).replaceAll("'", `'\\''`)}'`,
              )}
            />
            <Group>
              <Button variant="default" onClick={onClose}>
                Go on editing
              </Button>
              <Button type="submit" loading={saving} id="save">
                {deploys ? 'Deploy' : 'Save'}
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

/** The patch as it may be shown and copied: values of the environment are left out. */
function withoutSecrets(patch: Record<string, unknown>): Record<string, unknown> {
  if (!patch.env) return patch;
  return {
    ...patch,
    env: Object.fromEntries(
      Object.entries(patch.env as Record<string, unknown>).map(([n, v]) => [n, v === null ? null : '…']),
    ),
  };
}
