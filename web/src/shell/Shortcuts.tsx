import { Kbd, Modal, Table } from '@mantine/core';
import { useSyncExternalStore } from 'react';
import { shortcuts, useKeys } from '../hooks/useKeys';

let opened = false;
const listeners = new Set<() => void>();
function set(next: boolean) {
  opened = next;
  for (const listener of listeners) listener();
}
export const openShortcuts = () => set(true);

function Keys({ keys }: { keys: string }) {
  return keys.split(' ').map((key, i) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the keys of one shortcut never change places
    <span key={i}>
      {i > 0 && ' then '}
      {key.split('+').map((part, j) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: as above
        <span key={j}>
          {j > 0 && ' + '}
          <Kbd>{part === 'mod' ? 'Ctrl' : part}</Kbd>
        </span>
      ))}
    </span>
  ));
}

/** All shortcuts that work here, on `?`. */
export function Shortcuts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => opened,
  );
  const list = useSyncExternalStore(shortcuts.subscribe, shortcuts.get);
  useKeys([{ keys: '?', label: 'Show the shortcuts', run: openShortcuts }]);
  return (
    <Modal opened={shown} onClose={() => set(false)} title="Keyboard shortcuts">
      <Table>
        <Table.Tbody>
          {list.map((s) => (
            <Table.Tr key={`${s.keys} ${s.label}`}>
              <Table.Td>{s.label}</Table.Td>
              <Table.Td style={{ textAlign: 'right' }}>
                <Keys keys={s.keys} />
              </Table.Td>
            </Table.Tr>
          ))}
          <Table.Tr>
            <Table.Td>Search everything</Table.Td>
            <Table.Td style={{ textAlign: 'right' }}>
              <Keys keys="mod+k" />
            </Table.Td>
          </Table.Tr>
        </Table.Tbody>
      </Table>
    </Modal>
  );
}
