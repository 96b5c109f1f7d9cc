// The log view, on its own screen and on the page of a function: `of` fixes the function there.
import { ActionIcon, Alert, Button, Collapse, Select, Switch, Tooltip } from '@mantine/core';
import { useDisclosure, useLocalStorage } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import {
  IconAdjustmentsHorizontal,
  IconArrowDown,
  IconDownload,
  IconEraser,
  IconLink,
  IconSearch,
  IconTextWrap,
} from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { api, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { useFunctions } from '../../api/queries';
import { CopyIcon } from '../../components/CodeBlock';
import { formatCount, formatTime } from '../../components/format';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/states';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { momentsOf, useTimeRange } from '../../hooks/useTimeRange';
import { LazyInput } from '../invocations/LazyInput';
import { mostLines } from './buffer';
import {
  isLogFiltered,
  type LogFilters,
  noLogFilters,
  readLogFilters,
  streams,
  toLogQuery,
  writeLogFilters,
} from './filters';
import { Histogram } from './Histogram';
import { LogText } from './LogText';
import classes from './LogView.module.css';
import { asText, fold, jsonOf, type LogLine, levelOf, levels } from './line';
import { useLogs } from './useLogs';

/** The filters in the address. */
export function useLogFilters(of?: string): [LogFilters, (some: Partial<LogFilters>) => void] {
  const [params, setParams] = useSearchParams();
  const filters = useMemo(() => {
    const f = readLogFilters(params);
    return of ? { ...f, function: of } : f;
  }, [params, of]);
  const set = useCallback(
    (some: Partial<LogFilters>) =>
      setParams(
        (now) => writeLogFilters(now, { ...readLogFilters(now), ...some, ...(of ? { function: '' } : {}) }),
        { replace: true },
      ),
    [setParams, of],
  );
  return [filters, set];
}

const rowHeight = 24;

export function LogView({ of }: { of?: string }) {
  const [filters, set] = useLogFilters(of);
  const [wrap, setWrap] = useLocalStorage({ key: 'hearth-logs-wrap', defaultValue: false });
  const [following, setFollowing] = useState(true);
  const { query, state, older, again, clear, prepended, open, full, hasOlder } = useLogs(filters, following);
  const { lines } = state;
  const [expanded, setExpanded] = useState<ReadonlySet<number>>(new Set());
  const frame = useRef<HTMLDivElement>(null);
  const href = useScreenHref();

  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => frame.current,
    estimateSize: () => rowHeight,
    getItemKey: (i) => lines[i]!.seq,
    overscan: 20,
  });
  const items = virtual.getVirtualItems();

  // The end stays in sight while following.
  const last = lines.at(-1)?.seq;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it scrolls when there are new lines, or they are higher
  useLayoutEffect(() => {
    const el = frame.current;
    if (following && el) el.scrollTop = el.scrollHeight;
  }, [following, last, wrap, virtual.getTotalSize()]);

  // What was put before keeps what is in sight where it was.
  const seen = useRef(prepended);
  useLayoutEffect(() => {
    const by = prepended - seen.current;
    seen.current = prepended;
    if (by > 0 && frame.current) frame.current.scrollTop += by * rowHeight;
  }, [prepended]);

  const before = useRef(0);
  const onScroll = () => {
    const el = frame.current;
    if (!el) return;
    const atEnd = el.scrollHeight - el.scrollTop - el.clientHeight < rowHeight;
    // Only a reader scrolls up: new lines scroll down.
    if (el.scrollTop < before.current - 2 && !atEnd) setFollowing(false);
    else if (atEnd) setFollowing(true);
    before.current = el.scrollTop;
    if (el.scrollTop < 40 * rowHeight) older();
  };
  // A page of lines may be lower than the frame.
  useEffect(() => {
    const el = frame.current;
    if (el && lines.length > 0 && el.scrollHeight <= el.clientHeight) older();
  }, [lines.length, older]);

  const [selected, setSelected] = useState<number | null>(null);
  const index = selected === null ? -1 : lines.findIndex((l) => l.seq === selected);
  const move = (by: number) => {
    if (lines.length === 0) return;
    const next = Math.max(0, Math.min(lines.length - 1, index < 0 ? lines.length - 1 : index + by));
    if (next < lines.length - 1) setFollowing(false);
    setSelected(lines[next]!.seq);
    virtual.scrollToIndex(next, { align: 'auto' });
  };
  const toggle = (seq: number) =>
    setExpanded((now) => {
      const next = new Set(now);
      if (!next.delete(seq)) next.add(seq);
      return next;
    });
  const search = useRef<HTMLInputElement>(null);
  const toEnd = () => {
    setFollowing(true);
    if (frame.current) frame.current.scrollTop = frame.current.scrollHeight;
  };
  useKeys([
    { keys: '/', label: 'Search', run: () => search.current?.focus() },
    { keys: 'j', label: 'Next line', run: () => move(1) },
    { keys: 'k', label: 'Previous line', run: () => move(-1) },
    { keys: 'Enter', label: 'Open the line', run: () => selected !== null && toggle(selected) },
    { keys: 'w', label: 'Wrap long lines', run: () => setWrap((w) => !w) },
    { keys: 'End', label: 'Follow new lines', run: toEnd },
  ]);

  return (
    <div>
      <Bar {...{ filters, set, of, wrap, setWrap, search }} onClear={clear} onShare={share} />
      <Histogram filters={filters} />
      {state.lost > 0 && (
        <Alert color="yellow" variant="light" className={classes.lost} role="status">
          {formatCount(state.lost)} lines were left out here, because they came faster than this page could
          take them. They are stored:{' '}
          <button type="button" className={classes.textButton} onClick={again}>
            read them
          </button>
        </Alert>
      )}
      <div className={classes.box}>
        {query.isPending ? (
          <div style={{ padding: '1rem' }}>
            <SkeletonRows rows={10} height={20} />
          </div>
        ) : query.error && lines.length === 0 ? (
          <ErrorState error={query.error} retry={() => void query.refetch()} />
        ) : lines.length === 0 ? (
          <Nothing
            filters={filters}
            onClear={() => set({ ...noLogFilters, function: filters.function })}
            open={open}
          />
        ) : (
          <div
            ref={frame}
            className={classes.frame}
            data-wrap={wrap || undefined}
            onScroll={onScroll}
            id="lines"
            role="log"
            aria-live="off"
            aria-label="Log lines, oldest first"
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
            tabIndex={0}
          >
            <div className={classes.head}>
              {query.isFetchingNextPage
                ? 'Reading older lines…'
                : full
                  ? `${formatCount(mostLines)} lines are shown; narrow the filters or the time to see older ones`
                  : !hasOlder && query.isSuccess
                    ? 'The first line in this range of time'
                    : ' '}
            </div>
            <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
              {items.map((item) => {
                const l = lines[item.index]!;
                return (
                  <div
                    key={item.key}
                    ref={virtual.measureElement}
                    data-index={item.index}
                    className={classes.row}
                    style={{ transform: `translateY(${item.start}px)` }}
                  >
                    <Line
                      line={l}
                      of={of}
                      search={filters.text}
                      expanded={expanded.has(l.seq)}
                      selected={l.seq === selected}
                      onToggle={() => {
                        setSelected(l.seq);
                        toggle(l.seq);
                      }}
                      callHref={l.invocation ? href(`/invocations/${l.invocation}`) : ''}
                      onFilter={set}
                    />
                  </div>
                );
              })}
            </div>
          </div>
        )}
        {!following && lines.length > 0 && (
          <div className={classes.pill}>
            <Button radius="xl" size="compact-md" leftSection={<IconArrowDown size={15} />} onClick={toEnd}>
              {state.held > 0 ? `${formatCount(state.held)} new` : 'To the end'}
            </Button>
          </div>
        )}
      </div>
      <div className={classes.foot}>
        <span className="num">
          {formatCount(lines.length)} {lines.length === 1 ? 'line' : 'lines'}
          {hasOlder && ', older ones as you scroll up'}
        </span>
        {state.dropped > 0 && (
          <span className="num">
            the oldest {formatCount(state.dropped)} made room, {formatCount(mostLines)} are kept here
          </span>
        )}
        <span style={{ flex: 1 }} />
        {open && (
          <Switch
            size="xs"
            label="Follow"
            checked={following}
            onChange={(e) => (e.currentTarget.checked ? toEnd() : setFollowing(false))}
          />
        )}
      </div>
    </div>
  );
}

