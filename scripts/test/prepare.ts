import postgres from "postgres";
import { startApi } from "../stack/api.ts";
import { loadKeys } from "../stack/keys.ts";

/** Makes the schemas auth and storage, as the stack's own services do. */
export async function prepareServices(
  superuserUrl: string,
  home: string,
): Promise<void> {
  const api = await startApi({
    url: superuserUrl,
    keys: loadKeys(home),
    siteUrl: "http://127.0.0.1",
    home,
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
