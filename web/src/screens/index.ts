// All screens: one entry each. The shell makes routes, navigation, palette and shortcuts of them.
// Each screen is a chunk of its own, loaded when it is opened.
import {
  IconActivity,
  IconApi,
  IconBox,
  IconBug,
  IconFileText,
  IconLambda,
  IconLayoutDashboard,
  IconReceipt,
  IconSettings,
} from '@tabler/icons-react';
import { type ComponentType, type LazyExoticComponent, lazy } from 'react';

export interface Screen {
  /** Below /ui, as wouter writes patterns: "/functions/:name". */
  path: string;
  component: LazyExoticComponent<ComponentType<{ params: Record<string, string> }>>;
  /** In the navigation, for those that have a place there. */
  nav?: {
    label: string;
    icon: ComponentType<{ size?: number; stroke?: number }>;
    /** The second key of its shortcut: g and then this. */
    key: string;
  };
  /**
   * Makes it a tab of a function: its path is "/functions/:name…", and it is shown in the frame with the
   * function's name. Tabs come in the order of this list. A tab has no PageHeader of its own.
   */
  tab?: { label: string };
}

export const screens: Screen[] = [
  {
    path: '/overview',
    component: lazy(() => import('./overview/OverviewScreen')),
    nav: { label: 'Overview', icon: IconLayoutDashboard, key: 'o' },
  },
  {
    path: '/functions',
    component: lazy(() => import('./functions/FunctionsScreen')),
    nav: { label: 'Functions', icon: IconLambda, key: 'f' },
  },
  { path: '/new', component: lazy(() => import('./new/NewScreen')) },
  { path: '/start', component: lazy(() => import('./start/StartScreen')) },
  {
    path: '/functions/:name',
    component: lazy(() => import('./function-overview/FunctionOverviewScreen')),
    tab: { label: 'Overview' },
  },
  {
    path: '/functions/:name/metrics',
    component: lazy(() => import('./function-metrics/FunctionMetricsScreen')),
    tab: { label: 'Metrics' },
  },
  {
    path: '/functions/:name/code',
    component: lazy(() => import('./code/CodeScreen')),
    tab: { label: 'Code' },
  },
  {
    path: '/invocations',
    component: lazy(() => import('./invocations/InvocationsScreen')),
    nav: { label: 'Invocations', icon: IconActivity, key: 'i' },
  },
  {
    path: '/functions/:name/invocations',
    component: lazy(() => import('./invocations/FunctionInvocations')),
    tab: { label: 'Invocations' },
  },
  {
    path: '/functions/:name/errors',
    component: lazy(() => import('./errors/FunctionErrors')),
    tab: { label: 'Errors' },
  },
  {
    path: '/functions/:name/logs',
    component: lazy(() => import('./logs/FunctionLogs')),
    tab: { label: 'Logs' },
  },
  { path: '/invocations/:id', component: lazy(() => import('./invocations/InvocationScreen')) },
  {
    path: '/errors',
    component: lazy(() => import('./errors/ErrorsScreen')),
    nav: { label: 'Errors', icon: IconBug, key: 'e' },
  },
  {
    path: '/logs',
    component: lazy(() => import('./logs/LogsScreen')),
    nav: { label: 'Logs', icon: IconFileText, key: 'l' },
  },
  {
    path: '/sandboxes',
    component: lazy(() => import('./sandboxes/SandboxesScreen')),
    nav: { label: 'Sandboxes', icon: IconBox, key: 'b' },
  },
  {
    path: '/functions/:name/versions',
    component: lazy(() => import('./versions/VersionsTab')),
    tab: { label: 'Versions' },
  },
  {
    path: '/functions/:name/configuration',
    component: lazy(() => import('./configuration/ConfigurationTab')),
    tab: { label: 'Configuration' },
  },
  {
    path: '/usage',
    component: lazy(() => import('./usage/UsageScreen')),
    nav: { label: 'Usage', icon: IconReceipt, key: 'u' },
  },
  {
    path: '/api-reference',
    component: lazy(() => import('./api-reference/ApiReferenceScreen')),
    nav: { label: 'API reference', icon: IconApi, key: 'a' },
  },
  {
    path: '/settings',
    component: lazy(() => import('./settings/SettingsScreen')),
    nav: { label: 'Settings', icon: IconSettings, key: ',' },
  },
  { path: '/settings/:tab', component: lazy(() => import('./settings/SettingsScreen')) },
];

/** Where /ui/ leads. */
export const home = '/overview';
