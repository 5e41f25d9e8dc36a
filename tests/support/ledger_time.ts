// Times of the model, in microseconds since 1970 as Postgres keeps them.

import { GRACE_SECONDS } from "./ledger_world.ts";

const SOON_SECONDS = 1800;
/** How far apart the model's clock and the database's may be. */
const TOLERANCE = 600e6;

/** When a grant expires that is given for this long; Infinity: never. */
export function expiryOf(name: string | null): number {
  if (name === null) return Infinity;
  if (name === "soon") return (Date.now() + SOON_SECONDS * 1000) * 1000;
  return Date.UTC(Number(name), 0) * 1000;
}

/** The end of this month, when monthly credits go that do not roll over. */
export function monthEnd(): number {
  const now = new Date();
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1) * 1000;
}

/** An expiry in a word, the same for what the model foresaw and what the database has. */
export function expiryInWords(expiry: number | null, expired: boolean): string {
  if (expired) return "expired";
  if (expiry === null || expiry === Infinity) return "never";
  const ahead = expiry - Date.now() * 1000;
  if (Math.abs(ahead - SOON_SECONDS * 1e6) < TOLERANCE) return "soon";
  if (Math.abs(ahead - GRACE_SECONDS * 1e6) < TOLERANCE) return "grace";
  return String(expiry);
}