function Nothing({ filters, onClear, open }: { filters: LogFilters; onClear: () => void; open: boolean }) {
  const { range, choose } = useTimeRange();
  const filtered = isLogFiltered(filters);
  return (
    <EmptyState
      title={filtered ? 'No line is like that' : 'No output in this range of time'}
      actions={
        <>
          {filtered && (
            <Button variant="default" onClick={onClear}>
              Clear the filters
            </Button>
          )}
          {range.name !== '7d' && (
            <Button variant="default" onClick={() => choose('7d')}>
              Look through 7 days
            </Button>
          )}
        </>
      }
    >
      {open
        ? 'What functions print appears here as they do: print in Python, console.log in JavaScript.'
        : 'Functions printed nothing then.'}
    </EmptyState>
  );
}

interface LineProps {
  line: LogLine;
  of?: string;
  search: string;
  expanded: boolean;
  selected: boolean;
  onToggle: () => void;
  callHref: string;
  onFilter: (some: Partial<LogFilters>) => void;
}

function Line({ line: l, of, search, expanded, selected, onToggle, callHref, onFilter }: LineProps) {
  const doc = jsonOf(l.text);
  const level = levelOf(l.level) ?? (doc ? fold(doc).level : undefined);
  return (
    <div
      data-level={level}
      data-stream={l.stream}
      data-selected={selected || undefined}
      className={classes.line}
    >
      <div className={classes.summary}>
        <button
          type="button"
          className={classes.time}
          aria-expanded={expanded}
          title={`${formatTime(l.at)} local · ${l.at}`}
          onClick={onToggle}
        >
          {formatTime(l.at, { date: false })}
        </button>
        <span className={classes.mark} title={l.level || l.stream}>
          {(level ?? l.stream).toLowerCase()}
        </span>
        {!of && (
          <button
            type="button"
            className={classes.fn}
            title={`Only lines of ${l.function}`}
            onClick={() => onFilter({ function: l.function })}
          >
            {l.function}
          </button>
        )}
        {callHref ? (
          <Link href={callHref} className={classes.callId} title={`Invocation ${l.invocation}`}>
            {l.invocation!.slice(-6)}
          </Link>
        ) : (
          <span className={classes.callId} />
        )}
        <span className={classes.text}>
          <LogText text={l.text} search={search} />
        </span>
      </div>
      {expanded && (
        <div className={classes.details}>
          <pre>{doc ? JSON.stringify(doc, null, 2) : <LogText text={l.text} search={search} />}</pre>
          <div className={classes.detailFacts}>
            <span>{formatTime(l.at)}</span>
            <span>
              {l.function} v{l.version}
            </span>
            <span>{l.stream}</span>
            {l.level && <span>{l.level}</span>}
            {l.invocation && (
              <>
                <Link href={callHref}>Open the call</Link>
                <button
                  type="button"
                  className={classes.textButton}
                  onClick={() => onFilter({ invocation: l.invocation })}
                >
                  Only this call
                </button>
              </>
            )}
            <CopyIcon value={l.text} label="Copy the line" />
          </div>
        </div>
      )}
    </div>
  );
}

