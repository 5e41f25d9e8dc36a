import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  detectAnomalies,
  getGenerationStats,
  reconcileCreditLedger,
} from "../functions/_shared/operators.ts";

const HELP = `npm run reconcile [-- --deep] [--json]
npm run stats     [-- --hours 24] [--json]
npm run anomalies [-- --hours 24] [--json]

Asks the project at SUPABASE_URL with SUPABASE_SECRET_KEY, out of the environment
or .env.local. The exit code is 1 when something is wrong: a discrepancy, a success
rate below 90 %, suspicious activity; 2 when the question could not be asked.

  --deep   checks everything instead of what is new
  --hours  how far back to look, 1 to 8760
  --json   the whole answer as JSON`;

/** What a question found: the answer, how a person reads it, whether all is well. */
interface Outcome {
  answer: unknown;
  show: () => void;
  ok: boolean;
}

interface Flags {
  deep: boolean;
  hours: number;
}

const QUESTIONS: Record<string, (flags: Flags) => Promise<Outcome>> = {
  async reconcile({ deep }) {
    const answer = await reconcileCreditLedger({ deep });
    const show = () => {
      console.table(answer.summary);
      for (const { likelyCause, remedy, ...found } of answer.discrepancies) {
        console.table(found);
        console.log(`Likely cause: ${likelyCause}\nRemedy: ${remedy}\n`);
      }
    };
    return { answer, show, ok: answer.summary.discrepancies === 0 };
  },
  async stats({ hours }) {
    const answer = await getGenerationStats(hours);
    return { answer, show: () => console.table(answer), ok: answer.healthy };
  },
  async anomalies({ hours }) {
    const answer = await detectAnomalies(hours);
    const found = answer.suspiciousActivity;
    const show = () =>
      found.length > 0
        ? console.table(found)
        : console.log(`Nothing suspicious in the last ${hours} hours.`);
    return { answer, show, ok: found.length === 0 };
  },
};

async function main(): Promise<number> {
  const { values, positionals: [name = ""] } = parseArgs({
    allowPositionals: true,
    options: {
      deep: { type: "boolean", default: false },
      hours: { type: "string", default: "24" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const ask = QUESTIONS[name];
  if (values.help || !ask) {
    console.log(HELP);
    return ask ? 0 : 2;
  }
  if (existsSync(".env.local")) process.loadEnvFile(".env.local");
  const { answer, show, ok } = await ask({
    deep: values.deep,
    hours: Number(values.hours),
  });
  if (values.json) console.log(JSON.stringify(answer, null, 2));
  else show();
  return ok ? 0 : 1;
}

main().then((code) => process.exitCode = code, (error) => {
  console.error(error.message);
  process.exitCode = 2;
});
