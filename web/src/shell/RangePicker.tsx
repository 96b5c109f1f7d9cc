import { Button, Group, Menu, Modal, Stack, TextInput } from '@mantine/core';
import { IconCalendarTime, IconChevronDown } from '@tabler/icons-react';
import { useState } from 'react';
import { formatTime } from '../components/format';
import { type RangeName, ranges, useTimeRange } from '../hooks/useTimeRange';

const names: Record<RangeName, string> = {
  '15m': 'Last 15 minutes',
  '1h': 'Last hour',
  '6h': 'Last 6 hours',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
};

/** A moment as a field for local date and time wants it. */
const forField = (seconds: number) => formatTime(seconds * 1000, { millis: false }).replace(' ', 'T');

/** Chooses the span of time of all screens. */
export function RangePicker() {
  const { range, choose, zoom } = useTimeRange();
  const [custom, setCustom] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const label =
    range.name === 'custom'
      ? `${formatTime(range.from! * 1000, { millis: false })} – ${formatTime(range.to! * 1000, { millis: false })}`
      : names[range.name];
  const short = range.name === 'custom' ? 'Custom' : range.name;
  const start = Date.parse(from) / 1000;
  const end = Date.parse(to) / 1000;
  const wrong = from && to && !(end > start) ? 'The end must be after the start' : undefined;
  return (
    <>
      <Menu position="bottom-end" width={200} shadow="md">
        <Menu.Target>
          <Button
            variant="subtle"
            color="gray"
            size="compact-sm"
            aria-label={`Time range: ${label}, ${short}`}
            leftSection={<IconCalendarTime size={16} stroke={1.6} />}
            rightSection={<IconChevronDown size={14} />}
          >
            <span className="mantine-visible-from-md num">{label}</span>
            <span className="mantine-hidden-from-md">{short}</span>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(ranges) as RangeName[]).map((name) => (
            <Menu.Item
              key={name}
              onClick={() => choose(name)}
              aria-current={range.name === name || undefined}
              fw={range.name === name ? 600 : undefined}
            >
              {names[name]}
            </Menu.Item>
          ))}
          <Menu.Divider />
          <Menu.Item
            onClick={() => {
              const now = Date.now() / 1000;
              setFrom(forField(range.from ?? now - range.seconds));
              setTo(forField(range.to ?? now));
              setCustom(true);
            }}
          >
            Custom…
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={custom} onClose={() => setCustom(false)} title="Time range" size="sm">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (!(end > start)) return;
            zoom(start, end);
            setCustom(false);
          }}
        >
          <Stack gap="sm">
            <TextInput
              type="datetime-local"
              step={1}
              label="From"
              value={from}
              onChange={(e) => setFrom(e.currentTarget.value)}
            />
            <TextInput
              type="datetime-local"
              step={1}
              label="To"
              value={to}
              onChange={(e) => setTo(e.currentTarget.value)}
              error={wrong}
            />
            <Group justify="flex-end">
              <Button type="submit" disabled={!(end > start)}>
                Show
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </>
  );
}