interface BarProps {
  filters: LogFilters;
  set: (some: Partial<LogFilters>) => void;
  of?: string;
  wrap: boolean;
  setWrap: (f: (on: boolean) => boolean) => void;
  search: React.RefObject<HTMLInputElement | null>;
  onClear: () => void;
  onShare: () => void;
}

function Bar({ filters: f, set, of, wrap, setWrap, search, onClear, onShare }: BarProps) {
  const [opened, { toggle }] = useDisclosure(false);
  const used = [!of && f.function, f.version, f.invocation, f.level, f.stream].filter(Boolean).length;
  const download = useDownload(f);
  const fields = <Fields {...{ f, set, of }} />;
  return (
    <div className={classes.bar}>
      <LazyInput
        ref={search}
        className={classes.search}
        value={f.text}
        onCommit={(text) => set({ text })}
        placeholder="Search the text"
        aria-label="Search the text"
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
      <div className={classes.inline}>{fields}</div>
      <div className={classes.tools}>
        <Tooltip label={wrap ? 'Long lines in one (w)' : 'Wrap long lines (w)'}>
          <ActionIcon
            aria-label="Wrap long lines"
            aria-pressed={wrap}
            variant={wrap ? 'light' : 'subtle'}
            color={wrap ? undefined : 'gray'}
            onClick={() => setWrap((w) => !w)}
            size="lg"
          >
            <IconTextWrap size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Copy a link to this view">
          <ActionIcon aria-label="Copy a link to this view" onClick={onShare} size="lg">
            <IconLink size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Download the lines">
          <ActionIcon
            aria-label="Download the lines"
            onClick={download.start}
            loading={download.busy}
            size="lg"
          >
            <IconDownload size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
        <Tooltip label="Clear the screen; nothing is deleted">
          <ActionIcon aria-label="Clear the screen" onClick={onClear} size="lg">
            <IconEraser size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </div>
      <Collapse expanded={opened} className={classes.collapse}>
        {fields}
      </Collapse>
    </div>
  );
}

