import { Button, Menu } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconTerminal2 } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './PageHeader.module.css';

/** The same in a terminal. */
export interface Commands {
  /** As in "hearth list". */
  cli?: string;
  /** A path of the API, or a whole curl command. */
  curl?: string;
}

/** A curl command for a path, with the key from the environment as the command line reads it. */
export function curlOf(path: string, ...more: string[]): string {
  return [`curl -H "Authorization: Bearer $HEARTH_API_KEY"`, ...more, `'${location.origin}${path}'`].join(
    ' ',
  );
}

interface PageHeaderProps extends Commands {
  title: ReactNode;
  /** For the title of the window, where title isn't text. */
  name?: string;
  about?: ReactNode;
  /** The buttons at its right. */
  children?: ReactNode;
}

/** The head of each screen: its name, its actions, and how to get the same in a terminal. */
export function PageHeader({ title, name, about, children, cli, curl }: PageHeaderProps) {
  const text = name ?? (typeof title === 'string' ? title : '');
  useDocumentTitle(text ? `${text} · Hearth` : 'Hearth');
  return (
    <header className={classes.header}>
      <div>
        <h1 className={classes.title}>{title}</h1>
        {about && <div className={classes.about}>{about}</div>}
      </div>
      <div className={classes.actions}>
        {(cli || curl) && <CopyCommand cli={cli} curl={curl} />}
        {children}
      </div>
    </header>
  );
}

export function CopyCommand({ cli, curl }: Commands) {
  const copy = (text: string) => {
    navigator.clipboard?.writeText(text).then(
      () => notifications.show({ message: text, title: 'Copied' }),
      () => notifications.show({ message: text, title: 'Copy it from here', autoClose: false }),
    ) ?? notifications.show({ message: text, title: 'Copy it from here', autoClose: false });
  };
  return (
    <Menu position="bottom-end" width={220}>
      <Menu.Target>
        <Button variant="subtle" color="gray" leftSection={<IconTerminal2 size={16} stroke={1.6} />}>
          Copy as
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {cli && <Menu.Item onClick={() => copy(cli)}>Command line</Menu.Item>}
        {curl && (
          <Menu.Item onClick={() => copy(curl.startsWith('curl') ? curl : curlOf(curl))}>curl</Menu.Item>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
