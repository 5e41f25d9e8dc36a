import { CreditsError } from "@atomic-credits/client";
import { useEffect, useState } from "react";

/** What was loaded: the rows from before stay until there are new ones. */
export interface Loaded<T> {
  rows: T[] | null;
  error: CreditsError | null;
}

/** Loads rows, and again whenever `changed` is another. */
export function useLoad<T>(
  load: (signal: AbortSignal) => Promise<T[]>,
  changed: unknown,
): Loaded<T> {
  const [state, setState] = useState<Loaded<T>>({ rows: null, error: null });
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    load(signal).then(
      (rows) => signal.aborted || setState({ rows, error: null }),
      (error) => {
        if (signal.aborted || !(error instanceof CreditsError)) return;
        setState((before) => ({ ...before, error }));
      },
    );
    return () => controller.abort();
  }, [changed]);
  return state;
}
