import { join } from "node:path";
import { startFunctions } from "../../stack/functions.ts";
import { type Stack, startStack } from "../../stack/index.ts";
import { freePort } from "../../stack/port.ts";
import { runCommand } from "../../test/command.ts";
import type { HttpLoad } from "../http_load.ts";
import type { Lab } from "../lab.ts";
import { median } from "../measure.ts";
import type { Family, Figure } from "../scenario.ts";
import { openUsers } from "../users.ts";

const CLIENTS = 8;
const ROUNDS = { short: 1, long: 5 };
const SECONDS = { short: 3, long: 10 };

async function loadOn(
  functionsUrl: string,
  tokens: string[],
  { project, short }: Lab,
): Promise<HttpLoad> {
  const seconds = short ? SECONDS.short : SECONDS.long;
  const { code, stdout, output } = await runCommand(process.execPath, [
    "scripts/run.mjs",
    "bench/http_load",
    `${functionsUrl}/functions/v1/generate`,
    String(seconds),
    ...tokens,
  ], { cwd: project });
  if (code !== 0) throw new Error(output);
  return JSON.parse(stdout);
}

/** Medians of several rounds. */
function middle(loads: readonly HttpLoad[]): HttpLoad {
  const of = (what: keyof HttpLoad) => median(loads.map((load) => load[what]));
  return {
    requestsPerSecond: of("requestsPerSecond"),
    p50: of("p50"),
    p95: of("p95"),
    p99: of("p99"),
  };
}

function figuresOf(whole: HttpLoad, without: HttpLoad): Figure[] {
  const added = (["p50", "p95", "p99"] as const).map((share) => ({
    name: `POST generate: latency added by the database, ${share}`,
    value: whole[share] - without[share],
    unit: `ms (${whole[share].toFixed(1)} - ${without[share].toFixed(1)})`,
  }));
  return [...added, {
    name: "POST generate",
    value: whole.requestsPerSecond,
    unit: `requests/s (without the database ${
      without.requestsPerSecond.toFixed(0)
    })`,
  }];
}

/** Both functions in turns, each with its own process. */
async function measure(lab: Lab, stack: Stack): Promise<Figure[]> {
  const tokens = await openUsers(stack, CLIENTS);
  const bare = await startFunctions({
    project: lab.project,
    keys: stack.keys,
    supabaseUrl: stack.url,
    port: await freePort(),
    databaseUrl: stack.database.url(),
    program: "scripts/bench/no_database.ts",
  });
  const whole: HttpLoad[] = [];
  const without: HttpLoad[] = [];
  try {
    for (
      let round = lab.short ? ROUNDS.short : ROUNDS.long;
      round > 0;
      round--
    ) {
      without.push(await loadOn(bare.url, tokens, lab));
      whole.push(await loadOn(stack.functions.url, tokens, lab));
    }
  } finally {
    await bare.stop();
  }
  return figuresOf(middle(whole), middle(without));
}

async function figures(lab: Lab): Promise<Figure[]> {
  const home = join(lab.folder, "stack");
  const { project } = lab;
  const stack = await startStack({ project, home, port: 0, dbPort: 0 });
  try {
    return await measure(lab, stack);
  } finally {
    await stack.stop();
  }
}

/** The edge function generate over HTTP, with the local stack behind it. */
export const http: Family = {
  name: "http",
  prepare: () => Promise.resolve(),
  probes: [{ name: "generate", figures }],
};
