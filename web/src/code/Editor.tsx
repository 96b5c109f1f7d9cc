// CodeMirror, loaded when code is opened (default export, for lazy). One view shows one file at a time
// and keeps the history of undo of each.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { json } from '@codemirror/lang-json';
import { python } from '@codemirror/lang-python';
import { yaml } from '@codemirror/lang-yaml';
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension, Prec } from '@codemirror/state';
import {
  crosshairCursor,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  rectangularSelection,
} from '@codemirror/view';
import { tags as t } from '@lezer/highlight';
import { useEffect, useEffectEvent, useRef } from 'react';
import { nonce } from '../nonce';
import classes from './Editor.module.css';

export interface Marker {
  /** From 1. */
  line: number;
  column?: number;
  message: string;
}

export interface EditorProps {
  /** Says the language by its end, and tells files apart. */
  path: string;
  value: string;
  onChange?: (text: string) => void;
  readOnly?: boolean;
  markers?: Marker[];
  /** What it is, for screen readers. */
  label: string;
  /** Ctrl-S. */
  onSave?: () => void;
  /** Ctrl-Enter. */
  onRun?: () => void;
  /** Moves the cursor there whenever it is another object. */
  goTo?: { line: number; column?: number } | null;
  /** Without line numbers and gutters, for small documents. */
  plain?: boolean;
}

const look = EditorView.theme({
  '&': { fontSize: '13px', color: 'var(--h-text)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.6' },
  '.cm-content': { padding: '10px 0', caretColor: 'var(--h-accent)' },
  '.cm-cursor': { borderLeftColor: 'var(--h-accent)', borderLeftWidth: '2px' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--h-soft)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 6px 0 12px', minWidth: '34px' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--h-text) 3.5%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--h-text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--h-accent) 20%, transparent)',
  },
  '.cm-selectionMatch': { backgroundColor: 'color-mix(in srgb, var(--h-accent) 12%, transparent)' },
  '&.cm-editor .cm-matchingBracket': { backgroundColor: 'transparent' },
  '&.cm-editor.cm-focused .cm-matchingBracket': {
    backgroundColor: 'color-mix(in srgb, var(--h-accent) 18%, transparent)',
    outline: 'none',
  },
  '.cm-panels, .cm-tooltip': {
    backgroundColor: 'var(--h-surface)',
    color: 'var(--h-text)',
    border: '1px solid var(--h-line)',
    borderRadius: '8px',
  },
  '.cm-panels': { borderRadius: '0' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--h-accent-wash)',
    color: 'var(--h-text)',
  },
  '.cm-textfield, .cm-button': {
    color: 'inherit',
    background: 'var(--h-sunken)',
    border: '1px solid var(--h-line)',
  },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--h-bad)' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--h-sunken)', color: 'var(--h-soft)', border: 'none' },
});

const colors = HighlightStyle.define([
  { tag: [t.keyword, t.operatorKeyword, t.modifier, t.controlKeyword, t.self], color: 'var(--code-keyword)' },
  { tag: [t.string, t.special(t.string), t.regexp], color: 'var(--code-string)' },
  { tag: [t.number, t.bool, t.null, t.atom], color: 'var(--code-number)' },
  { tag: [t.comment], color: 'var(--code-comment)', fontStyle: 'italic' },
  {
    tag: [t.function(t.variableName), t.function(t.propertyName), t.definition(t.variableName)],
    color: 'var(--code-function)',
  },
  { tag: [t.typeName, t.className, t.namespace, t.propertyName], color: 'var(--code-type)' },
  { tag: [t.heading], fontWeight: '600' },
  { tag: [t.invalid], color: 'var(--h-bad)' },
]);

/**
 * Text that replaces a selection. Left to itself, the browser keeps the look of what it replaces in a style
 * attribute, which the page's policy forbids.
 */
const overtype = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { ranges, main } = view.state.selection;
    const text = event.data;
    if (
      event.inputType !== 'insertText' ||
      text === null ||
      view.composing ||
      main.empty ||
      ranges.length > 1
    )
      return false;
    const insert = () =>
      view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
    const handled = view.state
      .facet(EditorView.inputHandler)
      .some((h) => h(view, main.from, main.to, text, insert));
    if (!handled) view.dispatch(insert());
    event.preventDefault();
    return true;
  },
});

