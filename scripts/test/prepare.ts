import postgres from "postgres";
import { startApi } from "../stack/api.ts";
import { loadKeys } from "../stack/keys.ts";

/** Makes schema auth, as the stack's own Auth does. */
export async function prepareAuth(
  superuserUrl: string,
  home: string,
): Promise<void> {
  const api = await startApi({
    url: superuserUrl,
    keys: loadKeys(home),
    siteUrl: "http://127.0.0.1",
  });
  await api.close();
}

/** Executes SQL text that may hold several statements. */
export async function executeScript(
  databaseUrl: string,
  script: string,
): Promise<void> {
  const client = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await client.unsafe(script);
  } finally {
    await client.end({ timeout: 5 });
  }
}
