// Two texts beside each other, or one over the other where there is little room. A chunk of its own:
// the editor is the largest library of the dashboard.
import { javascript } from '@codemirror/lang-javascript';
import { json } from '@codemirror/lang-json';
import { python } from '@codemirror/lang-python';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { MergeView, unifiedMergeView } from '@codemirror/merge';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect, useRef } from 'react';
import { nonce } from '../../nonce';

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--h-accent-text)' },
  {
    tag: [tags.string, tags.special(tags.string), tags.regexp],
    color: 'color-mix(in srgb, var(--h-good) 80%, var(--h-text))',
  },
  { tag: [tags.comment, tags.meta], color: 'var(--h-soft)', fontStyle: 'italic' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--h-warn)' },
  {
    tag: [tags.definition(tags.variableName), tags.function(tags.definition(tags.variableName))],
    fontWeight: '600',
  },
]);

const look = EditorView.theme({
  '&': { fontSize: '0.8125rem', backgroundColor: 'transparent', color: 'var(--h-text)' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.6' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--h-soft)', border: 'none' },
  '.cm-content': { padding: '0.5rem 0' },
  '&.cm-merge-a .cm-changedLine, .cm-deletedChunk': { backgroundColor: 'var(--h-bad-wash)' },
  '&.cm-merge-b .cm-changedLine, .cm-inlineChangedLine, .cm-insertedLine': {
    backgroundColor: 'var(--h-good-wash)',
  },
  '&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText': {
    background: 'none',
    boxShadow: 'inset 0 -2px var(--h-bad)',
  },
  '&.cm-merge-b .cm-changedText, .cm-changedText': {
    background: 'none',
    boxShadow: 'inset 0 -2px var(--h-good)',
  },
  '.cm-collapsedLines': {
    padding: '0.3rem 0.75rem',
    color: 'var(--h-soft)',
    background: 'var(--h-sunken)',
    fontSize: '0.75rem',
  },
});

function language(path: string): Extension {
  const ending = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  if (['js', 'mjs', 'cjs', 'jsx'].includes(ending)) return javascript({ jsx: ending === 'jsx' });
  if (['ts', 'mts', 'cts', 'tsx'].includes(ending))
    return javascript({ typescript: true, jsx: ending === 'tsx' });
  if (ending === 'py') return python();
  if (ending === 'json') return json();
  if (ending === 'yaml' || ending === 'yml') return yaml();
  return [];
}

function extensions(path: string, label: string): Extension {
  return [
    EditorView.cspNonce.of(nonce()),
    lineNumbers(),
    EditorState.readOnly.of(true),
    EditorView.editable.of(false),
    EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0', 'aria-readonly': 'true' }),
    EditorView.lineWrapping,
    syntaxHighlighting(colours),
    language(path),
    look,
  ];
}

export default function MergeDiff({
  path,
  before,
  after,
  labels,
}: {
  path: string;
  before: string;
  after: string;
  /** What the two sides are: "version 3". */
  labels: [string, string];
}) {
  const parent = useRef<HTMLDivElement>(null);
  const narrow = useMediaQuery('(max-width: 61.99em)', undefined, { getInitialValueInEffect: false });
  const [left, right] = labels;
  useEffect(() => {
    const collapseUnchanged = { margin: 3, minSize: 6 };
    const view =
      narrow || !before || !after
        ? new EditorView({
            parent: parent.current!,
            doc: after,
            extensions: [
              extensions(path, `${path}: ${left} and ${right}`),
              unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged }),
            ],
          })
        : new MergeView({
            parent: parent.current!,
            a: { doc: before, extensions: extensions(path, `${path} in ${left}`) },
            b: { doc: after, extensions: extensions(path, `${path} in ${right}`) },
            collapseUnchanged,
          });
    return () => view.destroy();
  }, [path, before, after, left, right, narrow]);
  return <div ref={parent} />;
}
