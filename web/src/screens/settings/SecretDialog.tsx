import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { IconEyeOff } from '@tabler/icons-react';
import { useServer } from '../../api/queries';
import { CodeBlock } from '../../components/CodeBlock';

/** Shows a key's secret, this once. */
export function SecretDialog({
  title,
  secret,
  onClose,
  forUser,
}: {
  title: string;
  secret: string;
  onClose: () => void;
  /** Somebody else, who has to get it. */
  forUser?: string;
}) {
  const server = useServer();
  const url = server.data?.url ?? location.origin;
  return (
    <Modal opened onClose={onClose} title={title} size="lg" closeOnClickOutside={false}>
      <Stack>
        <Alert color="yellow" icon={<IconEyeOff size={18} />} title="Copy it now">
          It is shown this once; the server keeps only its hash.
        </Alert>
        <div id="secret">
          <CodeBlock text={secret} label="Copy the key" wrap />
        </div>
        {forUser && (
          <Text size="sm">
            Give it to {forUser} in a way that nobody else reads. With it they sign in at{' '}
            <span className="mono">{url}/ui/</span>.
          </Text>
        )}
        <Text size="sm" className="soft">
          The command line and the examples read it from the environment:
        </Text>
        <CodeBlock
          label="Copy the commands"
          text={`export HEARTH_URL=${url}\nexport HEARTH_API_KEY=…\ncurl -H "Authorization: Bearer $HEARTH_API_KEY" "$HEARTH_URL/api/v1/whoami"`}
        />
        <Group justify="flex-end">
          <Button onClick={onClose}>I have it</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
