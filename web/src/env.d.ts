/** The paths of the server's operations: the dashboard and the server come from one build. */
declare const __PATHS__: string[];
