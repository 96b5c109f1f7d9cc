import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { asProblem } from '../api/problem';

interface ConfirmByNameProps {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** What must be typed. */
  name: string;
  /** What will be gone. */
  children: ReactNode;
  /** On the button: "Delete". */
  action: string;
  /** Does it; the dialog closes when it is done, and shows why if it fails. */
  run: () => Promise<unknown>;
}

/** Asks for the name of what can't be had back. */
export function ConfirmByName({ opened, onClose, title, name, children, action, run }: ConfirmByNameProps) {
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const close = () => {
    setTyped('');
    setError(null);
    onClose();
  };
  const submit = async () => {
    setBusy(true);
    try {
      await run();
      close();
    } catch (e) {
      setError(e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={close} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === name) void submit();
        }}
      >
        <Stack>
          <Text component="div">{children}</Text>
          <TextInput
            label={
              <>
                Type <b>{name}</b> to go on
              </>
            }
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            data-autofocus
            error={
              error
                ? [asProblem(error).message, asProblem(error).hint].filter(Boolean).join(' — ')
                : undefined
            }
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" color="red" disabled={typed !== name} loading={busy}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
