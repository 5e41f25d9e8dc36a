import type { User } from "@supabase/supabase-js";
import { useEffect, useState } from "react";
import { supabase } from "./client.ts";

/** Who is signed in; null for nobody, undefined until that is known. */
export function useUser(): User | null | undefined {
  const [user, setUser] = useState<User | null>();
  useEffect(() => {
    const { data } = supabase.auth.onAuthStateChange((_, session) =>
      setUser(session?.user ?? null)
    );
    return () => data.subscription.unsubscribe();
  }, []);
  return user;
}
