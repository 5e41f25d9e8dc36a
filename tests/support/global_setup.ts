import { createServer } from "node:http";
import type { TestProject } from "vitest/node";
import { startFleet, type TestFleet } from "../../scripts/test/fleet.ts";
import { findTemplate } from "../../scripts/test/template.ts";
import { buildOnce } from "./built_console.ts";
import { listen } from "./loopback.ts";
import type { TestStack } from "./stack.ts";
import { arrangeGivenProject } from "./given_project.ts";
import { startRouterStack } from "./router_stack.ts";
import { startWorkerStack, type WorkerStack } from "./worker_stack.ts";

/**
 * Answers each worker where its stack is. A worker has one to itself: it is
 * started when the first file of the worker asks, and serves one file after the
 * other. So a file may change what is global (settings, the schema, "nothing is
 * due") while other workers run theirs, if it puts it back; files need not be
 * sorted into those that may run side by side and those that may not.
 */
export default async function setUp(
  project: TestProject,
): Promise<() => Promise<void>> {
  endInOrder(project);
  keepRefusalsQuiet();
  await findTemplate();
  const stacks = new Map<string, Promise<WorkerStack>>();
  const given = await arrangeGivenProject(process.env);
  const stackOf = async (worker: string): Promise<TestStack> => {
    if (given) return given.details;
    const known = stacks.get(worker);
    if (known) return (await known).details;
    const { root } = project.config;
    const starting = process.env.TEST_ROUTER
      ? sharedFleet().then((fleet) => startRouterStack(root, fleet))
      : startWorkerStack(root);
    stacks.set(worker, starting);
    return (await starting).details;
  };
  let started: Promise<TestFleet> | undefined;
  const sharedFleet = () => started ??= startFleet();
  const fleetAnswer = async (path: string) => {
    const { fleet, last } = await sharedFleet();
    if (path === "/fleet/stop") await last.stop("SIGQUIT");
    if (path === "/fleet/start") await last.start();
    return fleet;
  };
  const answerOf = (path: string) => {
    if (path.startsWith("/fleet")) return fleetAnswer(path);
    return path === "/console" ? buildOnce(project.config.root) : stackOf(path);
  };
  const { origin, close } = await listen(createServer((request, response) => {
    answerOf(request.url ?? "").then(
      (details: unknown) => response.end(JSON.stringify(details)),
      (error) => response.writeHead(500).end(String(error.stack)),
    );
  }));
  project.provide("stacks", origin);
  return async () => {
    await close();
    await given?.stop();
    const ended = await Promise.allSettled(stacks.values());
    await Promise.all(
      ended.map((stack) => stack.status === "fulfilled" && stack.value.stop()),
    );
    await (await started?.catch(() => undefined))?.stop();
  };
}

/** The Data API prints each error with its stack; tests provoke them by the hundred, and check the answers. */
function keepRefusalsQuiet(): void {
  const print = console.error;
  console.error = (...values: unknown[]) => {
    const [error] = values;
    const stack = error instanceof Error ? error.stack ?? "" : "";
    if (!/node_modules.(postgres|@supabase.lite)\b/.test(stack)) {
      print(...values);
    }
  };
}

/**
 * Vitest's own handlers end the process within a millisecond of a signal, and
 * the databases would stay. In their place: the tests at hand end, then
 * everything that was set up. A second signal ends at once.
 */
function endInOrder({ vitest }: TestProject): void {
  const cancel = () => void vitest.cancelCurrentRun("keyboard-input");
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.removeAllListeners(signal);
    process.once(signal, cancel);
  }
}
