import { ActionIcon, Button, Modal, Radio, Select, Stack, TextInput, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconLock, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { type Role, useMay, useSession } from '../../api/session';
import { ConfirmByName } from '../../components/ConfirmByName';
import { type Column, DataTable } from '../../components/DataTable';
import { EmptyState, QueryState } from '../../components/states';
import { Trouble } from '../../components/Trouble';
import { RelativeTime } from '../../components/values';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { addKey, addUser, deleteUser, setRole, type User, useChange, useUsers } from './queries';
import { roleNames, roles } from './roles';
import { SecretDialog } from './SecretDialog';
import classes from './Settings.module.css';

export function UsersTab() {
  const admin = useMay('admin');
  if (admin) return <Users />;
  return (
    <EmptyState title="Only admins see the users" icon={<IconLock size={22} stroke={1.6} />}>
      Ask an admin to add people, or to give you another role.
    </EmptyState>
  );
}

function Users() {
  const me = useSession().data?.user;
  const users = useUsers();
  const href = useScreenHref();
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<User | null>(null);
  const [made, setMade] = useState<Schemas['CreatedKey'] & { user: string }>();
  const change = useChange('users', setRole);
  const remove = useChange('users', deleteUser);
  useKeys([{ keys: 'n', label: 'New user', run: () => setAdding(true) }]);

  const give = (user: User, role: string) =>
    change.mutate(
      { name: user.name, role },
      {
        onSuccess: () => notifications.show({ message: `${user.name} is ${article(role)} now.` }),
        onError: (error) =>
          notifications.show({
            color: 'red',
            title: asProblem(error).message,
            message: asProblem(error).hint ?? '',
          }),
      },
    );

  const columns: Column<User>[] = [
    {
      key: 'name',
      title: 'Name',
      sort: (u) => u.name,
      render: (u) => (
        <>
          <b>{u.name}</b> {u.id === me?.id && <span className="soft">you</span>}
        </>
      ),
    },
    {
      key: 'role',
      title: 'Role',
      width: 150,
      sort: (u) => roleNames.indexOf(u.role as Role),
      render: (u) => (
        <Select
          size="xs"
          aria-label={`Role of ${u.name}`}
          data={roleNames}
          value={u.role}
          allowDeselect={false}
          onChange={(role) => role && role !== u.role && give(u, role)}
        />
      ),
    },
    {
      key: 'keys',
      title: 'Keys',
      width: 90,
      from: 'sm',
      render: (u) => (
        <Link href={href('/settings/keys', u.id === me?.id ? {} : { user: u.name })} className={classes.link}>
          Keys
        </Link>
      ),
    },
    {
      key: 'created',
      title: 'Added',
      width: 120,
      from: 'md',
      greatestFirst: true,
      sort: (u) => u.created_at,
      render: (u) => <RelativeTime at={u.created_at} />,
    },
    {
      key: 'by',
      title: 'By',
      width: 120,
      from: 'md',
      sort: (u) => u.created_by,
      render: (u) => u.created_by,
    },
    {
      key: 'actions',
      title: 'Actions',
      width: 90,
      align: 'right',
      render: (u) => (
        <Tooltip label="Delete">
          <ActionIcon
            aria-label={`Delete the user ${u.name}`}
            onClick={() => setDoomed(u)}
            data-delete={u.name}
          >
            <IconTrash size={17} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      ),
    },
  ];
  return (
    <>
      <div className={classes.bar}>
        <dl className={classes.roles}>
          {roleNames.map((role) => (
            <div key={role}>
              <dt>{role}</dt>
              <dd>{roles[role].about}</dd>
            </div>
          ))}
        </dl>
        <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)} id="new-user">
          New user
        </Button>
      </div>
      <QueryState query={users}>
        {(list) => (
          <div id="users">
            <DataTable label="Users" columns={columns} rows={list} rowKey={(u) => u.name} sort="name" />
          </div>
        )}
      </QueryState>
      {adding && (
        <NewUserDialog
          onClose={() => setAdding(false)}
          onMade={(key, user) => {
            setAdding(false);
            setMade({ ...key, user });
          }}
        />
      )}
      {made && (
        <SecretDialog
          title={`${made.user} can sign in`}
          secret={made.secret}
          forUser={made.user}
          onClose={() => setMade(undefined)}
        />
      )}
      <ConfirmByName
        opened={doomed !== null}
        onClose={() => setDoomed(null)}
        title={`Delete ${doomed?.name}?`}
        name={doomed?.name ?? ''}
        action="Delete"
        run={async () => {
          await remove.mutateAsync(doomed!.name);
          notifications.show({ message: `${doomed!.name} is gone, with all keys.` });
        }}
      >
        All keys of {doomed?.name} stop working at once, and open dashboards of theirs are signed out. What
        they deployed stays.
      </ConfirmByName>
    </>
  );
}

const article = (role: string) => (role === 'admin' ? 'an admin' : `a ${role}`);

/** Adds a user with a first key, which is how they sign in. */
function NewUserDialog({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (key: Schemas['CreatedKey'], user: string) => void;
}) {
  const [name, setName] = useState('');
  const [role, setRoleOf] = useState('developer');
  const add = useChange('users', async (body: { name: string; role: string }) => {
    const user = await addUser(body);
    return { user: user.name, key: await addKey({ name: 'first', user: user.name }) };
  });
  const problem = add.error && asProblem(add.error);
  return (
    <Modal opened onClose={onClose} title="New user">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim())
            add.mutate({ name: name.trim(), role }, { onSuccess: (made) => onMade(made.key, made.user) });
        }}
      >
        <Stack>
          <TextInput
            label="Name"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={63}
            autoComplete="off"
            data-autofocus
            id="user-name"
          />
          <Radio.Group label="Role" value={role} onChange={setRoleOf}>
            <Stack gap="xs" mt={6}>
              {roleNames.map((r) => (
                <Radio key={r} value={r} label={r} description={roles[r].about} id={`role-${r}`} />
              ))}
            </Stack>
          </Radio.Group>
          {problem && <Trouble problem={problem} />}
          <Button type="submit" loading={add.isPending} disabled={!name.trim()} id="make-user">
            Add with a first key
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
