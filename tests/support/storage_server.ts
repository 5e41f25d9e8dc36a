import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { listen } from "./loopback.ts";

/** What the server does with an upload. */
export type UploadAnswer =
  | "keep"
  | "full"
  | "down"
  | "tooLarge"
  | "noBucket"
  | "reset"
  | "silence";

/** A file that was uploaded whole. */
export interface Upload {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** A server that speaks the uploads of Supabase Storage, with faults that a test chooses. */
export interface StorageServer {
  readonly url: string;
  /** What comes next, one for each upload; then all are kept. */
  readonly answers: UploadAnswer[];
  readonly uploads: Upload[];
  /** How many uploads have begun, and how many broke off. */
  readonly begun: () => number;
  readonly brokenOff: () => number;
  readonly close: () => Promise<void>;
}

// Storage answers 400 to most, and tells the status that it means in the body.
const REFUSALS: Partial<Record<UploadAnswer, [number, object]>> = {
  full: [500, {
    statusCode: "500",
    error: "Internal",
    message: "no space left",
  }],
  down: [503, { statusCode: "503", error: "SlowDown", message: "slow down" }],
  tooLarge: [400, {
    statusCode: "413",
    error: "Payload too large",
    message: "The object exceeded the maximum allowed size",
  }],
  noBucket: [400, {
    statusCode: "404",
    error: "Bucket not found",
    message: "Bucket not found",
  }],
};

/** Starts the server on loopback. */
export async function startStorageServer(): Promise<StorageServer> {
  const answers: UploadAnswer[] = [];
  const uploads: Upload[] = [];
  let begun = 0;
  let brokenOff = 0;
  const receive = async (
    request: IncomingMessage,
    response: ServerResponse,
  ) => {
    begun++;
    const { url = "", headers } = request;
    const answer = answers.shift() ?? "keep";
    if (answer === "reset") return request.socket.resetAndDestroy();
    if (answer === "silence") return;
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      brokenOff++;
      return;
    }
    const [status, refusal] = REFUSALS[answer] ?? [200];
    const path = decodeURIComponent(url.replace("/storage/v1/object/", ""));
    if (!refusal) uploads.push({ path, headers, body: Buffer.concat(chunks) });
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(refusal ?? { Id: "1", Key: path }));
  };
  const server = createServer((request, response) =>
    void receive(request, response)
  );
  const { origin, close } = await listen(server);
  return {
    url: origin,
    answers,
    uploads,
    begun: () => begun,
    brokenOff: () => brokenOff,
    close,
  };
}
