// The look of the dashboard in one place: one ember accent on warm, calm neutrals. Colours that mean
// something (outcomes, phases, surfaces) are CSS variables in tokens.css, so that charts, which draw on
// a canvas, and style sheets use the same ones.
import {
  Alert,
  createTheme,
  defaultVariantColorsResolver,
  type MantineColorsTuple,
  type VariantColorsResolver,
} from '@mantine/core';

const ember: MantineColorsTuple = [
  '#fff4ee',
  '#ffe3d5',
  '#ffc5a8',
  '#ffa379',
  '#fb8450',
  '#f26a2b',
  '#c4470f',
  '#a83b0b',
  '#87300a',
  '#642408',
];

// Greys with a little red in them. Mantine draws borders, dimmed text and hovers from these.
const gray: MantineColorsTuple = [
  '#faf8f5',
  '#f4f0eb',
  '#eae5de',
  '#ddd6cd',
  '#c9c0b5',
  '#a69b8f',
  '#6f665c',
  '#554d45',
  '#3a342e',
  '#231f1b',
];

// [0] is text, [7] the body, [6] surfaces, [4] borders.
const dark: MantineColorsTuple = [
  '#ebe5de',
  '#d3cbc2',
  '#b0a69b',
  '#8a8076',
  '#3d3630',
  '#302a25',
  '#221e1a',
  '#181512',
  '#120f0d',
  '#0c0a09',
];

/** What is filled with the accent is brighter in the dark: its text follows the scheme, not the colour's name. */
const variantColors: VariantColorsResolver = (input) => {
  const colors = defaultVariantColorsResolver(input);
  const primary = !input.color || input.color === input.theme.primaryColor;
  return input.variant === 'filled' && primary
    ? { ...colors, color: 'var(--mantine-primary-color-contrast)' }
    : colors;
};

/** The words of tokens.css for the colours that alerts are given. */
const tones: Record<string, string> = { red: 'bad', yellow: 'warn', green: 'good' };

export const theme = createTheme({
  primaryColor: 'ember',
  primaryShade: { light: 6, dark: 5 },
  colors: { ember, gray, dark },
  black: '#231f1b',
  variantColorResolver: variantColors,
  autoContrast: true,
  luminanceThreshold: 0.25,
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace',
  headings: {
    fontWeight: '620',
    sizes: {
      h1: { fontSize: '1.5rem', lineHeight: '1.25' },
      h2: { fontSize: '1.125rem' },
      h3: { fontSize: '1rem' },
    },
  },
  defaultRadius: 'md',
  radius: { xs: '4px', sm: '6px', md: '8px', lg: '12px', xl: '18px' },
  cursorType: 'pointer',
  respectReducedMotion: true,
  focusRing: 'auto',
  components: {
    // The colours of the house: Mantine's own ones are too pale to read on their wash.
    Alert: Alert.extend({
      styles: (_theme, { color }) => {
        const tone = tones[String(color)];
        if (!tone) return {};
        const ink = { color: `var(--h-${tone})` };
        return { root: { background: `var(--h-${tone}-wash)` }, title: ink, icon: ink };
      },
    }),
    Tooltip: {
      defaultProps: { openDelay: 250, withArrow: true, events: { hover: true, focus: true, touch: false } },
    },
    Modal: { defaultProps: { centered: true, radius: 'lg', closeButtonProps: { 'aria-label': 'Close' } } },
    Notification: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    Drawer: { defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } },
    Table: { defaultProps: { verticalSpacing: 'xs' } },
    Button: { defaultProps: { size: 'sm' } },
    ActionIcon: { defaultProps: { variant: 'subtle', color: 'gray' } },
  },
});
