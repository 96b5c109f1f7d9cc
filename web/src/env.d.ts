/** The paths of the server's operations: the dashboard and the server come from one build. */
declare const __PATHS__: string[];

/** The style sheets of the Mantine components in use; see mantine-styles.ts. */
declare module 'virtual:mantine-styles';
