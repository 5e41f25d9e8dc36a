import type { Balance, CreditsError } from "@atomic-credits/client";
import { supabase } from "./client.ts";
import { numberOf } from "./words.ts";

interface HeaderProps {
  balance: Balance | null;
  error: CreditsError | null;
  email: string | undefined;
}

/** The balance, and who is signed in. */
export function Header({ balance, error, email }: HeaderProps) {
  return (
    <header>
      <h1>Atomic Credits</h1>
      <p className="balance" aria-live="polite">
        <strong key={balance?.balance}>
          {balance ? numberOf(balance.balance) : "…"}
        </strong>{" "}
        credits
        {error && <small>not up to date: {error.message}</small>}
      </p>
      <span className="who">{email}</span>
      <button className="plain" onClick={() => supabase.auth.signOut()}>
        Sign out
      </button>
    </header>
  );
}
