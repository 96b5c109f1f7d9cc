import { AppShell, Burger } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Suspense, useEffect } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import { useServer } from '../api/queries';
import type { Identity } from '../api/session';
import { EmptyState, SkeletonRows } from '../components/states';
import { useKeys } from '../hooks/useKeys';
import { useScreenHref } from '../hooks/useScreenHref';
import { home, type Screen, screens } from '../screens';
import { Boundary } from './Boundary';
import { FunctionFrame } from './FunctionFrame';
import { LiveBadge } from './LiveBadge';
import { Logo } from './Logo';
import { Palette, PaletteButton } from './Palette';
import { RangePicker } from './RangePicker';
import classes from './Shell.module.css';
import { Shortcuts } from './Shortcuts';
import { UserMenu } from './UserMenu';

/** Where a function opens as long as no screen has its bare address. */
const firstTab = screens.find((s) => s.tab)?.path.replace('/functions/:name', '') ?? '';

/** A screen; those that are tabs of a function, in its frame. */
function Opened({ screen, params }: { screen: Screen; params: Record<string, string> }) {
  const content = <screen.component params={params} />;
  return screen.tab ? (
    <FunctionFrame key={params.name} name={params.name!}>
      <Suspense fallback={<SkeletonRows rows={4} />}>{content}</Suspense>
    </FunctionFrame>
  ) : (
    content
  );
}

const inNav = screens.filter((s) => s.nav);

/** The frame of all screens. */
export function Shell({ identity }: { identity: Identity }) {
  const [opened, nav] = useDisclosure(false);
  const [location, navigate] = useLocation();
  const href = useScreenHref();
  const server = useServer();
  useKeys(
    inNav.map((s) => ({
      keys: `g ${s.nav!.key}`,
      label: `Go to ${s.nav!.label}`,
      run: () => navigate(href(s.path)),
    })),
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: another screen closes the menu
  useEffect(() => nav.close(), [location]);

  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 220, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={0}
    >
      <a className={classes.skip} href="#content">
        Skip to the content
      </a>
      <AppShell.Header className={classes.header}>
        <Burger opened={opened} onClick={nav.toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
        <Link href={href(home)} className={classes.brand} aria-label="Hearth, home">
          <Logo />
          <span className="mantine-visible-from-xs">Hearth</span>
        </Link>
        <div style={{ flex: 1 }} />
        <PaletteButton />
        <RangePicker />
        <LiveBadge />
        <UserMenu identity={identity} />
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} aria-label="Screens">
        <AppShell.Section grow>
          {inNav.map((s) => {
            const Icon = s.nav!.icon;
            const here = location === s.path || location.startsWith(`${s.path}/`);
            return (
              <Link
                key={s.path}
                href={href(s.path)}
                className={classes.link}
                aria-current={here ? 'page' : undefined}
              >
                <Icon size={19} stroke={1.7} />
                {s.nav!.label}
              </Link>
            );
          })}
        </AppShell.Section>
        <div className={classes.foot}>{server.data && `Hearth ${server.data.version}`}</div>
      </AppShell.Navbar>
      <AppShell.Main className={classes.main} id="content" tabIndex={-1}>
        <div className={classes.content}>
          <Boundary at={location}>
            <Suspense fallback={<SkeletonRows />}>
              <Switch>
                {screens.map((s) => (
                  <Route key={s.path} path={s.path}>
                    {(params) => <Opened screen={s} params={params as Record<string, string>} />}
                  </Route>
                ))}
                <Route path="/functions/:name">
                  {({ name }) => <Redirect to={href(`/functions/${name}${firstTab}`)} replace />}
                </Route>
                <Route path="/">
                  <Redirect to={home} replace />
                </Route>
                <Route>
                  <EmptyState title="There is nothing here">
                    No screen has the address <code>{location}</code>.{' '}
                    <Link href={href(home)}>Go to the start</Link>
                  </EmptyState>
                </Route>
              </Switch>
            </Suspense>
          </Boundary>
        </div>
      </AppShell.Main>
      <Palette />
      <Shortcuts />
    </AppShell>
  );
}
