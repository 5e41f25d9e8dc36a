import type { AuthenticateService } from "../_shared/auth.ts";
import type { Contract } from "../_shared/contract.ts";
import { keepAlive } from "../_shared/keep_alive.ts";
import { json, type Route } from "../_shared/route.ts";

/** After it no more work is begun: pg_net, which calls, waits for a minute. What was begun goes on without it. */
const CALL_MS = 35_000;

/** Work of the schedule. */
export interface Task {
  contract: Contract;
  /** Does what is due, until `isOver`; says how much that was. */
  run: (isOver: () => boolean) => Promise<Record<string, number>>;
}

/** What `tasks` works with. */
export interface TasksDependencies {
  /** Throws a {@link Problem} 401 where the request is not the schedule's or an operator's. */
  authenticate: AuthenticateService;
  /** By the last part of their paths. */
  tasks: Record<string, Task>;
  /** Milliseconds since some moment. */
  now: () => number;
}

/** `POST tasks/<name>`: called by the schedule while there is something to do. */
export function taskRoutes(
  { authenticate, tasks, now }: TasksDependencies,
): Route[] {
  return Object.entries(tasks).map(([name, { contract, run }]) => ({
    method: "POST",
    path: `/${name}`,
    contract,
    handler: async ({ request }) => {
      await authenticate(request);
      const end = now() + CALL_MS;
      return json(await keepAlive(() => run(() => now() >= end)));
    },
  }));
}
