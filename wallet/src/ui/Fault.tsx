import { Component, type ReactNode } from "react";

interface FaultProps {
  /** What stands in the place of what could not be shown. */
  instead: ReactNode;
  children: ReactNode;
}

/** Keeps a fault to its own place: one line that cannot be shown does not take the page with it. */
export class Fault extends Component<FaultProps, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true };
  }

  override render(): ReactNode {
    return this.state.isBroken ? this.props.instead : this.props.children;
  }
}
