import { expect, it } from 'vitest';
import { neededStyles } from '../../mantine-styles';

const root = process.cwd();

it('brings the styles of components in use and of their parts, in Mantine’s order', () => {
  const styles = neededStyles(`${root}/src`, `${root}/node_modules/@mantine/core`);
  // A Select is made of these; the shell uses AppShell; nothing uses an Accordion … or a ColorPicker.
  for (const name of [
    'baseline',
    'AppShell',
    'Combobox',
    'Input',
    'Popover',
    'ScrollArea',
    'CloseButton',
    'Notification',
  ])
    expect(styles).toContain(name);
  expect(styles).not.toContain('ColorPicker');
  expect(styles[0]).toBe('baseline');
  expect(styles.indexOf('UnstyledButton')).toBeLessThan(styles.indexOf('Button'));
});
