import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { createContext, useContext } from "react";
import type { Config } from "../config.ts";

/** Where the browser keeps the session. */
export const SESSION = "atomic-credits-console";

/** supabase-js as an operator: their own token, and the publishable key. */
export function connect({ url, publishableKey }: Config): SupabaseClient {
  return createClient(url, publishableKey, {
    auth: {
      // A link must not sign anybody in: it would be another's session.
      detectSessionInUrl: false,
      storageKey: SESSION,
    },
  });
}

export const ClientContext = createContext<SupabaseClient | null>(null);

export function useClient(): SupabaseClient {
  return useContext(ClientContext)!;
}