function Fields({ f, set, of }: { f: LogFilters; set: (some: Partial<LogFilters>) => void; of?: string }) {
  const functions = useFunctions();
  const names = functions.data?.map((x) => x.name) ?? [];
  return (
    <>
      {!of && (
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
      <Select
        w={120}
        placeholder="Any level"
        aria-label="Level"
        clearable
        data={[...levels]}
        value={f.level || null}
        onChange={(v) => set({ level: v ?? '' })}
      />
      <Select
        w={128}
        placeholder="Any source"
        aria-label="Source"
        clearable
        data={streams}
        value={f.stream || null}
        onChange={(v) => set({ stream: v ?? '' })}
      />
      <LazyInput
        w={86}
        placeholder="Version"
        aria-label="Version"
        inputMode="numeric"
        value={f.version}
        onCommit={(t) => set({ version: t.replace(/^v/, '') })}
      />
      <LazyInput
        w={130}
        placeholder="Invocation"
        aria-label="Invocation"
        value={f.invocation}
        onCommit={(t) => set({ invocation: t.toUpperCase() })}
      />
    </>
  );
}

function share() {
  const link = location.href;
  navigator.clipboard?.writeText(link).then(
    () => notifications.show({ title: 'Link copied', message: link }),
    () => notifications.show({ title: 'Copy it from here', message: link }),
  ) ?? notifications.show({ title: 'Copy it from here', message: link });
}

/** Reads all lines of the filters and range, up to the bound of the view, and saves them as a file. */
function useDownload(f: LogFilters) {
  const { range } = useTimeRange();
  const [busy, setBusy] = useState(false);
  const start = async () => {
    setBusy(true);
    try {
      const { from, to } = momentsOf(range);
      const lines: LogLine[] = [];
      let cursor: string | undefined;
      do {
        const page = await unwrap(
          api.GET('/api/v1/logs', {
            params: { query: { ...toLogQuery(f), from, to, newest: true, limit: 1000, cursor } },
          }),
        );
        lines.push(...(page.items ?? []));
        cursor = page.next || undefined;
      } while (cursor && lines.length < mostLines);
      const text = `${lines.reverse().map(asText).join('\n')}\n`;
      const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
      const a = document.createElement('a');
      a.href = url;
      a.download = `${f.function || 'hearth'}-${to.slice(0, 19).replaceAll(':', '')}.log`;
      a.click();
      URL.revokeObjectURL(url);
      if (cursor)
        notifications.show({
          message: `The newest ${formatCount(lines.length)} lines are in the file; there are more.`,
        });
    } catch (error) {
      notifications.show({
        color: 'red',
        title: 'The lines could not be read',
        message: asProblem(error).message,
      });
    } finally {
      setBusy(false);
    }
  };
  return { busy, start };
}