/** What is said about a file by the end of its name. */
function language(path: string): Extension {
  if (/\.py$/.test(path)) return [python(), indentUnit.of('    '), EditorState.tabSize.of(4)];
  const spaces = [indentUnit.of('  '), EditorState.tabSize.of(2)];
  if (/\.[cm]?tsx?$/.test(path)) return [javascript({ typescript: true, jsx: /x$/.test(path) }), spaces];
  if (/\.[cm]?jsx?$/.test(path)) return [javascript({ jsx: true }), spaces];
  if (/\.json$/.test(path)) return [json(), spaces];
  if (/\.ya?ml$/.test(path)) return [yaml(), spaces];
  return spaces;
}

function diagnostics(state: EditorState, markers: Marker[]): Diagnostic[] {
  return markers.map(({ line, column, message }) => {
    const l = state.doc.line(Math.max(1, Math.min(state.doc.lines, line)));
    const indent = /^\s*/.exec(l.text)![0].length;
    const from = Math.min(l.to, l.from + (column ? column - 1 : indent));
    return { from, to: l.to, severity: 'error', message, source: 'deploy' };
  });
}

export default function Editor(props: EditorProps) {
  const { path, value, readOnly = false, markers, label, goTo, plain = false } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const shown = useRef('');
  const states = useRef(new Map<string, EditorState>());
  const changing = useRef(new Compartment());

  const changed = useEffectEvent((text: string) => props.onChange?.(text));
  const save = useEffectEvent(() => {
    props.onSave?.();
    return !!props.onSave;
  });
  const run = useEffectEvent(() => {
    props.onRun?.();
    return !!props.onRun;
  });
  const writable = useEffectEvent(() => [
    EditorState.readOnly.of(readOnly),
    EditorView.editable.of(!readOnly),
  ]);
  const stateOf = useEffectEvent((doc: string) =>
    EditorState.create({
      doc,
      extensions: [
        EditorView.cspNonce.of(nonce()),
        Prec.highest(
          keymap.of([
            { key: 'Mod-s', preventDefault: true, run: () => save() },
            { key: 'Mod-Enter', preventDefault: true, run: () => run() },
          ]),
        ),
        changing.current.of(writable()),
        plain
          ? []
          : [lineNumbers(), highlightActiveLineGutter(), foldGutter(), lintGutter(), highlightActiveLine()],
        history(),
        drawSelection(),
        EditorState.allowMultipleSelections.of(true),
        indentOnInput(),
        syntaxHighlighting(colors),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        rectangularSelection(),
        crosshairCursor(),
        highlightSelectionMatches(),
        language(path),
        plain ? EditorView.lineWrapping : [],
        keymap.of([
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...searchKeymap,
          ...historyKeymap,
          ...foldKeymap,
          ...completionKeymap,
          ...lintKeymap,
          indentWithTab, // Escape and then Tab leaves the editor
        ]),
        EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', tabindex: '0' }),
        overtype,
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(update.state.doc.toString());
        }),
        look,
      ],
    }),
  );

  useEffect(() => {
    const v = new EditorView({ parent: host.current!, extensions: EditorView.cspNonce.of(nonce()) });
    view.current = v;
    return () => {
      v.destroy();
      view.current = null;
      shown.current = '';
    };
  }, []);

  // Shows the file; a text that came from elsewhere than the keyboard replaces what is shown.
  useEffect(() => {
    const v = view.current;
    if (!v) return;
    if (shown.current !== path) {
      if (shown.current) states.current.set(shown.current, v.state);
      const kept = states.current.get(path);
      v.setState(kept && kept.doc.toString() === value ? kept : stateOf(value));
      shown.current = path;
      v.dispatch({ effects: changing.current.reconfigure(writable()) });
    } else if (v.state.doc.toString() !== value) {
      v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
    }
  }, [path, value]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: writable reads it
  useEffect(() => {
    view.current?.dispatch({ effects: changing.current.reconfigure(writable()) });
  }, [readOnly]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another file has other markers
  useEffect(() => {
    const v = view.current;
    if (v) v.dispatch(setDiagnostics(v.state, diagnostics(v.state, markers ?? [])));
  }, [markers, path]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the file must be shown before
  useEffect(() => {
    const v = view.current;
    if (!v || !goTo) return;
    const line = v.state.doc.line(Math.max(1, Math.min(v.state.doc.lines, goTo.line)));
    const at = Math.min(line.to, line.from + (goTo.column ?? 1) - 1);
    v.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    v.focus();
  }, [goTo, path]);

  return <div ref={host} className={classes.editor} />;
}
