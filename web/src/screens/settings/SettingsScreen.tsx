import { Tabs } from '@mantine/core';
import { IconKey, IconServer2, IconUser, IconUsers } from '@tabler/icons-react';
import { Redirect, useLocation } from 'wouter';
import { useMay } from '../../api/session';
import { PageHeader } from '../../components/PageHeader';
import { useScreenHref } from '../../hooks/useScreenHref';
import { KeysTab } from './KeysTab';
import { ServerTab } from './ServerTab';
import classes from './Settings.module.css';
import { UsersTab } from './UsersTab';
import { YouTab } from './YouTab';

const tabs = {
  you: {
    label: 'You',
    icon: IconUser,
    Content: YouTab,
    cli: 'hearth open',
    curl: '/api/v1/whoami',
    admin: false,
  },
  keys: {
    label: 'API keys',
    icon: IconKey,
    Content: KeysTab,
    cli: 'hearth keys',
    curl: '/api/v1/keys',
    admin: false,
  },
  users: {
    label: 'Users',
    icon: IconUsers,
    Content: UsersTab,
    cli: 'hearth users',
    curl: '/api/v1/users',
    admin: true,
  },
  server: {
    label: 'Server',
    icon: IconServer2,
    Content: ServerTab,
    cli: 'hearth doctor',
    curl: '/api/v1/server',
    admin: false,
  },
} as const;

export default function SettingsScreen({ params }: { params: Record<string, string> }) {
  const [, navigate] = useLocation();
  const href = useScreenHref();
  const admin = useMay('admin');
  const name = params.tab ?? 'you';
  if (!Object.hasOwn(tabs, name)) return <Redirect to={href('/settings')} replace />;
  const current = tabs[name as keyof typeof tabs];
  const { Content } = current;
  return (
    <>
      <PageHeader
        title="Settings"
        name={`${current.label} · Settings`}
        cli={current.cli}
        curl={current.curl}
      />
      <Tabs
        value={name}
        onChange={(tab) => navigate(href(tab === 'you' ? '/settings' : `/settings/${tab}`))}
        keepMounted={false}
      >
        <Tabs.List mb="lg" aria-label="Settings">
          {Object.entries(tabs).map(([key, { label, icon: Icon, admin: needsAdmin }]) =>
            needsAdmin && !admin && key !== name ? null : (
              <Tabs.Tab
                key={key}
                value={key}
                leftSection={<Icon size={17} stroke={1.7} />}
                classNames={{ tabSection: classes.tabIcon }}
              >
                {label}
              </Tabs.Tab>
            ),
          )}
        </Tabs.List>
        <Tabs.Panel value={name}>
          <Content />
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
