import { Server as HttpServer } from "node:http";
import type { AddressInfo, Server } from "node:net";

/** Where a server of a test's own listens. */
export interface Loopback {
  readonly port: number;
  /** Its address for HTTP, such as `http://127.0.0.1:4040`. */
  readonly origin: string;
  /** Ends it, with the connections of those who keep theirs open for another request. */
  readonly close: () => Promise<void>;
}

/** Has a server listen on 127.0.0.1, on a free port unless told which. */
export async function listen(server: Server, port = 0): Promise<Loopback> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    port: taken,
    origin: `http://127.0.0.1:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if (server instanceof HttpServer) server.closeAllConnections();
      }),
  };
}
