import type { CreditsSupabase } from "./call.ts";

/** Hears of an account's balance by Supabase Realtime. */
export interface Broadcasts {
  /** Joins the account's channel, and leaves that of another; null: leaves. */
  follow: (accountId: string | null) => void;
  /** Whether a change would be heard now. */
  isHeard: () => boolean;
}

/** The channel on which the database sends a balance each time that it changes. */
export function broadcasts(
  supabase: CreditsSupabase,
  onChange: () => void,
): Broadcasts {
  let channel: ReturnType<CreditsSupabase["channel"]> | undefined;
  let followed: string | null = null;
  let heard = false;

  function follow(accountId: string | null): void {
    if (accountId === followed) return;
    followed = accountId;
    heard = false;
    if (channel) supabase.removeChannel(channel);
    channel = undefined;
    if (accountId === null) return;
    const joined = channel = supabase
      .channel(`credits:${accountId}`, { config: { private: true } })
      .on("broadcast", { event: "balance" }, onChange);
    joined.subscribe((status) => {
      if (joined !== channel) return;
      heard = status === "SUBSCRIBED";
      // What changed before is not sent again.
      if (heard) onChange();
    });
  }

  return { follow, isHeard: () => heard };
}
