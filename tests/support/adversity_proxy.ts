import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

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
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of open) socket.destroy();
    });
  return { url: url.href, lost: () => lost, stop };
}
