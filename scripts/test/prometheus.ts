import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeHome } from "../stack/home.ts";
import { type Stack, startStack } from "../stack/index.ts";
import { runCommand } from "./command.ts";
import { executeScript } from "./prepare.ts";
import { queryPrometheus, startPrometheus } from "./prometheus_server.ts";
import type { StepOutcome } from "./step.ts";

const CONFIG = "prometheus.yml";
const RULES = "alert_rules.yml";
const RULES_TEST = "alert_rules_test.yml";

// A charge and a denial, so that series with labels are there as well.
const TRAFFIC = `
  select from public.grant_credits('00000000-0000-4000-8000-0000000000a1', 500);
  select from public.atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');
  select from public.atomic_charge_credits('00000000-0000-4000-8000-0000000000a1', 'standard-image', '{"prompt": "a cat"}');`;

/** Checks by their names; each resolves to what is wrong, "" for nothing. */
type Checks = Record<string, () => Promise<string>>;

/**
 * Debian's Prometheus has the last word on what is shipped for it: the rules,
 * their tests, the configuration, the metrics of a running stack, and a scrape
 * of that stack by a real server.
 */
export async function checkPrometheus(
  projectFolder: string,
): Promise<StepOutcome> {
  const folder = await mkdtemp(join(tmpdir(), "atomic-credits-prometheus-"));
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-stack-"));
  const options = { project: projectFolder, home, port: 0, dbPort: 0 };
  try {
    const stack = await startStack(options);
    try {
      await executeScript(stack.database.url(), TRAFFIC);
      await configure(projectFolder, folder, stack);
      return await runChecks(checksOf(folder, stack));
    } finally {
      await stack.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
    removeHome(home);
  }
}

/** A copy of what is shipped, pointed at the stack and in a hurry. */
async function configure(
  projectFolder: string,
  folder: string,
  stack: Stack,
): Promise<void> {
  await cp(join(projectFolder, "monitoring", "prometheus"), folder, {
    recursive: true,
  });
  const file = join(folder, "prometheus.yml");
  const shipped = await readFile(file, "utf8");
  const local = shipped
    .replace("127.0.0.1:54321", new URL(stack.url).host)
    .replace("scrape_interval: 60s", "scrape_interval: 1s")
    .replace("scrape_timeout: 15s", "scrape_timeout: 1s");
  await writeFile(file, local);
  await writeFile(join(folder, "secret_key"), stack.keys.secret, {
    mode: 0o600,
  });
}

function checksOf(folder: string, stack: Stack): Checks {
  const promtool = async (args: string[], input?: string) => {
    const result = await runCommand("promtool", args, { cwd: folder, input });
    return result.code === 0 ? "" : result.output;
  };
  return {
    "promtool check rules": () => promtool(["check", "rules", RULES]),
    "promtool test rules": () => promtool(["test", "rules", RULES_TEST]),
    "promtool check config": () => promtool(["check", "config", CONFIG]),
    "promtool check metrics": async () =>
      promtool(["check", "metrics"], await scrape(stack)),
    "prometheus scrapes the stack": () => scrapeForReal(folder),
  };
}

async function scrape({ url, keys }: Stack): Promise<string> {
  const response = await fetch(`${url}/functions/v1/metrics`, {
    headers: { apikey: keys.secret },
  });
  return await response.text();
}

/** Lets a server scrape the stack; resolves to what is wrong. */
async function scrapeForReal(folder: string): Promise<string> {
  const server = await startPrometheus(join(folder, CONFIG), folder);
  try {
    const up = await queryPrometheus(server, "up == 1");
    const denials = 'atomic_credits_denials{code="insufficient_credits"} == 1';
    return up + await queryPrometheus(server, denials);
  } finally {
    await server.stop();
  }
}

async function runChecks(checks: Checks): Promise<StepOutcome> {
  const reports: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const report = await check();
    if (report) reports.push(`${name}:\n${report}`);
  }
  const failed = reports.length;
  const passed = Object.keys(checks).length - failed;
  return { passed, failed, report: reports.join("\n\n") };
}
