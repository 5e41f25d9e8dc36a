/** What `config.json` beside the page says. */
export interface Config {
  /** The project's address. */
  readonly url: string;
  /** The publishable key; a secret key must never be here. */
  readonly publishableKey: string;
  /** Whether `npm start` serves it: then, and only on loopback, a link may sign the demo operator in. */
  readonly demo?: boolean;
}

/** Reads the configuration. Throws in words that the page can show. */
export async function readConfig(): Promise<Config> {
  const answer = await fetch("config.json", { cache: "no-store" });
  const config: Partial<Config> = answer.ok
    ? await answer.json().catch(() => ({}))
    : {};
  const { url, publishableKey } = config;
  if (!url || !publishableKey) {
    throw new Error(
      'There is no config.json beside this page. It holds {"url": "https://….supabase.co", "publishableKey": "sb_publishable_…"}.',
    );
  }
  return { url, publishableKey, demo: config.demo === true && onLoopback() };
}

function onLoopback(): boolean {
  return ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);
}
