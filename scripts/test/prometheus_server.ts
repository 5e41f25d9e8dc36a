import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs } from "../stack/process.ts";
import { freePort } from "../stack/port.ts";

const PATIENCE_SECONDS = 30;

/** A running Prometheus. */
export interface PrometheusServer {
  readonly url: string;
  /** Everything it logged so far. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/**
 * Starts Debian's Prometheus on a free port of the loopback, with its data in a folder.
 *
 * @throws when Prometheus is not installed: apt-get install prometheus
 */
export async function startPrometheus(
  config: string,
  folder: string,
): Promise<PrometheusServer> {
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn("prometheus", [
    `--config.file=${config}`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${address}`,
  ], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  await once(child, "spawn");
  endWithUs(child);
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => log += text);
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  };
  return { url: `http://${address}`, log: () => log, stop };
}

/**
 * Asks a query until it has a result.
 *
 * @returns "" when it has one, else what is wrong
 */
export async function queryPrometheus(
  { url, log }: PrometheusServer,
  query: string,
): Promise<string> {
  const giveUpAt = Date.now() + PATIENCE_SECONDS * 1000;
  let last = "";
  while (Date.now() < giveUpAt) {
    const answer = await ask(
      `${url}/api/v1/query?${new URLSearchParams({ query })}`,
    );
    if (answer.count > 0) return "";
    last = answer.text;
    await sleep(200);
  }
  return `${query} has no result within ${PATIENCE_SECONDS} s: ${last}\n${log()}\n`;
}

async function ask(url: string): Promise<{ count: number; text: string }> {
  try {
    const response = await fetch(url);
    const text = await response.text();
    return { count: JSON.parse(text).data.result.length, text };
  } catch (error) {
    // It has not begun to listen, or not to answer queries.
    return { count: 0, text: String(error) };
  }
}
