/** What the driver of the Data API throws past everybody when it writes to a connection whose server was killed. */
const DEAD_CONNECTION = "Cannot read properties of null (reading 'write')";

/**
 * Lets a test kill Postgres under a stack that runs in its own process: what the driver throws then ends nothing.
 * Any other exception that nobody caught fails the test as before.
 *
 * @returns how to put things back
 */
export function tolerateDeadConnections(): () => void {
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const listener: NodeJS.UncaughtExceptionListener = (error, origin) => {
    if (error.message === DEAD_CONNECTION) return;
    for (const other of others) other(error, origin);
  };
  process.on("uncaughtException", listener);
  return () => {
    process.off("uncaughtException", listener);
    for (const other of others) process.on("uncaughtException", other);
  };
}
