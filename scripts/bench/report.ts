import { cpus, loadavg, totalmem } from "node:os";
import { SERVER_SETTINGS } from "./lab.ts";
import type { Outcome } from "./measure.ts";
import { type Bar, type Figure, meets } from "./scenario.ts";

/** Everything that a run measured. */
export interface Report {
  readonly short: boolean;
  readonly outcomes: readonly Outcome[];
  readonly figures: readonly Figure[];
  /** Families that broke, and how. */
  readonly failures: readonly string[];
}

/** The report as a table of ratios, one of figures, and where they come from. */
export function toText({ outcomes, figures }: Report): string {
  const ratios = outcomes.map((outcome) => [
    outcome.comparison.name,
    outcome.comparison.against,
    outcome.ratio.toFixed(2),
    `${outcome.lowest.toFixed(2)}–${outcome.highest.toFixed(2)}`,
    barText(outcome.comparison.bar),
    meets(outcome.ratio, outcome.comparison.bar) ? "ok" : "missed",
    `${amount(outcome.subject)} : ${amount(outcome.floor)} ${unit(outcome)}`,
  ]);
  const values = figures.map(({ name, value, unit, bar }) => [
    name,
    `${amount(value)} ${unit}`,
    barText(bar),
    bar ? meets(value, bar) ? "ok" : "missed" : "",
  ]);
  const head = ["scenario", "against", "ratio", "rounds", "bar", "", "medians"];
  return [
    ...(ratios.length > 0 ? [table([head, ...ratios])] : []),
    ...(values.length > 0
      ? [table([["figure", "", "bar", ""], ...values])]
      : []),
    `${origin()}\nOnly the ratios compare: absolute figures belong to this machine and this run.`,
  ].join("\n\n");
}

/** The report for programs. */
export function toJson(
  { short, outcomes, figures, failures }: Report,
): string {
  const scenarios = outcomes.map(({ comparison, ...measured }) => ({
    name: comparison.name,
    against: comparison.against,
    ...measured,
    bar: comparison.bar,
    ok: meets(measured.ratio, comparison.bar),
  }));
  const measured = {
    form: short ? "short" : "long",
    scenarios,
    figures,
    failures,
  };
  return JSON.stringify({ origin: origin(), ...measured }, null, 2) + "\n";
}

/** How busy the machine was when this began: with a load beyond its processors, latencies say little. */
const LOAD = loadavg()[0]!;

function origin(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const settings = Object.entries(SERVER_SETTINGS)
    .map(([name, value]) => `${name} ${value}`).join(", ");
  return `Measured on ${processors.length} × ${
    processors[0]?.model.trim() ?? "unknown processor"
  }, ${memory} GiB, load ${
    LOAD.toFixed(1)
  }; Postgres 17 with fsync and synchronous_commit on, ${settings}.`;
}

function unit({ comparison }: Outcome): string {
  return "sql" in comparison.subject ? "ms" : "/s";
}

function barText({ atLeast, atMost }: Bar = {}): string {
  if (atLeast !== undefined) return `≥ ${atLeast}`;
  return atMost === undefined ? "" : `≤ ${atMost}`;
}

function amount(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Columns as wide as their widest cell. */
function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.length))
  );
  const line = (row: string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  const [head, ...body] = rows;
  return [line(head!), rule, ...body.map(line)].join("\n");
}
