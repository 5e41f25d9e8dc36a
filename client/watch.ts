import { broadcasts } from "./broadcast.ts";
import type { CreditsSupabase } from "./call.ts";
import { CreditsError } from "./error.ts";
import type { Balance } from "./types.ts";

/** Hears of a balance: null while nobody is signed in. */
export type BalanceCallback = (balance: Balance | null) => void;

/** How a balance is watched. */
export interface WatchOptions {
  /** How often to look; every 15 seconds if left out. */
  intervalMs?: number;
  /** Hears why a look failed; the watching goes on. */
  onError?: (error: CreditsError) => void;
}

/** Watches an account's balance. */
export interface BalanceWatch {
  watch: (callback: BalanceCallback, options?: WatchOptions) => () => void;
  /** Has every watcher look now: something has changed the balance. */
  refresh: () => void;
}

const INTERVAL_MS = 15_000;
/** While broadcasts are heard, every so many intervals: a message may be lost. */
const HEARD_INTERVALS = 20;
/** What tells that somebody looks at the page again, or that it is online again. */
const WAKING = ["focus", "visibilitychange", "online"] as const;

/** Makes the watch of what `read` reads, looking as soon as a broadcast tells of a change where there are any. */
export function balanceWatch(
  supabase: CreditsSupabase,
  read: () => Promise<Balance>,
  hasBroadcasts = false,
): BalanceWatch {
  const looks = new Set<() => void>();
  const refresh = () => looks.forEach((look) => look());
  const channel = hasBroadcasts ? broadcasts(supabase, refresh) : undefined;

  function watch(
    callback: BalanceCallback,
    { intervalMs = INTERVAL_MS, onError }: WatchOptions = {},
  ): () => void {
    let asked = 0;
    let answered = 0;
    let shown: string | undefined;
    const show = (balance: Balance | null) => {
      const text = JSON.stringify(balance);
      if (text === shown) return;
      shown = text;
      callback(balance);
    };
    const look = async () => {
      const number = ++asked;
      const [balance, error] = await read().then(
        (balance) => [balance] as const,
        (error) => [null, error] as const,
      );
      // What came before the answer to a later question is old.
      if (number < answered || !looks.has(look)) return;
      answered = number;
      if (!error || error.status === 401) {
        channel?.follow(balance && balance.account_id);
        show(balance);
      } else onError?.(error);
    };
    const lookAnew = () => {
      answered = asked + 1;
      look();
    };
    looks.add(look);
    let passed = 0;
    const timer = setInterval(() => {
      const isDue = !channel?.isHeard() || ++passed % HEARD_INTERVALS === 0;
      if (isDue && !isHidden()) look();
    }, intervalMs);
    const unlisten = listen(supabase.auth, look, lookAnew);
    look();
    return () => {
      looks.delete(look);
      if (looks.size === 0) channel?.follow(null);
      clearInterval(timer);
      unlisten();
    };
  }

  return { watch, refresh };
}

function isHidden(): boolean {
  const { document } = globalThis as {
    document?: { visibilityState: string };
  };
  return document?.visibilityState === "hidden";
}

/** Looks when somebody looks at the page again, and anew when a user signs in or out. */
function listen(
  auth: CreditsSupabase["auth"],
  look: () => void,
  lookAnew: () => void,
): () => void {
  const wake = () => isHidden() || look();
  for (const name of WAKING) globalThis.addEventListener?.(name, wake, true);
  const stopAuth = listenToAuth(auth, lookAnew);
  return () => {
    for (const name of WAKING) {
      globalThis.removeEventListener?.(name, wake, true);
    }
    stopAuth();
  };
}

function listenToAuth(auth: CreditsSupabase["auth"], lookAnew: () => void) {
  try {
    const { data } = auth.onAuthStateChange((event) => {
      // supabase-js holds a lock while it calls back.
      if (/^SIGNED_/.test(event)) setTimeout(lookAnew);
    });
    return () => data.subscription.unsubscribe();
  } catch {
    // A client with tokens of somebody else's (`accessToken`) has no auth.
    return () => {};
  }
}
