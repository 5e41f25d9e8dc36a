import { createServer } from "node:net";
import { errorCode, StackFailure } from "./failure.ts";

/** A port of the loopback that nothing listens on. */
export function freePort(): Promise<number> {
  return listenOnce(0);
}

/**
 * The port that is asked for, or a free one for 0.
 *
 * @param flag asks for another one
 * @throws StackFailure when it is taken.
 */
export async function wantedPort(
  wanted: number,
  flag: string,
): Promise<number> {
  try {
    return await listenOnce(wanted);
  } catch (error) {
    throw new StackFailure(
      `Port ${wanted} cannot be used (${
        errorCode(error)
      }): stop what listens there, or pass ${flag} with another port.`,
    );
  }
}

function listenOnce(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(wanted, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
