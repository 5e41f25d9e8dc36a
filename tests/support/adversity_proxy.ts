import { createServer as createHttpServer, request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { listen } from "./loopback.ts";

/** Stands between clients and Postgres, and loses answers. */
export interface LossyProxy {
  /** What clients connect to instead of the database. */
  readonly url: string;
  /** How many answers are lost. */
  readonly lost: () => number;
  readonly stop: () => Promise<void>;
}

// ReadyForQuery outside of a transaction: what was asked is committed when the server says it.
const COMMITTED = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/**
 * Starts a proxy on loopback that ends the connection instead of passing an answer on,
 * after the commit: the client cannot know that it was carried out.
 *
 * @param lose asked for each answer
 */
export async function startLossyProxy(
  databaseUrl: string,
  lose: () => boolean,
): Promise<LossyProxy> {
  const target = new URL(databaseUrl);
  const open = new Set<Socket>();
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const both = [client, upstream];
    for (const socket of both) {
      open.add(socket);
      socket.on("error", () => {}).on("close", () => {
        open.delete(socket);
        for (const each of both) each.destroy();
      });
    }
    client.pipe(upstream);
    let connected = false;
    upstream.on("data", (answer) => {
      const committed = answer.subarray(-COMMITTED.length).equals(COMMITTED);
      if (connected && committed && lose()) {
        lost++;
        client.destroy();
        return;
      }
      connected ||= committed;
      client.write(answer);
    });
  });
  const { port, close } = await listen(server);
  const url = new URL(databaseUrl);
  url.port = String(port);
  const stop = () => {
    const closed = close();
    for (const socket of open) socket.destroy();
    return closed;
  };
  return { url: url.href, lost: () => lost, stop };
}

/** Stands between the functions and the Data API, and holds a request up. */
export interface HoldingProxy {
  /** What the functions have as SUPABASE_URL. */
  readonly url: string;
  /** Resolves when the next request to such a path is there; it is not passed on, and never answered. */
  readonly holdRequest: (path: string) => Promise<void>;
  /** Resolves when the next request to such a path has been carried out; its answer is not passed on. */
  readonly holdAnswer: (path: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What a proxy is to hold up next. */
interface Hold {
  readonly path: string;
  readonly part: "request" | "answer";
  readonly arrived: () => void;
}

/**
 * Starts a proxy on loopback that passes everything on but what it is told to hold.
 *
 * @param targetUrl asked for each request: the stack may start later, with this proxy's address
 */
export async function startHoldingProxy(
  targetUrl: () => string,
): Promise<HoldingProxy> {
  let next: Hold | undefined;
  const server = createHttpServer((incoming, answer) => {
    const { method, headers, url = "" } = incoming;
    const held = next && url.startsWith(next.path) ? next : undefined;
    if (held) next = undefined;
    if (held?.part === "request") return held.arrived();
    const passed = request(
      new URL(url, targetUrl()),
      { method, headers },
      (response) => {
        if (held) return response.resume().once("end", held.arrived);
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      },
    );
    passed.on("error", () => answer.destroy());
    incoming.pipe(passed);
  });
  const { origin, close } = await listen(server);
  const hold = (part: Hold["part"]) => (path: string) =>
    new Promise<void>((arrived) => {
      next = { path, part, arrived };
    });
  return {
    url: origin,
    holdRequest: hold("request"),
    holdAnswer: hold("answer"),
    stop: close,
  };
}
