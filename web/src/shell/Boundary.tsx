import { Component, type ReactNode } from 'react';
import { ErrorState } from '../components/states';

/** Keeps a screen that breaks from taking the shell with it. Another address (`at`) is another chance. */
export class Boundary extends Component<{ at: string; children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidUpdate(before: { at: string }) {
    if (before.at !== this.props.at && this.state.error !== undefined) this.setState({ error: undefined });
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    // A screen's chunk that is gone belongs to a build before this server's: the page itself is old.
    return <ErrorState error={this.state.error} retry={() => location.reload()} />;
  }
}
