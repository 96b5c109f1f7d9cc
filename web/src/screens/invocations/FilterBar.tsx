import { Button, Collapse, Select } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconAdjustmentsHorizontal, IconSearch } from '@tabler/icons-react';
import { useRef } from 'react';
import { useFunctions } from '../../api/queries';
import { words } from '../../components/format';
import { outcomes } from '../../components/OutcomeBadge';
import { useKeys } from '../../hooks/useKeys';
import classes from './FilterBar.module.css';
import { durationOf, type Filters, isFiltered, type Order, presetOf, presets, withPreset } from './filters';
import { LazyInput } from './LazyInput';

const orderNames: Record<Order, string> = {
  newest: 'Newest first',
  oldest: 'Oldest first',
  slowest: 'Slowest first',
  memory: 'Most memory first',
  cost: 'Most GB-seconds first',
};

const triggers = ['http', 'api', 'replay'].map((value) => ({ value, label: value }));
const startNames = ['cold', 'warm', 'prewarmed', 'forked', 'spawned', 'restored'];

/** A list with what is chosen in it, though it be unusual. */
const withChosen = (data: { value: string; label: string }[], chosen: string) =>
  !chosen || data.some((d) => d.value === chosen) ? data : [...data, { value: chosen, label: words(chosen) }];

interface FilterBarProps {
  filters: Filters;
  onChange: (filters: Filters) => void;
  /** On the page of one function there is no choice of it. */
  ofFunction: boolean;
}

export function FilterBar({ filters: f, onChange, ofFunction }: FilterBarProps) {
  const functions = useFunctions();
  const [opened, { toggle }] = useDisclosure(false);
  const search = useRef<HTMLInputElement>(null);
  useKeys([{ keys: '/', label: 'Filter', run: () => search.current?.focus() }]);
  const set = (some: Partial<Filters>) => onChange({ ...f, ...some });
  const preset = presetOf(f);
  const joined = { outcome: f.outcome.join(','), start: f.start.join(',') };
  const used = [f.function && !ofFunction, f.version, joined.outcome, joined.start, f.trigger, f.min].filter(
    Boolean,
  ).length;
  return (
    <div className={classes.bar}>
      <div className={classes.top}>
        <fieldset className={classes.presets}>
          <legend className="visually-hidden">Views</legend>
          {presets.map((p) => (
            <button
              key={p.name}
              type="button"
              className={classes.preset}
              title={p.about}
              aria-pressed={p === preset}
              onClick={() => onChange(withPreset(f, p))}
            >
              {p.name}
            </button>
          ))}
        </fieldset>
        <Select
          w={184}
          size="xs"
          aria-label="Order"
          allowDeselect={false}
          data={Object.entries(orderNames).map(([value, label]) => ({ value, label }))}
          value={f.order}
          onChange={(v) => set({ order: v as Order })}
        />
      </div>
      <div className={classes.fields}>
        <LazyInput
          ref={search}
          className={classes.search}
          value={f.id || f.text}
          onCommit={(t) => set(isId(t) ? { id: t.toUpperCase(), text: '' } : { id: '', text: t })}
          placeholder="Id, or text of the error"
          aria-label="Id, or text of the error"
          leftSection={<IconSearch size={16} stroke={1.6} />}
        />
        <Button
          className={classes.more}
          variant="default"
          aria-expanded={opened}
          onClick={toggle}
          leftSection={<IconAdjustmentsHorizontal size={16} stroke={1.6} />}
        >
          Filters{used > 0 && ` (${used})`}
        </Button>
        <Collapse expanded={opened} className={classes.collapse}>
          <Fields {...{ f, set, joined, ofFunction }} names={functions.data?.map((x) => x.name) ?? []} />
        </Collapse>
        <div className={classes.inline}>
          <Fields {...{ f, set, joined, ofFunction }} names={functions.data?.map((x) => x.name) ?? []} />
        </div>
      </div>
      {(f.memory || f.fingerprint || isFiltered(f)) && !preset && (
        <p className={classes.note}>
          {f.fingerprint && <>Only calls of one group of errors. </>}
          {f.memory && (
            <>Only calls that used {Math.round(Number(f.memory) * 100)} % of their memory or more. </>
          )}
          <button
            type="button"
            className={classes.clear}
            onClick={() => onChange(withPreset({ ...f, version: '' }, presets[0]!))}
          >
            Clear the filters
          </button>
        </p>
      )}
    </div>
  );
}

/** Whether a text is rather an id than words of an error. */
const isId = (t: string) => /^[0-7][0-9a-hjkmnp-tv-z]{5,25}$/i.test(t) && /\d/.test(t);

interface FieldsProps {
  f: Filters;
  set: (some: Partial<Filters>) => void;
  joined: { outcome: string; start: string };
  names: string[];
  ofFunction: boolean;
}

function Fields({ f, set, joined, names, ofFunction }: FieldsProps) {
  const list = (value: string | null) => (value ? value.split(',') : []);
  return (
    <>
      {!ofFunction && (
        <Select
          w={170}
          placeholder="Any function"
          aria-label="Function"
          searchable
          clearable
          data={f.function && !names.includes(f.function) ? [...names, f.function] : names}
          value={f.function || null}
          onChange={(v) => set({ function: v ?? '', version: '' })}
        />
      )}
      <LazyInput
        w={86}
        placeholder="Version"
        aria-label="Version"
        inputMode="numeric"
        value={f.version}
        onCommit={(t) => set({ version: t.replace(/^v/, '') })}
      />
      <Select
        w={150}
        placeholder="Any outcome"
        aria-label="Outcome"
        clearable
        data={withChosen(
          [
            { value: 'failed', label: 'failed (any)' },
            ...Object.entries(outcomes).map(([value, o]) => ({ value, label: o.label })),
          ],
          joined.outcome,
        )}
        value={joined.outcome || null}
        onChange={(v) => set({ outcome: list(v) })}
      />
      <Select
        w={126}
        placeholder="Any start"
        aria-label="Start"
        clearable
        data={withChosen(
          startNames.map((value) => ({ value, label: value === 'cold' ? 'cold (any)' : value })),
          joined.start,
        )}
        value={joined.start || null}
        onChange={(v) => set({ start: list(v) })}
      />
      <Select
        w={126}
        placeholder="Any trigger"
        aria-label="Trigger"
        clearable
        data={withChosen([...triggers], f.trigger)}
        value={f.trigger || null}
        onChange={(v) => set({ trigger: v ?? '' })}
      />
      <LazyInput
        w={108}
        placeholder="≥ 300ms"
        aria-label="Shortest duration"
        value={f.min}
        onCommit={(t) => set({ min: durationOf(t) })}
      />
    </>
  );
}
