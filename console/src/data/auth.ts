import type { SupabaseClient } from "@supabase/supabase-js";
import { supabaseAuthProvider } from "ra-supabase";
import type { AuthProvider } from "react-admin";
import { SESSION } from "./client.ts";

/**
 * ra-supabase's, with less: it signs in by mail and password, and takes no session out of an address. A refusal of
 * SQL (403) signs nobody out; an expired session (401) does.
 */
export function authProvider(client: SupabaseClient): AuthProvider {
  const { login, getIdentity } = supabaseAuthProvider(client, {
    getIdentity: (user) =>
      Promise.resolve({ id: user.id, fullName: user.email ?? user.id }),
  });
  return {
    login,
    getIdentity,
    checkAuth: async () => {
      const { data } = await client.auth.getSession();
      if (!data.session) throw new Error("Sign in.");
    },
    checkError: ({ status }: { status?: number }) =>
      status === 401 ? Promise.reject() : Promise.resolve(),
    // Also when Auth does not answer: this browser forgets the session.
    logout: async () => {
      // react-admin asks until its sign-in page is drawn. Each answer sends it there anew, and delays the drawing.
      if (location.hash.startsWith("#/login")) await new Promise(() => {});
      const { error } = await client.auth.signOut({ scope: "local" });
      if (error) localStorage.removeItem(SESSION);
    },
    getPermissions: () => Promise.resolve(),
  };
}
