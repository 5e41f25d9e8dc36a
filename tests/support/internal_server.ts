import { createServer } from "node:http";
import { listen } from "./loopback.ts";

/** What stands beside the functions in a network, and is nobody's business outside. */
export interface InternalServer {
  /** An address that nobody may be led to. */
  readonly url: string;
  /** How often somebody was. */
  readonly hits: () => number;
  readonly close: () => Promise<void>;
}

/** Starts a server that counts who comes, and would pass for a provider with its answer. */
export async function startInternalServer(): Promise<InternalServer> {
  let hits = 0;
  const { origin, close } = await listen(createServer((_, response) => {
    hits++;
    response.end('{"data":[{"b64_json":"iVBORw0KGgo"}]}');
  }));
  return { url: `${origin}/latest/meta-data`, hits: () => hits, close };
}
