import { DatabaseError } from "../functions/_shared/database.ts";
import {
  type OperatorClient,
  operatorClient,
} from "../functions/_shared/operator_client.ts";
import {
  detectAnomalies,
  getGenerationStats,
  reconcileCreditLedger,
} from "../functions/_shared/operators.ts";
import { projectValues } from "./environment.ts";
import { messageOf, parseFlags, type Terminal } from "./terminal.ts";

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
  show: (console: Console) => void;
  ok: boolean;
}

interface Flags {
  deep: boolean;
  hours: number;
}

type Question = (flags: Flags, client: OperatorClient) => Promise<Outcome>;

const QUESTIONS: Record<string, Question> = {
  async reconcile({ deep }, client) {
    const answer = await reconcileCreditLedger({ deep }, client);
    const show = (console: Console) => {
      console.table(answer.summary);
      for (const { likelyCause, remedy, ...found } of answer.discrepancies) {
        console.table(found);
        console.log(`Likely cause: ${likelyCause}\nRemedy: ${remedy}\n`);
      }
    };
    return { answer, show, ok: answer.summary.discrepancies === 0 };
  },
  async stats({ hours }, client) {
    const answer = await getGenerationStats(hours, client);
    const show = (console: Console) => console.table(answer);
    return { answer, show, ok: answer.healthy };
  },
  async anomalies({ hours }, client) {
    const answer = await detectAnomalies(hours, client);
    const found = answer.suspiciousActivity;
    const show = (console: Console) =>
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

/** A project and its secret key. */
interface Access {
  url: string;
  secretKey: string;
}

/** @throws where the environment does not say which project, or has no key for it */
function findProject({ env }: Terminal): Access {
  const value = projectValues(env);
  const needed = (name: string) => {
    const found = value(name);
    if (found) return found;
    throw new Error(
      `${name} is missing: set it for the project that you ask, or start the local stack with npm start, which writes .env.local.`,
    );
  };
  return {
    url: needed("SUPABASE_URL"),
    secretKey: needed("SUPABASE_SECRET_KEY"),
  };
}

/** Says what to do about an answer that the project did not give, or gave otherwise. */
function explain(error: unknown, { url }: Access): unknown {
  if (!(error instanceof DatabaseError)) return error;
  const { message, status } = error;
  const cause = status === 0 ? "does not answer" : `answered ${status}`;
  return new Error(`${url} ${cause} (${message}): ${remedyFor(status)}`);
}

function remedyFor(status: number): string {
  switch (status) {
    case 0:
      return "check SUPABASE_URL and the network, or start the local stack with npm start.";
    case 401:
    case 403:
      return "set SUPABASE_SECRET_KEY to this project's own secret key.";
    case 404:
      return "check SUPABASE_URL, and apply the migrations: npx supabase db push --remote.";
    default:
      return "read the database's log, then ask again.";
  }
}

/** Asks one of the questions; 2 where it could not be asked. */
export async function main(terminal: Terminal): Promise<number> {
  try {
    return await ask(terminal);
  } catch (error) {
    terminal.console.error(messageOf(error));
    return 2;
  }
}

async function ask(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const { values, positionals: [name = ""] } = parseFlags(HELP, terminal, {
    allowPositionals: true,
    options: {
      deep: { type: "boolean", default: false },
      hours: { type: "string", default: "24" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const question = QUESTIONS[name];
  if (values.help || !question) {
    console.log(HELP);
    return question ? 0 : 2;
  }
  const flags = { deep: values.deep, hours: readHours(values.hours) };
  const project = findProject(terminal);
  const client = operatorClient(project.url, project.secretKey);
  const { answer, show, ok } = await question(flags, client)
    .catch((error) => Promise.reject(explain(error, project)));
  if (values.json) console.log(JSON.stringify(answer, null, 2));
  else show(console);
  return ok ? 0 : 1;
}
