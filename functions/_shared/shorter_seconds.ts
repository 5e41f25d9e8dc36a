import type { StoredOutput } from "./providers/media.ts";

/**
 * How many seconds a video used, where those are known and fewer than were asked for: begun seconds count whole, as
 * they are asked for. Undefined where the charge stays as it is; a longer video costs no more than that.
 */
export function shorterSeconds(
  asked: number | undefined,
  [made]: readonly StoredOutput[],
): number | undefined {
  const used = Math.ceil(made?.seconds ?? Infinity);
  return asked && used < asked ? used : undefined;
}
