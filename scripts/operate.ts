import { DatabaseError } from "../functions/_shared/database.ts";
import {
  detectAnomalies,
  getGenerationStats,
  reconcileCreditLedger,
} from "../functions/_shared/operators.ts";
import { projectValues } from "./environment.ts";
import { parseFlags } from "./flags.ts";

const HELP = `npm run reconcile [-- --deep] [--json]
npm run stats     [-- --hours 24] [--json]
npm run anomalies [-- --hours 24] [--json]

Asks the project at SUPABASE_URL with SUPABASE_SECRET_KEY, out of the environment or,
where that names no other project, .env.local. The exit code is 1 when something is wrong:
a discrepancy, a success rate that the alert rule success_rate does not allow, suspicious
activity; 2 when the question could not be asked.

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

function readHours(text: string): number {
  const hours = Number(text);
  if (Number.isInteger(hours) && hours >= 1 && hours <= 8760) return hours;
  throw new Error(
    `--hours ${text} cannot be looked back: pass a whole number from 1 to 8760.`,
  );
}

/** Lets the questions find the project in the environment, as a deployed function does. */
function setProject(): void {
  const value = projectValues();
  for (const name of ["SUPABASE_URL", "SUPABASE_SECRET_KEY"]) {
    const found = value(name);
    if (!found) {
      throw new Error(
        `${name} is missing: set it for the project that you ask, or start the local stack with npm start, which writes .env.local.`,
      );
    }
    process.env[name] = found;
  }
}

/** Says what to do about an answer that the project did not give, or gave otherwise. */
function explain(error: unknown): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const { message, status } = error;
  const cause = status === 0 ? "does not answer" : `answered ${status}`;
  return new Error(
    `${process.env.SUPABASE_URL} ${cause} (${message}): ${remedyFor(status)}`,
  );
}

function remedyFor(status: number): string {
  switch (status) {
    case 0:
      return "check SUPABASE_URL and the network, or start the local stack with npm start.";
    case 401:
    case 403:
      return "set SUPABASE_SECRET_KEY to this project's own secret key.";
    case 404:
      return "check SUPABASE_URL, and apply the migrations with supabase db push.";
    default:
      return "read the database's log, then ask again.";
  }
}

async function main(): Promise<number> {
  const { values, positionals: [name = ""] } = parseFlags(HELP, {
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
  const question = { deep: values.deep, hours: readHours(values.hours) };
  setProject();
  const { answer, show, ok } = await ask(question)
    .catch((error) => Promise.reject(explain(error)));
  if (values.json) console.log(JSON.stringify(answer, null, 2));
  else show();
  return ok ? 0 : 1;
}

main().then((code) => process.exitCode = code, (error) => {
  console.error(error.message);
  process.exitCode = 2;
});
