import { ActionIcon, Button, Modal, Select, Stack, Text, TextInput, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconKey, IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import type { Schemas } from '../../api/client';
import { asProblem } from '../../api/problem';
import { useMay, useSession } from '../../api/session';
import { type Column, DataTable } from '../../components/DataTable';
import { Tag } from '../../components/OutcomeBadge';
import { EmptyState, QueryState } from '../../components/states';
import { Trouble } from '../../components/Trouble';
import { RelativeTime } from '../../components/values';
import { useKeys } from '../../hooks/useKeys';
import { useUrlState } from '../../hooks/useUrlState';
import { Confirm } from './Confirm';
import { addKey, deleteKey, type Key, useChange, useKeysOf, useUsers } from './queries';
import { SecretDialog } from './SecretDialog';
import classes from './Settings.module.css';

const lives = [
  { value: '', label: 'For ever' },
  { value: '24h', label: 'A day' },
  { value: '168h', label: 'A week' },
  { value: '720h', label: '30 days' },
  { value: '2160h', label: '90 days' },
  { value: '8760h', label: 'A year' },
];

/** The keys of oneself; for admins, those of everybody. */
export function KeysTab() {
  const me = useSession().data?.user;
  const admin = useMay('admin');
  const [user, setUser] = useUrlState('user');
  const keys = useKeysOf(admin ? user : '');
  const users = useUsers(admin);
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<Key | null>(null);
  const [made, setMade] = useState<Schemas['CreatedKey'] | null>(null);
  const remove = useChange('keys', deleteKey);
  useKeys([{ keys: 'n', label: 'New key', run: () => setAdding(true) }]);
  const whose = user && user !== me?.name ? user : 'you';

  const columns: Column<Key>[] = [
    { key: 'name', title: 'Name', sort: (k) => k.name, render: (k) => <b>{k.name}</b> },
    {
      key: 'prefix',
      title: 'Starts with',
      width: 150,
      from: 'sm',
      render: (k) => <span className="mono soft">{k.prefix}…</span>,
    },
    {
      key: 'created',
      title: 'Made',
      width: 130,
      from: 'md',
      greatestFirst: true,
      sort: (k) => k.created_at,
      render: (k) => <RelativeTime at={k.created_at} />,
    },
    {
      key: 'used',
      title: 'Last used',
      width: 120,
      greatestFirst: true,
      sort: (k) => k.last_used,
      render: (k) => (k.last_used ? <RelativeTime at={k.last_used} /> : <span className="soft">never</span>),
    },
    {
      key: 'expires',
      title: 'Ends',
      width: 120,
      from: 'sm',
      sort: (k) => k.expires_at,
      render: (k) => <Expiry at={k.expires_at} />,
    },
    {
      key: 'actions',
      title: 'Actions',
      width: 90,
      align: 'right',
      render: (k) => (
        <Tooltip label="Delete">
          <ActionIcon
            aria-label={`Delete the key ${k.name}`}
            onClick={() => setDoomed(k)}
            data-delete={k.name}
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
        {admin && (
          <Select
            label="Keys of"
            data={(users.data ?? []).map((u) => ({
              value: u.name,
              label: u.name === me?.name ? `${u.name} (you)` : u.name,
            }))}
            value={user || (me?.name ?? null)}
            onChange={(name) => setUser(!name || name === me?.name ? '' : name)}
            allowDeselect={false}
            searchable
            w={220}
          />
        )}
        <Text className="soft" size="sm" flex="1 1 16rem">
          A key lets a program or a colleague use the API and the command line with the role of its user. Only
          its first characters are kept in readable form.
        </Text>
        <Button leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)} id="new-key">
          New key
        </Button>
      </div>
      <QueryState query={keys}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState
              title={`No keys for ${whose}`}
              icon={<IconKey size={22} stroke={1.6} />}
              actions={<Button onClick={() => setAdding(true)}>Make a key</Button>}
            >
              The command line, scripts and pipelines need one: set it as HEARTH_API_KEY.
            </EmptyState>
          ) : (
            <div id="keys">
              <DataTable label="API keys" columns={columns} rows={list} rowKey={(k) => k.id} sort="name" />
            </div>
          )
        }
      </QueryState>
      {adding && (
        <NewKeyDialog
          user={admin ? user : ''}
          onClose={() => setAdding(false)}
          onMade={(key) => {
            setAdding(false);
            setMade(key);
          }}
        />
      )}
      {made && (
        <SecretDialog
          title={`The key ${made.key.name}`}
          secret={made.secret}
          onClose={() => setMade(null)}
          forUser={whose === 'you' ? undefined : whose}
        />
      )}
      <Confirm
        opened={doomed !== null}
        onClose={() => setDoomed(null)}
        title="Delete the key?"
        action="Delete"
        run={async () => {
          await remove.mutateAsync(doomed!.id);
          notifications.show({ message: `The key ${doomed!.name} works no more.` });
        }}
      >
        <b>{doomed?.name}</b> (<span className="mono">{doomed?.prefix}…</span>) stops working at once.
        Programs that use it get 401. This can’t be undone.
      </Confirm>
    </>
  );
}

function Expiry({ at }: { at?: string }) {
  if (!at) return <span className="soft">never</span>;
  if (new Date(at).getTime() < Date.now()) return <Tag tone="bad">ended</Tag>;
  return <RelativeTime at={at} />;
}

function NewKeyDialog({
  user,
  onClose,
  onMade,
}: {
  user: string;
  onClose: () => void;
  onMade: (key: Schemas['CreatedKey']) => void;
}) {
  const [name, setName] = useState('');
  const [ttl, setTTL] = useState('');
  const add = useChange('keys', addKey);
  const problem = add.error && asProblem(add.error);
  return (
    <Modal opened onClose={onClose} title={user ? `New key for ${user}` : 'New key'}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim())
            add.mutate(
              { name: name.trim(), user: user || undefined, ttl: ttl || undefined },
              { onSuccess: onMade },
            );
        }}
      >
        <Stack>
          <TextInput
            label="Name"
            description="What it is for, as in “laptop” or “deploys from CI”"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={63}
            data-autofocus
            id="key-name"
          />
          <Select
            label="Works"
            data={lives}
            value={ttl}
            onChange={(v) => setTTL(v ?? '')}
            allowDeselect={false}
          />
          {problem && <Trouble problem={problem} />}
          <Button type="submit" loading={add.isPending} disabled={!name.trim()} id="make-key">
            Make the key
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
