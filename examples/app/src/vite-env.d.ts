/// <reference types="vite/client" />

interface ImportMetaEnv {
  readonly VITE_SUPABASE_URL: string;
  readonly VITE_SUPABASE_PUBLISHABLE_KEY: string;
  /** Set by npm start of Atomic Credits: see demo.ts. */
  readonly VITE_DEMO?: string;
}
