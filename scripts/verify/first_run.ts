import { setTimeout as sleep } from "node:timers/promises";
import type { Check } from "./check.ts";

/** The check of verify_deployment() that cannot hold before pg_cron's first minute. */
export const HAS_BEGUN = "pg_cron has begun";

/** pg_cron begins a run at a full minute; the rest is for the run itself. */
const LONGEST_SECONDS = 70;
const LOOKS_SECONDS = 3;

/** How the wait reads the checks again, tells of itself, and ends. */
export interface Waiting {
  readonly read: () => Promise<readonly Check[]>;
  readonly progress: (line: string) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** How long it may take. */
  readonly seconds?: number;
}

/** Whether pg_cron has its jobs and none has run yet. */
export function isSilent(checks: readonly Check[]): boolean {
  return checks.some(({ check_name, ok }) => check_name === HAS_BEGUN && !ok);
}

/**
 * Waits for pg_cron's first run where there was none yet.
 * @returns the checks as they are then; where none came, that one is still not ok and has its remedy
 */
export async function untilBegun(
  checks: readonly Check[],
  { read, progress, signal, seconds = LONGEST_SECONDS }: Waiting,
): Promise<readonly Check[]> {
  let latest = checks;
  if (!isSilent(latest)) return latest;
  progress(
    `pg_cron has run nothing yet: waiting for its next minute, ${seconds} seconds at most …`,
  );
  const giveUpAt = Date.now() + seconds * 1000;
  while (isSilent(latest) && Date.now() < giveUpAt && !signal.aborted) {
    const pause = Math.min(LOOKS_SECONDS * 1000, giveUpAt - Date.now());
    await sleep(pause, undefined, { signal }).catch(() => {});
    if (!signal.aborted) latest = await read();
  }
  return latest;
}
