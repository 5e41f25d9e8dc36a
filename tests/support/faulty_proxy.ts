import { createServer, type IncomingMessage, request } from "node:http";
import { listen } from "./loopback.ts";

/**
 * What happens to a request in place of being passed on: an answer, or its connection breaks. One that is lost is
 * carried out, and its connection breaks in place of the answer.
 */
export type Fault =
  | { readonly status: number; readonly body: object }
  | "reset"
  | "lost";

/** Asked for each request, which waits for it; undefined passes it on. */
export type Judge = (
  method: string,
  path: string,
) => Fault | undefined | Promise<Fault | undefined>;

/** Stands between the functions and their project. */
export interface FaultyProxy {
  /** What the functions have as SUPABASE_URL. */
  readonly url: string;
  /** Begins to judge requests; what it returns ends that, and says how many were judged to fail. */
  readonly judge: (judge: Judge) => () => number;
  readonly stop: () => Promise<void>;
}

/**
 * Starts a proxy on loopback that passes everything on until it is told what to do instead.
 *
 * @param targetUrl a function is asked for each request: the stack may start later, with this proxy's address
 */
export async function startFaultyProxy(
  targetUrl: string | (() => string),
): Promise<FaultyProxy> {
  let judge: Judge = () => undefined;
  let faults = 0;
  const server = createServer(async (incoming, answer) => {
    const { method = "GET", url = "/" } = incoming;
    const fault = await judge(method, url);
    if (fault) faults++;
    if (fault === "reset") return incoming.socket.resetAndDestroy();
    if (fault && fault !== "lost") {
      await drain(incoming);
      answer.writeHead(fault.status, { "content-type": "application/json" });
      answer.end(JSON.stringify(fault.body));
      return;
    }
    const { headers } = incoming;
    const passed = request(
      new URL(url, typeof targetUrl === "string" ? targetUrl : targetUrl()),
      { method, headers },
      (response) => {
        if (fault === "lost") {
          response.resume().once("end", () => answer.destroy());
          return;
        }
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      },
    );
    passed.on("error", () => answer.destroy());
    incoming.pipe(passed);
  });
  const { origin, close } = await listen(server);
  return {
    url: origin,
    judge: (next) => {
      judge = next;
      faults = 0;
      return () => {
        judge = () => undefined;
        return faults;
      };
    },
    stop: close,
  };
}

async function drain(incoming: IncomingMessage): Promise<void> {
  for await (const _ of incoming);
}
