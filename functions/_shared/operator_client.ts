import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import process from "node:process";
import type { Database } from "../../supabase/database.types.ts";

/** A supabase-js client with the secret key. */
export type OperatorClient = SupabaseClient<Database>;

/**
 * A client for SUPABASE_URL with SUPABASE_SECRET_KEY.
 *
 * @throws where one of them is missing
 */
export function clientFromEnvironment(): OperatorClient {
  const { SUPABASE_URL: url, SUPABASE_SECRET_KEY: key } = process.env;
  if (!url || !key) {
    throw new Error(
      "Set SUPABASE_URL and SUPABASE_SECRET_KEY; npm start writes both to .env.local.",
    );
  }
  return operatorClient(url, key);
}

/** A client for a project with its secret key. */
export function operatorClient(
  url: string,
  secretKey: string,
): OperatorClient {
  return createClient<Database>(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    // Node 20 has no WebSocket, and none is needed here.
    realtime: { transport: globalThis.WebSocket ?? class {} },
  });
}
