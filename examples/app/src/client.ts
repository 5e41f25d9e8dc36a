import { createCredits } from "@atomic-credits/client";
import { createClient } from "@supabase/supabase-js";

const { VITE_SUPABASE_URL, VITE_SUPABASE_PUBLISHABLE_KEY } = import.meta.env;

export const supabase = createClient(
  VITE_SUPABASE_URL,
  VITE_SUPABASE_PUBLISHABLE_KEY,
);

/** Credits of the user who is signed in. Made once: the hooks watch it. */
export const credits = createCredits(supabase);
