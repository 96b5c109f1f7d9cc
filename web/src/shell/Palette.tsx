import { Button, Kbd, useMantineColorScheme } from '@mantine/core';
import { Spotlight, type SpotlightActionData, spotlight } from '@mantine/spotlight';
import { IconFlame, IconLogout, IconMoon, IconPlayerPause, IconSearch } from '@tabler/icons-react';
import { useLocation } from 'wouter';
import { useFunctions } from '../api/queries';
import { useSignOut } from '../api/session';
import { useScreenHref } from '../hooks/useScreenHref';
import { useLiveClient } from '../live/context';
import { screens } from '../screens';

export function PaletteButton() {
  return (
    <Button
      variant="default"
      size="compact-sm"
      onClick={spotlight.open}
      aria-label="Search Ctrl K"
      leftSection={<IconSearch size={15} stroke={1.8} />}
    >
      <span className="mantine-visible-from-md">
        <span style={{ display: 'inline-flex', gap: 8, alignItems: 'center' }}>
          Search <Kbd size="xs">Ctrl K</Kbd>
        </span>
      </span>
    </Button>
  );
}

/** Ctrl-K: screens, functions and actions by name. */
export function Palette() {
  const [, navigate] = useLocation();
  const href = useScreenHref();
  const functions = useFunctions();
  const live = useLiveClient();
  const signOut = useSignOut();
  const { setColorScheme, colorScheme } = useMantineColorScheme();
  const icon = { size: 18, stroke: 1.6 } as const;
  const hasDetail = screens.some((s) => s.path.startsWith('/functions/:name'));

  const go: SpotlightActionData[] = screens
    .filter((s) => s.nav)
    .map((s) => {
      const Icon = s.nav!.icon;
      return {
        id: s.path,
        label: s.nav!.label,
        leftSection: <Icon {...icon} />,
        onClick: () => navigate(href(s.path)),
      };
    });
  const fns: SpotlightActionData[] = (functions.data ?? []).map((f) => ({
    id: `function ${f.name}`,
    label: f.name,
    description: f.version ? `${f.version.runtime} · version ${f.active_version}` : 'no version serves',
    leftSection: <IconFlame {...icon} />,
    onClick: () =>
      navigate(hasDetail ? href(`/functions/${f.name}`) : href('/functions', { filter: f.name })),
  }));
  const act: SpotlightActionData[] = [
    {
      id: 'theme',
      label: colorScheme === 'dark' ? 'Use the light theme' : 'Use the dark theme',
      leftSection: <IconMoon {...icon} />,
      onClick: () => setColorScheme(colorScheme === 'dark' ? 'light' : 'dark'),
    },
    {
      id: 'pause',
      label: live.status === 'paused' ? 'Resume live updates' : 'Pause live updates',
      leftSection: <IconPlayerPause {...icon} />,
      onClick: () => live.pause(live.status !== 'paused'),
    },
    {
      id: 'sign-out',
      label: 'Sign out',
      leftSection: <IconLogout {...icon} />,
      onClick: () => signOut.mutate(),
    },
  ];
  return (
    <Spotlight
      actions={[
        { group: 'Go to', actions: go },
        { group: 'Functions', actions: fns },
        { group: 'Actions', actions: act },
      ]}
      shortcut="mod + K"
      limit={40}
      scrollable
      maxHeight={460}
      highlightQuery
      attributes={{ content: { 'aria-label': 'Search' } }}
      nothingFound="Nothing by that name"
      searchProps={{
        placeholder: 'Screens, functions, actions',
        leftSection: <IconSearch size={18} />,
        'aria-label': 'Search',
      }}
    />
  );
}
