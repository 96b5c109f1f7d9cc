import { IconCode, IconEye, IconShieldCheck } from '@tabler/icons-react';
import type { Role } from '../../api/session';
import { Tag } from '../../components/OutcomeBadge';

const size = { size: 13, stroke: 2, 'aria-hidden': true } as const;

/** What each role may do. */
export const roles: Record<Role, { about: string; icon: React.ReactNode; tone: 'accent' | 'neutral' }> = {
  viewer: {
    about: 'Sees everything but the values of environments. Changes and calls nothing.',
    icon: <IconEye {...size} />,
    tone: 'neutral',
  },
  developer: {
    about: 'Deploys, changes, calls and deletes functions.',
    icon: <IconCode {...size} />,
    tone: 'neutral',
  },
  admin: {
    about: 'Does all that, and manages users and everybody’s keys.',
    icon: <IconShieldCheck {...size} />,
    tone: 'accent',
  },
};

export const roleNames = Object.keys(roles) as Role[];

export function RoleTag({ role }: { role: string }) {
  const known = roles[role as Role];
  return (
    <Tag tone={known?.tone} icon={known?.icon} title={known?.about}>
      {role}
    </Tag>
  );
}
