import { Button, Group, Stack } from '@mantine/core';
import { IconLink } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { type Role, useSession } from '../../api/session';
import { CodeBlock } from '../../components/CodeBlock';
import { Facts, Panel } from '../../components/Panel';
import { Trouble } from '../../components/Trouble';
import { RelativeTime } from '../../components/values';
import { RoleTag, roles } from './roles';

/** Who is signed in, and how to sign in elsewhere. */
export function YouTab() {
  const session = useSession();
  const link = useMutation({ mutationFn: () => unwrap(api.POST('/api/v1/whoami/sign-in-links')) });
  const user = session.data?.user;
  if (!user) return null;
  return (
    <>
      <Panel title="Signed in" id="identity">
        <Facts
          of={[
            ['Name', <b key="name">{user.name}</b>],
            [
              'Role',
              <Group key="role" gap="xs">
                <RoleTag role={user.role} />
                <span className="soft">{roles[user.role as Role]?.about}</span>
              </Group>,
            ],
            ['Added', <RelativeTime key="at" at={user.created_at} />],
            ['Added by', user.created_by],
          ]}
        />
      </Panel>
      <Panel
        title="Sign in on another device"
        about="A link that signs one browser in as you, once, within ten minutes. Whoever opens it first has it: send it to nobody else."
        actions={
          <Button
            variant="default"
            leftSection={<IconLink size={16} stroke={1.7} />}
            loading={link.isPending}
            onClick={() => link.mutate()}
          >
            Make a link
          </Button>
        }
      >
        <Stack gap="xs" aria-live="polite">
          {link.error && <Trouble problem={asProblem(link.error)} />}
          {link.data ? (
            <>
              <CodeBlock text={link.data.url} label="Copy the link" wrap />
              <span className="soft">
                It ends <RelativeTime at={link.data.expires_at} />.
              </span>
            </>
          ) : (
            <span className="soft">
              On the server’s own machine, <code className="mono">hearth open</code> does the same.
            </span>
          )}
        </Stack>
      </Panel>
    </>
  );
}
