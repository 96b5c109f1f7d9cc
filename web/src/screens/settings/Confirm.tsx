import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { asProblem } from '../../api/problem';
import { Trouble } from '../../components/Trouble';

/** Asks before what can't be undone but is small; see ConfirmByName for what is large. */
export function Confirm({
  opened,
  onClose,
  title,
  action,
  run,
  children,
}: {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** On the button. */
  action: string;
  run: () => Promise<unknown>;
  children: ReactNode;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const close = () => {
    setError(null);
    onClose();
  };
  return (
    <Modal opened={opened} onClose={close} title={title}>
      <Stack>
        <Text component="div">{children}</Text>
        {error !== null && <Trouble problem={asProblem(error)} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            Cancel
          </Button>
          <Button
            color="red"
            loading={busy}
            id="confirm"
            onClick={async () => {
              setBusy(true);
              try {
                await run();
                close();
              } catch (e) {
                setError(e);
              } finally {
                setBusy(false);
              }
            }}
          >
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
